//! States and whole batches.

use std::sync::Arc;

use profiler_proto::v1::{self, PartKind};

use super::fixtures::{EVERYTHING, at, batch, run, sequences, state, write_all};
use crate::store::{RunId, Store, StoredBatch, WallTime, Write};

/// `count` batches each 10 s from `at(0)`, the first of each six whole.
pub(super) fn series(run: RunId, count: u64) -> impl Iterator<Item = Write> {
    (1..=count).map(move |sequence| {
        let time = at((sequence.cast_signed() - 1) * 10);
        batch(run, sequence, time, sequence % 6 == 1)
    })
}

pub(super) async fn a_state_is_the_last_whole_batch_and_what_follows(store: Arc<dyn Store>) {
    let writes: Vec<_> = series(run(1), 14).collect();
    write_all(&*store, writes.clone()).await;
    let states = [
        (at(-1), vec![]),
        (at(0), vec![1]),
        (at(9), vec![1]),
        (at(10), vec![1, 2]),
        (at(59), vec![1, 2, 3, 4, 5, 6]),
        (at(60), vec![7]),
        (at(99), vec![7, 8, 9, 10]),
        (at(9999), vec![13, 14]),
    ];
    for (at, expected) in states {
        assert_eq!(state(&*store, &[run(1)], at).await, [expected], "at {at:?}");
    }

    let read = store.states(&[run(1)], at(70), at(-1), &EVERYTHING).await;
    let read = read.expect("states").remove(0);
    for (read, written) in read.iter().zip(&writes[6..8]) {
        assert_same(read, written);
    }
}

/// The batch came back as it was written.
fn assert_same(read: &StoredBatch, written: &Write) {
    let batch = written.batch.as_ref().expect("a batch");
    let time = batch.time.as_ref().expect("a time");
    let nanoseconds = time.seconds * 1_000_000_000 + i64::from(time.nanos);
    let mut parts = batch.parts.clone();
    parts.sort_by_key(|part| part.kind);
    assert_eq!((read.run, read.sequence), (written.run, batch.sequence));
    assert_eq!(read.time, WallTime(nanoseconds));
    assert_eq!(read.boot_nanoseconds, batch.boot_nanoseconds);
    assert_eq!(read.whole, batch.whole);
    assert_eq!(read.parts, parts);
}

pub(super) async fn a_state_ends_before_a_gap(store: Arc<dyn Store>) {
    let gap = |write: &Write| ![3, 7].contains(&write.batch.as_ref().expect("a batch").sequence);
    write_all(&*store, series(run(1), 14).filter(gap)).await;
    assert_eq!(state(&*store, &[run(1)], at(35)).await, [[1, 2]]);
    // The whole batch at 60 s never came: what follows it cannot be read.
    assert_eq!(state(&*store, &[run(1)], at(95)).await, [[1, 2]]);
    assert_eq!(state(&*store, &[run(1)], at(125)).await, [[13]]);
}

pub(super) async fn batches_may_come_in_any_order(store: Arc<dyn Store>) {
    let mut writes: Vec<_> = series(run(1), 12).collect();
    writes.reverse();
    writes.swap(2, 9);
    write_all(&*store, writes).await;
    let last = state(&*store, &[run(1)], at(999)).await;
    assert_eq!(last, [[7, 8, 9, 10, 11, 12]]);
    assert_eq!(state(&*store, &[run(1)], at(25)).await, [[1, 2, 3]]);
}

pub(super) async fn each_run_has_its_own_state(store: Arc<dyn Store>) {
    write_all(&*store, series(run(1), 3)).await;
    write_all(&*store, series(run(2), 8)).await;
    let runs = [run(2), run(9), run(1), run(2)];
    let states = state(&*store, &runs, at(999)).await;
    let expected: [&[u64]; 4] = [&[7, 8], &[], &[1, 2, 3], &[7, 8]];
    assert_eq!(
        states, expected,
        "in the order of the question; run 9 is unknown"
    );
}

pub(super) async fn a_run_without_recent_batches_is_left_out(store: Arc<dyn Store>) {
    write_all(&*store, series(run(1), 3)).await;
    for (not_before, there) in [(at(19), true), (at(20), false), (at(21), false)] {
        let states = store
            .states(&[run(1)], at(60), not_before, &EVERYTHING)
            .await;
        let found = !states.expect("states")[0].is_empty();
        assert_eq!(found, there, "not before {not_before:?}");
    }
}

pub(super) async fn only_the_kinds_asked_for_are_read(store: Arc<dyn Store>) {
    write_all(&*store, series(run(1), 2)).await;
    let of = async |kinds: &[PartKind]| -> Vec<Vec<i32>> {
        let states = store.states(&[run(1)], at(60), at(-1), kinds).await;
        let state = states.expect("states").remove(0);
        let kinds = |batch: &StoredBatch| batch.parts.iter().map(|part| part.kind).collect();
        state.iter().map(kinds).collect()
    };
    let expected: [&[i32]; 2] = [&[], &[]];
    assert_eq!(of(&[]).await, expected);
    assert_eq!(of(&[PartKind::Growth]).await, [[2], [2]]);
    let expected: [&[i32]; 2] = [&[1, 4], &[1]];
    assert_eq!(of(&[PartKind::Status, PartKind::Targets]).await, expected);
    let expected: [&[i32]; 2] = [&[1, 2, 4], &[1, 2]];
    assert_eq!(of(&EVERYTHING).await, expected);
}

pub(super) async fn parts_of_unknown_kinds_are_kept(store: Arc<dyn Store>) {
    let mut write = batch(run(1), 1, at(0), true);
    let unknown = [70_000, -3, 64].map(|kind| v1::Part {
        kind,
        size: 3,
        data: vec![0, 255, kind.unsigned_abs() as u8],
    });
    write.batch.as_mut().expect("a batch").parts.extend(unknown);
    write_all(&*store, [write.clone()]).await;
    let states = store.states(&[run(1)], at(0), at(-1), &EVERYTHING).await;
    assert_same(&states.expect("states")[0][0], &write);
}

pub(super) async fn whole_batches_are_spread_over_the_time(store: Arc<dyn Store>) {
    // Whole ones at 0, 60, 120 ... 540 s.
    write_all(&*store, series(run(1), 60)).await;
    let of = async |from, to, steps| {
        let batches = store
            .whole_batches(run(1), at(from), at(to), steps, &[])
            .await;
        sequences(&batches.expect("whole batches"))
    };
    assert_eq!(
        of(0, 599, 100).await,
        [1, 7, 13, 19, 25, 31, 37, 43, 49, 55]
    );
    assert_eq!(of(60, 120, 100).await, [7, 13], "both ends belong to it");
    assert_eq!(of(0, 599, 1).await, [55], "of each step the last");
    assert_eq!(of(0, 599, 2).await, [25, 55]);
    assert_eq!(of(0, 599, 5).await, [7, 19, 31, 43, 55]);
    assert!(of(61, 119, 5).await.is_empty());
    let backwards = of(120, 60, 5).await;
    assert!(backwards.is_empty(), "the time ends before it begins");
}
