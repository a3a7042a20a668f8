//! OOM kills and changes of verdicts.

use std::{sync::Arc, time::Duration};

use profiler_proto::v1;

use super::fixtures::{at, batch, change, kill, now, run, with_events, write_all};
use crate::store::{
    EventKind, EventPlace, EventsOf, EventsPage, PageMost, Retention, RunId, Store, WallTime, Write,
};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The first so many of them after a place.
async fn read(
    store: &dyn Store,
    of: &EventsOf,
    after: Option<EventPlace>,
    events: u32,
) -> EventsPage {
    let bytes = u64::MAX >> 1;
    let page = store.events(of, after, PageMost { events, bytes }).await;
    page.expect("events")
}

/// Run and number of each event of a kind between two moments.
async fn listed(
    store: &dyn Store,
    kind: EventKind,
    (from, to): (WallTime, WallTime),
    limit: u32,
) -> Vec<(RunId, u64)> {
    let page = read(store, &EventsOf::new(kind, from, to), None, limit).await;
    let keys = page.events.iter().map(|one| (one.run, one.event.number));
    keys.collect()
}

async fn kills(store: &dyn Store) -> Vec<u64> {
    let all = (WallTime(0), WallTime(i64::MAX / 2));
    let listed = listed(store, EventKind::OomKill, all, 100_000).await;
    listed.into_iter().map(|(_, number)| number).collect()
}

pub(super) async fn events_come_back_the_latest_first(store: Arc<dyn Store>) {
    let kills_of = |number, seconds| kill(number, at(seconds), "node");
    let first = with_events(run(1), vec![kills_of(1, 10), change(2, at(15))]);
    let second = with_events(run(2), vec![kills_of(1, 30), kills_of(2, 20)]);
    write_all(&*store, [first, second]).await;
    let kind = EventKind::OomKill;
    let (run_1, run_2) = (run(1), run(2));
    let all = listed(&*store, kind, (at(0), at(99)), 9).await;
    assert_eq!(all, [(run_2, 1), (run_2, 2), (run_1, 1)]);
    let some = listed(&*store, kind, (at(0), at(99)), 2).await;
    assert_eq!(some, [(run_2, 1), (run_2, 2)]);
    let within = listed(&*store, kind, (at(10), at(20)), 9).await;
    assert_eq!(within, [(run_2, 2), (run_1, 1)], "both ends belong to it");
    let changes = listed(&*store, EventKind::VerdictChange, (at(0), at(99)), 9).await;
    assert_eq!(changes, [(run_1, 2)]);
    let read = read(&*store, &EventsOf::new(kind, at(10), at(10)), None, 1).await;
    assert_eq!(read.events[0].event, kills_of(1, 10));
}

fn on(node: &str, mut write: Write) -> Write {
    write.facts.node = node.to_owned();
    write
}

pub(super) async fn pages_of_events_go_on_where_the_last_ended(store: Arc<dyn Store>) {
    // All at one moment, which is for an agent to say.
    for number in 1..=3 {
        let events = (1..=4).map(|event| kill(event, at(5), &"x".repeat(1_000)));
        write_all(&*store, [with_events(run(number), events.collect())]).await;
    }
    let of = EventsOf::new(EventKind::OomKill, at(0), at(9));
    let all = listed(&*store, of.kind, (of.from, of.to), 99).await;
    assert_eq!((all.len(), all[0]), (12, (run(3), 4)));
    let by_count = PageMost {
        events: 5,
        bytes: 1 << 20,
    };
    let by_bytes = PageMost {
        events: 99,
        bytes: 2_500,
    };
    for (most, sizes) in [(by_count, vec![5, 5, 2]), (by_bytes, vec![2; 6])] {
        let (mut after, mut found, mut pages) = (None, Vec::new(), Vec::new());
        loop {
            let page = store.events(&of, after, most).await.expect("a page");
            pages.push(page.events.len());
            found.extend(page.events.iter().map(|one| (one.run, one.event.number)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((found, pages), (all.clone(), sizes), "{most:?}");
    }
    let least = PageMost {
        events: 9,
        bytes: 0,
    };
    let page = store.events(&of, None, least).await.expect("a page");
    assert_eq!(page.events.len(), 1, "the first is there whatever it takes");
}

pub(super) async fn events_are_chosen_and_counted_by_node(store: Arc<dyn Store>) {
    let odd = "it's \\ odd";
    let events = |seconds: &[i64]| {
        let numbered = (1..).zip(seconds);
        numbered
            .map(|(number, at_)| kill(number, at(*at_), "node"))
            .collect()
    };
    let first = on("a", with_events(run(1), events(&[1, 3])));
    let second = on(odd, with_events(run(2), events(&[2])));
    write_all(&*store, [first, second]).await;
    let mut of = EventsOf::new(EventKind::OomKill, at(0), at(9));
    let mut counts = store.count_events(&of).await.expect("counts");
    counts.sort();
    assert_eq!(counts, [("a".to_owned(), 2), (odd.to_owned(), 1)]);
    for (nodes, expected) in [(vec!["a"], 2), (vec![odd], 1), (vec!["b"], 0), (vec![], 0)] {
        of.nodes = Some(nodes.into_iter().map(str::to_owned).collect());
        assert_eq!(read(&*store, &of, None, 9).await.events.len(), expected);
    }
}

pub(super) async fn a_node_with_many_events_takes_none_from_others(store: Arc<dyn Store>) {
    let now = now();
    // Of one node are the oldest ones; the other begins runs at will.
    let old = WallTime(now.0 - 2 * DAY);
    let few = (1..=10).map(|number| kill(number, old, "node")).collect();
    write_all(&*store, [on("quiet", with_events(run(1), few))]).await;
    for number in 2..=6 {
        let many = (1..=100).map(|event| kill(event, now, "node")).collect();
        write_all(&*store, [on("loud", with_events(run(number), many))]).await;
    }
    let small = Retention {
        bytes_max: 100 * 260 * 8,
        ..Retention::default()
    };
    store.retain(&small, now).await.expect("a round");
    let of = EventsOf::new(EventKind::OomKill, WallTime(0), now);
    let counts = store.count_events(&of).await.expect("counts");
    let of_node = |name: &str| counts.iter().find(|one| one.0 == name).map(|one| one.1);
    assert_eq!(of_node("quiet"), Some(10), "{counts:?}");
    let loud = of_node("loud").expect("some are left");
    assert!((50..150).contains(&loud), "{counts:?}");
}

pub(super) async fn a_repeated_event_is_left_as_it_is(store: Arc<dyn Store>) {
    let mut write = batch(run(1), 1, at(0), true);
    write.events = vec![kill(1, at(5), "first")];
    write_all(&*store, [write]).await;
    let mut again = batch(run(1), 1, at(0), true);
    again.events = vec![kill(1, at(6), "second"), kill(2, at(7), "third")];
    let twice = with_events(run(1), vec![kill(2, at(8), "fourth")]);
    let written = store
        .write(vec![again, twice])
        .await
        .expect("it is written");
    assert_eq!((written.stored, written.repeated), (0, 1));
    assert_eq!(written.events, [(run(1), 2)], "only what is new");

    let of = EventsOf::new(EventKind::OomKill, at(0), at(99));
    let read: Vec<_> = read(&*store, &of, None, 9)
        .await
        .events
        .into_iter()
        .map(|one| one.event)
        .collect();
    assert_eq!(read, [kill(2, at(7), "third"), kill(1, at(5), "first")]);
}

pub(super) async fn an_event_that_makes_no_sense_is_refused_with_its_call(store: Arc<dyn Store>) {
    let good = kill(1, at(5), "node");
    let timeless = v1::Event {
        time: None,
        ..good.clone()
    };
    let speechless = v1::Event {
        kind: None,
        ..good.clone()
    };
    let unnumbered = v1::Event {
        number: u64::MAX,
        ..good.clone()
    };
    let large = kill(1, at(5), &"x".repeat(2 << 20));
    for bad in [timeless, speechless, unnumbered, large] {
        let mut write = batch(run(1), 1, at(0), true);
        write.events = vec![good.clone(), bad];
        store.write(vec![write]).await.expect_err("a refusal");
    }
    assert_eq!(store.runs().await.expect("runs"), []);
    assert_eq!(kills(&*store).await, Vec::<u64>::new());
    write_all(&*store, [with_events(run(1), vec![good])]).await;
    assert_eq!(kills(&*store).await, [1], "the store works after a refusal");
}

pub(super) async fn events_stay_when_their_batches_go(store: Arc<dyn Store>) {
    let now = now();
    let ago = |days: i64| WallTime(now.0 - days * DAY);
    let events = [(1, 100), (2, 91), (3, 89), (4, 40), (5, 0)];
    let events = events.map(|(number, days)| kill(number, ago(days), "node"));
    let mut write = batch(run(1), 1, ago(40), true);
    write.events = events.to_vec();
    write_all(&*store, [write]).await;
    assert_eq!(store.status().await.expect("status").events, 5);
    let retained = store.retain(&Retention::default(), now).await;
    let retained = retained.expect("a round");
    assert_eq!((retained.expired, retained.events), (1, 2), "{retained:?}");
    assert_eq!(kills(&*store).await, [5, 4, 3]);
    assert_eq!(store.status().await.expect("status").events, 3);
    let nothing = store.retain(&Retention::default(), now).await;
    assert_eq!(nothing.expect("a round").events, 0);
}

pub(super) async fn the_oldest_events_go_when_there_are_too_many(store: Arc<dyn Store>) {
    let now = now();
    let begin = now.0 - DAY;
    let event = |number: u64| {
        let time = WallTime(begin + number.cast_signed() * SECOND);
        kill(number, time, "node")
    };
    let mut over = 0;
    for numbers in (1..=22_050_u64).collect::<Vec<_>>().chunks(1_000) {
        let events = numbers.iter().map(|number| event(*number));
        let write = with_events(run(1), events.collect());
        let written = store.write(vec![write]).await.expect("it is written");
        over += written.events_over;
    }
    assert_eq!(over, 50, "a run waits for retention to make room for more");
    write_all(&*store, [with_events(run(2), vec![event(1)])]).await;
    let retained = store.retain(&Retention::default(), now).await;
    assert_eq!(retained.expect("a round").events, 2_000);
    let kept = kills(&*store).await;
    assert_eq!(kept.len(), 20_001, "another run's stay, however old");
    assert_eq!(kept[..2], [22_000, 21_999]);
    assert_eq!(kept[19_998..], [2_002, 2_001, 1]);

    // An eighth of this holds about half of them, by what each takes with its place in the indexes.
    let bytes = 20_000 / 2 * 260;
    let small = Retention {
        bytes_max: bytes * 8,
        events: Duration::from_secs(90 * 86_400),
        ..Retention::default()
    };
    let retained = store.retain(&small, now).await.expect("a round");
    let left = kills(&*store).await;
    assert_eq!(retained.events, 20_001 - left.len() as u64);
    assert!(
        (5_000..15_000).contains(&left.len()),
        "{} are left",
        left.len()
    );
    assert_eq!(left[0], 22_000, "the oldest went");
}

pub(super) async fn a_check_counts_events(store: Arc<dyn Store>) {
    let events = vec![kill(1, at(5), "node"), change(2, at(6))];
    write_all(&*store, [with_events(run(1), events)]).await;
    let report = store.check().await.expect("a check");
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.events, 2);
}
