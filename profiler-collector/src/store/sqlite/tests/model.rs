//! States against a model that looks at all batches.

use proptest::{collection::vec, prelude::*, test_runner::Config};

use super::Place;
use crate::store::{
    Store as _, WallTime,
    conformance::fixtures::{EVERYTHING, at, batch, run, sequences},
};

/// Sequence, seconds, whole.
type Made = (u64, i64, bool);

/// What `Store::states` says of one run.
fn model(made: &[Made], at: i64, not_before: i64) -> Vec<u64> {
    if !made
        .iter()
        .any(|(_, time, _)| not_before < *time && *time <= at)
    {
        return Vec::new();
    }
    let whole = made.iter().filter(|(_, time, whole)| *whole && *time <= at);
    let Some((first, ..)) = whole.max_by_key(|(sequence, ..)| *sequence) else {
        return Vec::new();
    };
    let next = |sequence: &u64| {
        let next = made.iter().find(|(next, ..)| *next == sequence + 1)?;
        (!next.2 && next.1 <= at).then_some(next.0)
    };
    std::iter::successors(Some(*first), next).collect()
}

/// Batches in the order in which they come: some are missing, and clocks may go back.
fn arrivals() -> impl Strategy<Value = Vec<Made>> {
    let one = (
        -2_i64..12,
        proptest::bool::weighted(0.25),
        proptest::bool::weighted(0.9),
    );
    let all = vec(one, 1..40).prop_map(|steps| {
        let mut time = 0;
        let mut made = Vec::new();
        for (sequence, (step, whole, comes)) in (1..).zip(steps) {
            time += step;
            if comes {
                made.push((sequence, time, whole));
            }
        }
        made
    });
    all.prop_shuffle()
}

proptest! {
    #![proptest_config(Config { cases: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn states_are_those_of_the_model(
        first in arrivals(),
        second in arrivals(),
        moments in vec((-5_i64..250, 0_i64..100), 20),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let place = Place::new();
            let writes = [(1, &first), (2, &second)].map(|(number, made)| {
                made.iter().map(move |(sequence, time, whole)| batch(run(number), *sequence, at(*time), *whole))
            });
            let writes = writes.into_iter().flatten().collect();
            place.store.write(writes).await.expect("it is written");
            for (moment, back) in moments {
                let not_before = WallTime(at(moment - back).0);
                let states = place
                    .store
                    .states(&[run(2), run(1)], at(moment), not_before, &EVERYTHING)
                    .await
                    .expect("states");
                let found: Vec<_> = states.iter().map(|state| sequences(state)).collect();
                let expected = [&second, &first].map(|made| model(made, moment, moment - back));
                assert_eq!(found, expected, "at {moment}, not before {}", moment - back);
            }
        });
    }
}
