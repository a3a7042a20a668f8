//! Fork, exec, exit, scans, and pids that are used again.

use super::bench::{MS, SINCE, bench, shape, ticks};
use super::fake::Entry;
use super::{Place, SpaceId, State, Step};
use crate::container::Kind;
use crate::ids::BootTime;

#[test]
fn a_scan_takes_in_what_is_there() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("init", 5));
    bench.source.put(
        2,
        Entry {
            kernel_thread: true,
            ..Entry::new("kthreadd", 5)
        },
    );
    bench.source.put(
        9,
        Entry {
            zombie: true,
            ..Entry::new("dead", 5)
        },
    );
    bench.source.put(7, Entry::new("late", ticks(5)));
    let steps = bench.scan(10);
    assert_eq!(
        shape(&steps),
        [
            "new 1",
            "reconcile 1 1 PreExisting",
            "new 2",
            "reconcile 7 2 Unattributed"
        ]
    );
    let init = bench.table.get(1).unwrap();
    assert_eq!((init.namespace_pid, init.uid, init.deleted), (7, 33, true));
    assert_eq!(init.executable, "/usr/bin/init");
    assert_eq!(init.began, BootTime(50_000_000));
    let container = init.container.as_deref().unwrap();
    assert_eq!(
        (container.id.as_str(), container.kind),
        ("test.service", Kind::Systemd)
    );
    assert_eq!(bench.table.iter().count(), 2);
    assert_eq!(bench.table.counts().observed, 2);
    assert_eq!(bench.table.containers(), 0);
    // A second scan finds nothing new.
    assert_eq!(shape(&bench.scan(20)), Vec::<String>::new());
}

#[test]
fn fork_copies_the_space_and_exit_drops_it() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("init", 5));
    bench.scan(0);
    assert_eq!(shape(&bench.fork(1, 10, 5, false)), ["clone 1 2"]);
    let child = bench.table.get(10).unwrap();
    assert_eq!((child.parent, child.name.as_str()), (1, "child"));
    assert_eq!(child.executable, "/usr/bin/init");
    assert_eq!(child.container.as_ref().unwrap().id, "test.service");
    let place = Place::Space {
        process: bench.handle(10),
        space: bench.space(10),
    };
    assert_eq!(bench.locate(10, 6), (place, vec![]));
    assert_eq!(
        shape(&bench.exit(10, 7)),
        ["drop 2", "ended 10 child", "gone 10"]
    );
    assert!(bench.table.get(10).is_none());
    assert_eq!(bench.table.waiting(), 0);
}

#[test]
fn a_thread_is_no_process() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("init", 5));
    bench.scan(0);
    assert!(bench.fork(1, 1, 5, true).is_empty());
    assert_eq!(bench.table.iter().count(), 1);
}

#[test]
fn vfork_shares_the_space_until_exec() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("init", 5));
    bench.scan(0);
    assert!(bench.fork(1, 10, 5, true).is_empty());
    assert_eq!(bench.space(10), bench.space(1));
    let before = bench.handle(10);
    assert_eq!(shape(&bench.exec(10, 6, "ls")), ["ended 10 child", "new 2"]);
    assert_ne!(bench.handle(10), before);
    assert!(bench.table.by_handle(before).is_none());
    assert_ne!(bench.space(10), bench.space(1));
    // The parent's space outlives neither a child that shares it nor the parent alone.
    assert!(bench.fork(1, 11, 7, true).is_empty());
    assert_eq!(shape(&bench.exit(1, 8)), ["ended 1 init", "gone 1"]);
    assert_eq!(
        shape(&bench.exit(11, 9)),
        ["drop 1", "ended 11 child", "gone 11"]
    );
}

#[test]
fn exec_begins_a_new_life_and_is_adopted_later() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("sh", 5));
    bench.scan(0);
    bench.fork(1, 10, 5, false);
    let steps = bench.exec(10, 6, "node");
    assert_eq!(shape(&steps), ["drop 2", "ended 10 child", "new 3"]);
    let Step::Ended(old) = &steps[1] else {
        panic!()
    };
    assert_eq!(old.state, State::Exited);
    let node = bench.table.get(10).unwrap();
    assert_eq!((node.name.as_str(), node.executable.as_str()), ("node", ""));
    bench.source.put(
        10,
        Entry {
            parent: 1,
            ..Entry::new("node", ticks(5))
        },
    );
    let reads = bench.source.reads.get();
    assert!(bench.poll(35).is_empty());
    assert_eq!(
        bench.source.reads.get(),
        reads,
        "nothing is read before it is due"
    );
    assert_eq!(bench.table.next_due(), Some(BootTime(SINCE + 36 * MS)));
    assert_eq!(shape(&bench.poll(36)), ["reconcile 10 3 ExecImage"]);
    assert_eq!(bench.table.get(10).unwrap().executable, "/usr/bin/node");
    assert!(bench.poll(1000).is_empty());
}

#[test]
fn a_short_life_costs_no_reading() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("sh", 5));
    bench.scan(0);
    let reads = bench.source.reads.get();
    for round in 0..100 {
        let ms = 10 + round * 3;
        bench.fork(1, 10, ms, false);
        bench.exec(10, ms + 1, "true");
        bench.exit(10, ms + 2);
        bench.poll(ms + 2);
    }
    assert_eq!(bench.source.reads.get(), reads);
    assert_eq!(bench.table.waiting(), 0);
    assert_eq!(bench.table.iter().count(), 1);
}

#[test]
fn the_first_capture_hastens_the_adoption() {
    let mut bench = bench();
    bench.exec(10, 5, "node");
    bench.source.put(10, Entry::new("node", ticks(5)));
    assert!(bench.poll(6).is_empty());
    bench.table.adopt_soon(10, BootTime(SINCE + 6 * MS));
    assert_eq!(shape(&bench.poll(6)), ["moved", "reconcile 10 1 ExecImage"]);
    bench.table.adopt_soon(10, BootTime(SINCE + 7 * MS));
    assert!(bench.poll(1000).is_empty());
}

#[test]
fn an_operation_of_an_unknown_process_takes_it_in() {
    let mut bench = bench();
    let (place, steps) = bench.locate(10, 5);
    assert_eq!(shape(&steps), ["new 1"]);
    assert!(matches!(
        place,
        Place::Space {
            space: SpaceId(1),
            ..
        }
    ));
    bench.source.put(10, Entry::new("old", 5));
    assert_eq!(
        shape(&bench.poll(5)),
        ["moved", "reconcile 10 1 PreExisting"]
    );
    bench.locate(11, 6);
    bench.source.put(11, Entry::new("new", ticks(3)));
    assert_eq!(shape(&bench.poll(6)), ["reconcile 11 2 Unattributed"]);
    assert_eq!(bench.table.counters().unannounced, 2);
}

#[test]
fn a_process_that_is_gone_before_it_is_read_waits_for_its_exit() {
    let mut bench = bench();
    bench.locate(10, 5);
    assert!(bench.poll(5).is_empty());
    assert_eq!(bench.table.counters().vanished, 1);
    assert_eq!(
        shape(&bench.exit(10, 6)),
        ["drop 1", "ended 10 ", "gone 10"]
    );
    // Half-way through the reading.
    bench.source.put(11, Entry::new("a", ticks(5)));
    bench.source.ends_while_read.set(11);
    bench.locate(11, 7);
    assert!(bench.poll(7).is_empty());
    assert_eq!(bench.table.counters().vanished, 2);
    bench.source.put(
        12,
        Entry {
            zombie: true,
            ..Entry::new("z", ticks(5))
        },
    );
    bench.locate(12, 7);
    assert!(bench.poll(7).is_empty());
    assert_eq!(bench.table.counters().vanished, 3);
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut bench = bench();
    bench.source.put(10, Entry::new("old", 5));
    bench.scan(0);
    let old = bench.handle(10);
    // Its exit was lost; the fork of the new one is seen.
    bench.locate(1, 50);
    let steps = bench.fork(1, 10, 60, false);
    assert_eq!(
        shape(&steps),
        ["drop 1", "ended 10 old", "gone 10", "clone 2 3"]
    );
    assert_ne!(bench.handle(10), old);
    // Its exit and the fork of the next were lost: the scan sees the later start.
    bench.source.put(10, Entry::new("third", ticks(5000)));
    bench.source.put(1, Entry::new("init", 1));
    let steps = shape(&bench.scan(6000));
    assert!(
        steps.starts_with(&[
            "reconcile 1 2 PreExisting".to_owned(),
            "drop 3".to_owned(),
            "ended 10 child".to_owned()
        ]),
        "{steps:?}"
    );
    assert_eq!(bench.table.get(10).unwrap().name, "third");
    assert_eq!(bench.table.counters().reused, 2);
}

#[test]
fn adoption_does_not_mistake_the_next_user_of_the_pid() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("init", 5));
    bench.scan(0);
    bench.fork(1, 10, 5, false);
    bench.source.put(10, Entry::new("next", ticks(2000)));
    assert!(bench.poll(3000).is_empty());
    assert_eq!(bench.table.get(10).unwrap().name, "child");
    assert_eq!(bench.table.counters().vanished, 1);
}

#[test]
fn events_older_than_the_process_are_dropped() {
    let mut bench = bench();
    bench.source.put(10, Entry::new("new", ticks(500)));
    bench.scan(600);
    let handle = bench.handle(10);
    assert_eq!(bench.locate(10, 400), (Place::Nowhere, vec![]));
    assert!(bench.exit(10, 410).is_empty());
    assert!(bench.exec(10, 420, "x").is_empty());
    assert!(bench.fork(1, 10, 430, false).is_empty());
    assert_eq!(bench.handle(10), handle);
    assert_eq!(bench.table.counters().stale_events, 4);
}

#[test]
fn a_fork_event_after_the_scan_that_found_the_child_changes_nothing() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("init", 5));
    bench.source.put(10, Entry::new("child", ticks(100)));
    bench.scan(110);
    let handle = bench.handle(10);
    assert!(bench.fork(1, 10, 103, false).is_empty());
    assert_eq!(bench.handle(10), handle);
}

#[test]
fn a_scan_finds_lost_exits_and_execs() {
    let mut bench = bench();
    bench.source.put(10, Entry::new("gone", 5));
    bench.source.put(11, Entry::new("before", 5));
    bench.scan(0);
    bench.source.remove(10);
    bench.source.change(11, |entry| entry.name = "after");
    let steps = shape(&bench.scan(10));
    assert_eq!(
        steps,
        [
            "drop 2",
            "ended 11 before",
            "gone 11",
            "new 3",
            "reconcile 11 3 PreExisting",
            "drop 1",
            "ended 10 gone",
            "gone 10"
        ]
    );
    let counters = bench.table.counters();
    assert_eq!((counters.missed_exits, counters.missed_execs), (1, 1));
}
