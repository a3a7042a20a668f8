//! Writes and runs.

use std::sync::Arc;

use super::fixtures::{EVERYTHING, at, batch, facts, run, state, write, write_all};
use crate::store::{RunFacts, StackHash, Store, WallTime, Write, Written};

pub(super) async fn a_repeated_batch_is_left_as_it_is(store: Arc<dyn Store>) {
    let first = write_all(&*store, [batch(run(1), 1, at(0), true)]).await;
    assert_eq!((first.stored, first.repeated), (1, 0));
    let before = store.states(&[run(1)], at(9), at(-9), &EVERYTHING).await;

    let other = vec![
        batch(run(1), 1, at(5), false),
        batch(run(1), 2, at(6), false),
    ];
    let second = store.write(other).await.expect("it is written");
    assert_eq!(
        second,
        Written {
            stored: 1,
            repeated: 1,
            ..Written::default()
        }
    );

    let after = store.states(&[run(1)], at(5), at(-9), &EVERYTHING).await;
    assert_eq!(before.expect("states"), after.expect("states"));
    assert_eq!(store.sequences(run(1)).await.expect("sequences"), [1, 2]);
    assert_eq!(store.runs().await.expect("runs")[0].batches, 2);
}

pub(super) async fn a_call_is_kept_as_a_whole_or_not_at_all(store: Arc<dyn Store>) {
    let mut without_time = batch(run(1), 3, at(20), false);
    without_time.batch.as_mut().expect("a batch").time = None;
    let bad = vec![
        batch(run(1), 1, at(0), true),
        batch(run(1), 2, at(10), false),
        without_time,
    ];
    store.write(bad).await.expect_err("a batch without a time");
    assert_eq!(store.runs().await.expect("runs"), []);
    let sequences = store.sequences(run(1)).await.expect("sequences");
    assert_eq!(sequences, Vec::<u64>::new());

    let good = write_all(&*store, [batch(run(1), 1, at(0), true)]).await;
    assert_eq!(good.stored, 1, "the store works after a refusal");
}

pub(super) async fn runs_are_listed_by_node_and_start(store: Arc<dyn Store>) {
    let of = |node: &str, number: u8, started: WallTime| Write {
        facts: RunFacts {
            started,
            ..facts(node)
        },
        ..batch(run(number), 1, at(100), true)
    };
    let writes = [of("b", 1, at(0)), of("a", 2, at(50)), of("a", 3, at(10))];
    write_all(&*store, writes).await;
    write_all(&*store, [write(run(4))]).await;

    let runs = store.runs().await.expect("runs");
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    assert_eq!(ids, [run(3), run(2), run(1)], "run 4 has no batches");
}

pub(super) async fn facts_come_back_as_they_were_given(store: Arc<dyn Store>) {
    let batches = [
        batch(run(1), 4, at(40), true),
        batch(run(1), 9, at(90), true),
        batch(run(1), 2, at(20), true),
    ];
    write_all(&*store, batches).await;
    let runs = store.runs().await.expect("runs");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].id, run(1));
    assert_eq!(runs[0].facts, facts("node-1"));
    assert_eq!((runs[0].first, runs[0].last), (at(20), at(90)));
    assert_eq!((runs[0].batches, runs[0].thinned), (3, 0));
    assert_eq!(runs[0].last_sequence, 9);
}

pub(super) async fn many_writers_at_once_lose_and_repeat_nothing(store: Arc<dyn Store>) {
    const BATCHES: u64 = 50;
    let writers: Vec<_> = (1..=8)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for sequence in 1..=BATCHES {
                    let time = at(i64::from(writer) + 10 * sequence.cast_signed());
                    let whole = sequence % 6 == 1;
                    write_all(&*store, [batch(run(writer), sequence, time, whole)]).await;
                    // Two of the writers are the same agent, which sends twice.
                    write_all(&*store, [batch(run(100), sequence, time, whole)]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    let all: Vec<u64> = (1..=BATCHES).collect();
    for writer in (1..=8).chain([100]) {
        assert_eq!(store.sequences(run(writer)).await.expect("sequences"), all);
    }
    let last = state(&*store, &[run(1)], at(10_000)).await;
    assert_eq!(last, [vec![49, 50]]);
    let unknown = store.numbers(run(1), &[1]).await.expect("numbers");
    assert_eq!(unknown, Vec::<(u64, StackHash)>::new());
}
