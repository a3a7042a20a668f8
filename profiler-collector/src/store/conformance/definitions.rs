//! Numbers, stacks and frames.

use std::sync::Arc;

use profiler_stream::content;

use super::fixtures::{frame, run, stack, stack_hash, write, write_all};
use crate::store::{NamedStack, StackContent, StackHash, Store, Write};

/// What `stack(_, number, depth)` should read as.
fn named(number: u64, depth: u64) -> NamedStack {
    NamedStack {
        frames: (0..depth)
            .map(|place| frame(number * 1000 + place).1)
            .collect(),
        truncated: number.is_multiple_of(2),
    }
}

pub(super) async fn numbers_stand_for_stacks(store: Arc<dyn Store>) {
    let large = u64::MAX - 1;
    write_all(&*store, [stack(run(1), 1, 3), stack(run(1), 2, 40)]).await;
    let number_alone = Write {
        numbers: vec![(large, stack_hash(1))],
        ..write(run(1))
    };
    write_all(&*store, [number_alone]).await;

    let mut numbers = store
        .numbers(run(1), &[2, 5, large, 1])
        .await
        .expect("numbers");
    numbers.sort_unstable();
    let expected = [
        (1, stack_hash(1)),
        (2, stack_hash(2)),
        (large, stack_hash(1)),
    ];
    assert_eq!(numbers, expected, "5 is unknown");

    let asked = [stack_hash(1), stack_hash(9), stack_hash(2)];
    let mut stacks = store.stacks(&asked).await.expect("stacks");
    stacks.sort_by_key(|(_, stack)| stack.frames.len());
    let expected = [(stack_hash(1), named(1, 3)), (stack_hash(2), named(2, 40))];
    assert_eq!(stacks, expected, "9 is unknown");
}

pub(super) async fn definitions_are_the_same_for_all_runs(store: Arc<dyn Store>) {
    write_all(&*store, [stack(run(1), 1, 3), stack(run(2), 1, 3)]).await;
    // A stack of frames that came with others.
    let shared = Write {
        stacks: vec![(
            stack_hash(77),
            StackContent {
                frames: vec![frame(1001).0, frame(1001).0],
                truncated: true,
            },
        )],
        numbers: vec![(1, stack_hash(77))],
        ..write(run(3))
    };
    write_all(&*store, [shared]).await;

    for (number, hash) in [(1, stack_hash(1)), (2, stack_hash(1)), (3, stack_hash(77))] {
        let numbers = store.numbers(run(number), &[1]).await.expect("numbers");
        assert_eq!(numbers, [(1, hash)], "numbers are the run's own");
    }
    let stacks = store.stacks(&[stack_hash(77)]).await.expect("stacks");
    assert_eq!(stacks[0].1.frames, [frame(1001).1, frame(1001).1]);
    assert!(stacks[0].1.truncated);
    let status = store.status().await.expect("status");
    assert_eq!((status.stacks, status.frames), (2, 3));
}

/// A stack that could not be named in time is empty and truncated; it may come again with frames.
pub(super) async fn a_stack_without_frames_gets_them_later(store: Arc<dyn Store>) {
    // By its content, as ingest makes it: engines know it by that.
    let empty = StackHash(content::stack_hash(&[], true));
    let nameless = |number| Write {
        stacks: vec![(
            empty,
            StackContent {
                frames: Vec::new(),
                truncated: true,
            },
        )],
        numbers: vec![(number, empty)],
        ..write(run(1))
    };
    write_all(&*store, [nameless(1), stack(run(1), 1, 3)]).await;
    write_all(&*store, [stack(run(1), 2, 3), nameless(2)]).await;
    let mut numbers = store.numbers(run(1), &[1, 2]).await.expect("numbers");
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        [(1, stack_hash(1)), (2, stack_hash(2))],
        "frames replace none, and stay"
    );
}
