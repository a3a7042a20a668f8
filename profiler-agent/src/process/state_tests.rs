//! Who is followed and who is not, losses, storms, moves and bounds.

use super::bench::{MS, OWN, SINCE, at, bench, bench_with, shape, spec, ticks};
use super::fake::Entry;
use super::{Place, Policy, SpaceId, State, Step};
use crate::container::Kind;
use crate::event::Origin;
use crate::filter::Filter;
use crate::ids::{BootTime, ProcessHandle};

#[test]
fn threads_of_the_kernel_are_left_out() {
    let mut bench = bench();
    assert!(bench.fork(2, 30, 5, false).is_empty());
    assert!(bench.table.get(30).is_none());
    // A helper that one of them starts becomes known by its exec.
    assert_eq!(shape(&bench.exec(31, 6, "modprobe")), ["new 1"]);
    bench.fork(30, 32, 7, false);
    bench.source.put(
        32,
        Entry {
            kernel_thread: true,
            ..Entry::new("kworker", ticks(7))
        },
    );
    assert_eq!(
        shape(&bench.poll(1000)),
        ["drop 2", "ended 32 child", "gone 32"]
    );
}

#[test]
fn a_32_bit_process_is_counted_as_unsupported() {
    let mut bench = bench();
    bench.exec(10, 5, "old32");
    bench.source.put(
        10,
        Entry {
            narrow: true,
            ..Entry::new("old32", ticks(5))
        },
    );
    assert_eq!(
        shape(&bench.poll(100)),
        ["moved", "drop 1", "policy 10 Ignore"]
    );
    assert_eq!(bench.state(10), State::Unsupported);
    assert_eq!(bench.locate(10, 101).0, Place::Nowhere);
    assert!(
        bench.fork(10, 11, 102, false)
            == [Step::SetPolicy {
                pid: 11,
                policy: Policy::Ignore
            }]
    );
    assert_eq!(bench.state(11), State::Unsupported);
    assert_eq!(bench.table.counts().unsupported, 2);
    assert_eq!(bench.table.counters().unsupported, 2);
    // A 64-bit program in its place is observed.
    assert_eq!(
        shape(&bench.exec(10, 103, "new64")),
        ["ended 10 old32", "new 2", "policy 10 Observe"]
    );
}

#[test]
fn the_agent_and_what_it_starts_are_never_observed() {
    let mut bench = bench();
    bench
        .source
        .put(OWN, Entry::new("profiler-agent", ticks(0)));
    bench.source.put(
        499,
        Entry {
            parent: OWN,
            ..Entry::new("helper", ticks(1))
        },
    );
    let steps = shape(&bench.scan(10));
    assert_eq!(steps, ["policy 499 Ignore", "policy 500 Ignore"]);
    assert_eq!(
        shape(&bench.fork(OWN, 600, 11, false)),
        ["policy 600 Ignore"]
    );
    assert_eq!(shape(&bench.exec(600, 12, "worker")), ["ended 600 child"]);
    assert_eq!(
        shape(&bench.fork(600, 601, 13, true)),
        ["policy 601 Ignore"]
    );
    bench.table.set_filter(Filter::default(), &mut Vec::new());
    for pid in [OWN, 499, 600, 601] {
        assert_eq!(bench.state(pid), State::Ignored, "{pid}");
    }
}

#[test]
fn a_new_filter_decides_anew() {
    let mut bench = bench_with(|_| {}, &["node"]);
    bench.source.put(10, Entry::new("node", 5));
    bench.source.put(11, Entry::new("redis", 5));
    let steps = shape(&bench.scan(0));
    assert_eq!(
        steps,
        ["policy 10 Ignore", "new 1", "reconcile 11 1 PreExisting"]
    );
    let mut steps = Vec::new();
    let filter = Filter::new(&spec(&["redis"])).unwrap();
    bench.table.set_filter(filter, &mut steps);
    assert_eq!(
        shape(&steps),
        [
            "new 2",
            "policy 10 Observe",
            "reconcile 10 2 PreExisting",
            "drop 1",
            "policy 11 Ignore"
        ]
    );
    assert_eq!(bench.state(10), State::Stale);
    bench.table.reconciled(bench.handle(10));
    assert_eq!(
        (bench.state(10), bench.state(11)),
        (State::Observed, State::Ignored)
    );
    // The children of what is left out are left out too, and so is an exec into it.
    assert_eq!(
        shape(&bench.exec(10, 5, "redis")),
        ["drop 2", "ended 10 node", "policy 10 Ignore"]
    );
}

#[test]
fn who_shares_memory_is_not_left_out_alone() {
    let mut bench = bench_with(|_| {}, &["child"]);
    bench.source.put(1, Entry::new("init", 5));
    bench.scan(0);
    bench.fork(1, 10, 5, true);
    bench.source.put(10, Entry::new("child", ticks(5)));
    assert!(bench.poll(100).is_empty());
    assert_eq!(bench.space(10), bench.space(1));
}

#[test]
fn losses_and_storms() {
    let mut bench = bench();
    bench.source.put(1, Entry::new("init", 5));
    bench.scan(0);
    bench.table.mark_stale(1, BootTime(SINCE + 20 * MS));
    bench.table.mark_stale(1, BootTime(SINCE + 30 * MS));
    assert_eq!(bench.state(1), State::Stale);
    // A copy lacks what the original lacks.
    bench.fork(1, 10, 5, false);
    assert_eq!(bench.state(10), State::Stale);
    assert_eq!(shape(&bench.poll(20)), ["reconcile 1 1 Unattributed"]);
    // Lost again before the ledger was in line: it stays stale.
    bench.table.mark_stale(1, BootTime(SINCE + 40 * MS));
    bench.table.reconciled(bench.handle(1));
    assert_eq!(bench.state(1), State::Stale);
    assert_eq!(
        shape(&bench.poll(40)),
        ["reconcile 1 1 Unattributed"],
        "the child is gone from /proc"
    );
    bench.table.reconciled(bench.handle(1));
    assert_eq!(bench.state(1), State::Observed);

    let mut steps = Vec::new();
    bench.table.start_counting(1, &mut steps);
    bench.table.start_counting(1, &mut steps);
    bench.table.mark_all_stale(BootTime(SINCE + 50 * MS));
    assert_eq!(bench.state(1), State::Counting);
    bench.poll(60);
    bench
        .table
        .stop_counting(1, BootTime(SINCE + 70 * MS), &mut steps);
    bench
        .table
        .stop_counting(1, BootTime(SINCE + 70 * MS), &mut steps);
    assert_eq!(shape(&steps), ["policy 1 Count", "policy 1 Observe"]);
    assert_eq!(shape(&bench.poll(70)), ["reconcile 1 1 Unattributed"]);
}

#[test]
fn a_process_that_changes_its_cgroup_changes_its_container() {
    let mut bench = bench();
    let docker = format!("/docker/{}", "ab".repeat(32));
    bench.source.inodes.borrow_mut().insert(docker.clone(), 88);
    bench.source.put(1, Entry::new("runc", 5));
    bench.scan(0);
    bench.source.change(1, |entry| entry.cgroup = docker);
    let mut steps = Vec::new();
    let moved = Origin {
        cgroup: 88,
        ..at(1, 10)
    };
    bench.table.locate(&moved, &mut steps);
    assert!(steps.is_empty());
    assert_eq!(shape(&bench.poll(40)), ["moved"]);
    assert_eq!(
        bench.table.get(1).unwrap().container.as_ref().unwrap().kind,
        Kind::Docker
    );
    assert_eq!(bench.table.containers(), 1);
    // Events from before the move, read late, don't move it back.
    bench.locate(1, 9);
    assert_eq!(bench.table.get(1).unwrap().cgroup, 88);
    // Back, to a cgroup that is known: at once.
    let (_, steps) = bench.locate(1, 50);
    assert_eq!(shape(&steps), ["moved"]);
    assert_eq!(
        bench.table.get(1).unwrap().container.as_ref().unwrap().id,
        "test.service"
    );
}

#[test]
fn the_table_is_bounded() {
    let mut bench = bench_with(|settings| settings.processes_max = 3, &[]);
    for pid in 10..20 {
        bench.locate(pid, u64::from(pid));
    }
    assert_eq!(bench.table.iter().count(), 3);
    assert_eq!(bench.table.waiting(), 3);
    assert_eq!(bench.table.counters().table_full, 7);
    assert_eq!(bench.locate(19, 30).0, Place::Nowhere);
    assert!(bench.fork(10, 21, 31, false).is_empty());
    assert!(bench.exec(22, 32, "x").is_empty());
    // An exec needs no further place, an exit makes one.
    assert_eq!(shape(&bench.exec(10, 33, "x")).last().unwrap(), "new 4");
    bench.exit(10, 34);
    assert_eq!(shape(&bench.fork(11, 23, 35, false)), ["clone 2 5"]);
}

#[test]
fn handles_in_use_are_passed_over_when_numbers_come_round() {
    let mut bench = bench();
    bench.locate(10, 1);
    assert_eq!(bench.handle(10), ProcessHandle(1));
    bench.table.next_handle = u32::MAX;
    bench.table.next_space = u32::MAX;
    for pid in 11..14 {
        bench.locate(pid, 2);
    }
    assert_eq!(bench.handle(13), ProcessHandle(2));
    assert_eq!(bench.space(13), SpaceId(2));
}

#[test]
fn a_policy_is_told_once_and_only_where_it_differs() {
    let mut bench = bench_with(|settings| settings.default_policy = Policy::Ignore, &["sh"]);
    bench.source.put(1, Entry::new("sh", 5));
    bench.source.put(3, Entry::new("node", 5));
    assert_eq!(
        shape(&bench.scan(0)),
        ["new 1", "policy 3 Observe", "reconcile 3 1 PreExisting"]
    );
    assert_eq!(
        shape(&bench.fork(3, 10, 5, false)),
        ["clone 1 2", "policy 10 Observe"]
    );
    assert_eq!(shape(&bench.fork(3, 11, 5, true)), ["policy 11 Observe"]);
    assert_eq!(
        Policy::Count.to_abi(),
        profiler_common::config::POLICY_COUNT
    );
}
