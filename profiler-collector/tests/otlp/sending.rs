//! What goes along with requests, and what is told of them.

use std::{fs, sync::Arc, time::Duration};

use libtest_mimic::Trial;
use profiler_collector::{
    clock,
    fleet::CostLimits,
    metrics::Metrics,
    otlp::{Counters, Exporter},
    query::{Clock, QueryService},
    store::{Retention, Store},
};
use tokio::time::timeout;

use crate::{
    fixture::{Agent, BEGIN, MIB, SECOND, Table, World},
    receiver::{Came, Fleet, PROFILES, Receiver, anywhere, settings, until},
    trial::trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let no_server = || Ok(());
    vec![
        trial(
            "each_interval_begins_where_the_one_before_ended",
            no_server,
            async |()| intervals().await,
        ),
        trial(
            "headers_of_the_file_go_with_each_request",
            no_server,
            async |()| {
                headers().await;
            },
        ),
        trial("rows_above_the_bound_are_counted", no_server, async |()| {
            bounded().await;
        }),
        trial(
            "metrics_show_what_became_of_profiles",
            no_server,
            async |()| {
                metrics().await;
            },
        ),
    ]
}

async fn intervals() {
    let receiver = Receiver::default();
    let mut settings = settings(receiver.listen(anywhere()).await);
    settings.interval = Duration::from_secs(2);
    settings.limits.settle = Duration::ZERO;
    let world = World::new();
    let mut agent = Agent::new("node-1", 1, 1, since_begin());
    grow(&world, &mut agent).await;
    let store: Arc<dyn Store> = world.store.clone();
    let query = QueryService::new(
        store,
        CostLimits::default(),
        Retention::default(),
        Clock::System,
    );
    let counters = Counters::default();
    let exporter = Exporter::new(Arc::new(query), settings, counters.clone());
    let growing = async {
        while neighbours(&receiver).len() < 2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            grow(&world, &mut agent).await;
        }
    };
    let growing = timeout(Duration::from_secs(60), growing);
    tokio::select! {
        () = exporter.run() => unreachable!("it runs until it is dropped"),
        grown = growing => grown.expect("three requests"),
    }
    let pairs = neighbours(&receiver);
    assert!(
        pairs.iter().all(|(before, next)| before.1 == next.0),
        "{pairs:?}"
    );
    assert_eq!(counters.questions_failed.get(), 0);
}

/// Begin and end of intervals that came one after the other.
fn neighbours(receiver: &Receiver) -> Vec<((u64, u64), (u64, u64))> {
    let spans = receiver.came(span);
    let pairs = spans.windows(2);
    pairs.filter_map(|two| two[0].zip(two[1])).collect()
}

/// None where no growth fell into the interval: what is live says its end alone.
fn span(came: &Came) -> Option<(u64, u64)> {
    let profiles = &came.request.resource_profiles[0].scope_profiles[0].profiles;
    let [live, allocated] = profiles.as_slice() else {
        return None;
    };
    let end = allocated.time_unix_nano + allocated.duration_nano;
    assert_eq!(live.time_unix_nano, end);
    Some((allocated.time_unix_nano, end))
}

/// What a process has that demands a MiB each second.
async fn grow(world: &World, agent: &mut Agent) {
    let seconds = since_begin();
    let process = Table::default().process(1, 100, "host");
    let table = process.stack(5, seconds * MIB, 0);
    agent.send(world, &table.0, seconds, true).await;
}

fn since_begin() -> u64 {
    let now = clock::now().0.cast_unsigned();
    (now - BEGIN) / SECOND
}

async fn headers() {
    let receiver = Receiver::default();
    let address = receiver.listen(anywhere()).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(
        file.path(),
        "x-scope-orgid: shop\nauthorization: Bearer one",
    )
    .expect("written");
    let mut settings = settings(address);
    settings.header_file = Some(file.path().to_owned());
    let fleet = Fleet::exporting(settings).await;
    fleet.export(0).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    fs::write(file.path(), "authorization: Bearer two").expect("written");
    fleet.export(1).await;
    until(|| fleet.counters.profiles_sent.get() == 2 * PROFILES).await;
    let text = |came: &Came, key: &str| {
        let value = came.metadata.get(key);
        value.map(|value| value.to_str().expect("text").to_owned())
    };
    let tokens = receiver.came(|came| text(came, "authorization"));
    assert_eq!(
        tokens,
        [Some("Bearer one".to_owned()), Some("Bearer two".to_owned())]
    );
    let tenants = receiver.came(|came| text(came, "x-scope-orgid"));
    assert_eq!(tenants, [Some("shop".to_owned()), None]);
    assert!(
        receiver
            .came(|came| came.taken)
            .into_iter()
            .all(|taken| taken)
    );
}

async fn bounded() {
    let receiver = Receiver::default();
    let address = receiver.listen(anywhere()).await;
    let mut settings = settings(address);
    settings.limits.rows = 1;
    let fleet = Fleet::exporting(settings).await;
    fleet.export(0).await;
    until(|| fleet.counters.profiles_sent.get() == PROFILES).await;
    // One live row of two on each node.
    assert_eq!(fleet.counters.rows_left_out.get(), 2);
}

async fn metrics() {
    let world = World::new();
    let store: Arc<dyn Store> = world.store.clone();
    let metrics = || {
        let query = Arc::new(world.service(10));
        Metrics::new(query, Arc::clone(&store), Arc::default(), Arc::default())
    };
    let without = metrics().text().await.expect("metrics");
    assert!(!without.contains("otlp"));
    let counters = Counters::default();
    counters.profiles_sent.inc_by(7);
    let with = metrics().with_otlp(counters).text().await.expect("metrics");
    let line = "profiler_collector_otlp_profiles_sent_total 7\n";
    assert!(with.contains(line), "{with}");
}
