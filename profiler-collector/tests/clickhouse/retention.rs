//! What is taken out, and that its room comes back.

use std::time::Duration;

use libtest_mimic::Trial;
use profiler_collector::store::{
    Retained, Retention, Store, WallTime,
    conformance::fixtures::{at, batch, run, write_all},
};

use crate::{
    chdb::{Database, database},
    trial::trial,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "old_batches_are_thinned_by_age",
            database,
            old_batches_are_thinned,
        ),
        trial(
            "thinned_batches_stay_known",
            database,
            thinned_batches_stay_known,
        ),
        trial("what_is_too_old_goes", database, what_is_too_old_goes),
        trial(
            "the_oldest_go_when_it_is_full",
            database,
            the_oldest_go_when_it_is_full,
        ),
        trial(
            "collectors_may_retain_at_once",
            database,
            collectors_may_retain_at_once,
        ),
        trial(
            "the_server_drops_old_days_too",
            database,
            the_server_drops_old_days_too,
        ),
    ]
}

/// A batch every `every` seconds, the first of each `of` whole, from `from` to before `to`.
async fn fill(store: &impl Store, from: i64, to: i64, every: i64, of: u64) {
    let moments = (from..to).step_by(every as usize);
    let writes = moments.zip(1..).map(|(second, sequence)| {
        batch(run(1), sequence, at(second), sequence % of == 1 || of == 1)
    });
    store.write(writes.collect()).await.expect("written");
}

async fn times(database: &Database) -> Vec<i64> {
    let rows: Vec<i64> = database
        .client()
        .rows("SELECT time FROM batch FINAL WHERE gone = 0 ORDER BY time")
        .await
        .expect("times");
    rows.iter()
        .map(|time| (time - at(0).0) / 1_000_000_000)
        .collect()
}

async fn parts(database: &Database) -> u64 {
    let rows: Vec<u64> = database
        .client()
        .rows("SELECT uniqExact(run, sequence) FROM part")
        .await
        .expect("parts");
    rows[0]
}

async fn retain(store: &impl Store, now: WallTime) -> Retained {
    store
        .retain(&Retention::default(), now)
        .await
        .expect("a round")
}

async fn old_batches_are_thinned(database: Database) {
    let store = database.open().await;
    // Ten days of a whole batch each 30 s for an hour at four ages.
    let ages = [HOUR, 3 * HOUR, 2 * DAY, 8 * DAY];
    let now = 10 * DAY;
    for (age, number) in ages.into_iter().zip(1..) {
        let writes = (0..120).map(|place: i64| {
            let time = at(now - age + place * 30);
            batch(run(number), place as u64 + 1, time, place % 2 == 0)
        });
        store.write(writes.collect()).await.expect("written");
    }
    let retained = retain(&store, at(now)).await;
    let kept: Vec<u64> = {
        let mut runs = store.runs().await.expect("runs");
        runs.sort_by_key(|run| run.id);
        runs.iter().map(|run| run.batches).collect()
    };
    assert_eq!(kept, [120, 60, 4, 1]);
    assert_eq!(retained.thinned, 60 + 116 + 119);
    assert_eq!((retained.expired, retained.evicted), (0, 0));
    // The last whole one of each step: at 14:30 of each quarter, 59:00 of the hour.
    assert_eq!(
        store.sequences(run(3)).await.expect("sequences"),
        [29, 59, 89, 119]
    );
    assert_eq!(store.sequences(run(4)).await.expect("sequences"), [119]);
    let runs = store.runs().await.expect("runs");
    let thinned = runs.iter().find(|found| found.id == run(4)).expect("run 4");
    assert_eq!((thinned.thinned, thinned.last_sequence), (119, 120));
    assert_eq!(
        retain(&store, at(now)).await,
        Retained::default(),
        "nothing more to do"
    );
    assert!(parts(&database).await < 120 + 120 + 8, "room came back");
    let report = store.check().await.expect("a report");
    assert_eq!(report.problems, Vec::<String>::new());
}

async fn thinned_batches_stay_known(database: Database) {
    let store = database.open().await;
    fill(&store, 0, 600, 10, 6).await;
    retain(&store, at(3 * HOUR)).await;
    assert_eq!(
        times(&database).await,
        (0..10).map(|minute| minute * 60).collect::<Vec<_>>()
    );
    let again = write_all(&store, [batch(run(1), 2, at(10), false)]).await;
    assert_eq!((again.stored, again.repeated), (0, 1));
    assert_eq!(store.sequences(run(1)).await.expect("sequences").len(), 10);
}

async fn what_is_too_old_goes(database: Database) {
    let store = database.open().await;
    // Whole batches each 3 hours for three days; the boundary is in the middle of the second.
    fill(&store, 0, 3 * DAY, 3 * HOUR, 1).await;
    let retained = retain(&store, at(31 * DAY + 12 * HOUR)).await;
    assert_eq!(retained.expired, 12);
    let kept = times(&database).await;
    assert_eq!(kept.first(), Some(&(DAY + 12 * HOUR)));
    let days: Vec<String> = database
        .client()
        .rows("SELECT DISTINCT _partition_id FROM part ORDER BY 1")
        .await
        .expect("days");
    assert_eq!(days, ["20250102", "20250103"], "the first day is dropped");
    let runs = store.runs().await.expect("runs");
    assert_eq!((runs[0].batches, runs[0].thinned), (12, 12));
    assert_eq!(runs[0].first, at(DAY + 12 * HOUR));
}

async fn the_oldest_go_when_it_is_full(database: Database) {
    let store = database.open().await;
    let writes = (1..=100).map(|sequence| {
        let mut write = batch(run(1), sequence, at(sequence as i64 * 10), true);
        let part = &mut write.batch.as_mut().expect("a batch").parts[0];
        part.data = vec![7; 100_000];
        write
    });
    store.write(writes.collect()).await.expect("written");
    let full = store.status().await.expect("status").bytes;
    assert!(full > 10_000_000, "{full}");
    let retention = Retention {
        bytes_max: full - 3_000_000,
        ..Retention::default()
    };
    let retained = store.retain(&retention, at(2000)).await.expect("a round");
    assert!((31..=33).contains(&retained.evicted), "{retained:?}");
    let sequences = store.sequences(run(1)).await.expect("sequences");
    assert_eq!(sequences.first(), Some(&(retained.evicted + 1)));
    assert_eq!(sequences.last(), Some(&100));
    let bytes = store.status().await.expect("status").bytes;
    assert!(bytes <= retention.bytes_max, "{bytes}");
}

async fn collectors_may_retain_at_once(database: Database) {
    let (one, other) = (database.open().await, database.open().await);
    fill(&one, 0, 600, 10, 6).await;
    tokio::join!(retain(&one, at(3 * HOUR)), retain(&other, at(3 * HOUR)));
    let runs = one.runs().await.expect("runs");
    assert_eq!((runs[0].batches, runs[0].thinned), (10, 50));
    assert_eq!(other.runs().await.expect("runs"), runs);
}

async fn the_server_drops_old_days_too(database: Database) {
    let store = database.open().await;
    let mut retention = Retention::default();
    for days in [30, 60] {
        retention.coarse = Duration::from_secs(days * 86_400);
        store.retain(&retention, at(0)).await.expect("a round");
        let rules: Vec<String> = database
            .client()
            .rows(
                "SELECT engine_full FROM system.tables
                 WHERE database = currentDatabase() AND name = 'part'",
            )
            .await
            .expect("tables");
        let rule = format!(
            "TTL toDateTime(stored) + toIntervalSecond({}) ",
            days * 86_400
        );
        assert!(rules[0].contains(&rule), "{rules:?}");
    }
}
