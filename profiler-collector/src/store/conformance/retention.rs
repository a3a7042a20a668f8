//! Retention.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::fixtures::{
    EVERYTHING, batch, now, run, sequences, stack, stack_hash, state, write_all,
};
use crate::store::{Retention, Store, WallTime, Write};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// So long before `now`.
fn ago(now: WallTime, age: i64) -> WallTime {
    WallTime(now.0 - age)
}

/// A batch as it is written: its sequence, its time, and whether it is whole.
type Made = (u64, WallTime, bool);

/// `count` batches from `begin` on, `every` so long, one of six whole, numbered from `first` on.
fn series(begin: WallTime, every: i64, count: u64, first: u64) -> impl Iterator<Item = Made> {
    (0..count).map(move |place| {
        let time = WallTime(begin.0 + every * place.cast_signed());
        (first + place, time, place % 6 == 0)
    })
}

async fn write_series(store: &dyn Store, number: u8, made: &[Made]) {
    for some in made.chunks(500) {
        let writes = some
            .iter()
            .map(|(sequence, time, whole)| batch(run(number), *sequence, *time, *whole));
        store.write(writes.collect()).await.expect("it is written");
    }
}

/// The last whole one of each step.
fn last_of_steps(made: &[Made], step: i64) -> BTreeSet<u64> {
    let whole = made.iter().filter(|(_, _, whole)| *whole);
    let steps: BTreeMap<i64, u64> = whole
        .map(|(sequence, time, _)| (time.0.div_euclid(step), *sequence))
        .collect();
    steps.into_values().collect()
}

pub(super) async fn old_batches_are_thinned_out_by_age(store: Arc<dyn Store>) {
    let now = now();
    // Age at its beginning, from batch to batch, how many, and the step of which one stays
    // (0: all stay, -1: none).
    let table = [
        (33 * DAY, 10 * MINUTE, 144, -1),
        (20 * DAY, 5 * MINUTE, 576, 180 * MINUTE),
        (4 * DAY, 20 * SECOND, 1000, 15 * MINUTE),
        (13 * HOUR, 10 * SECOND, 720, MINUTE),
        (6 * HOUR, 5 * SECOND, 720, MINUTE),
        (90 * MINUTE, 10 * SECOND, 180, 0),
        (10 * MINUTE, 10 * SECOND, 30, 0),
    ];
    let mut first = 1;
    let (mut all, mut expected) = (Vec::new(), BTreeSet::new());
    let (mut old, mut thinned) = (0, 0);
    for (age, every, count, step) in table {
        let made: Vec<_> = series(ago(now, age), every, count, first).collect();
        first += count;
        let stay = match step {
            0 => made.iter().map(|(sequence, ..)| *sequence).collect(),
            -1 => BTreeSet::new(),
            step => last_of_steps(&made, step),
        };
        match step {
            -1 => old += count,
            _ => thinned += count - stay.len() as u64,
        }
        expected.extend(stay);
        all.extend(made);
    }
    write_series(&*store, 1, &all).await;

    let retained = store
        .retain(&Retention::default(), now)
        .await
        .expect("a round");
    let kept = store.sequences(run(1)).await.expect("sequences");
    assert_eq!(kept, expected.iter().copied().collect::<Vec<_>>());
    assert_eq!(
        (retained.expired, retained.thinned, retained.evicted),
        (old, thinned, 0)
    );
    let facts = &store.runs().await.expect("runs")[0];
    assert_eq!(
        (facts.batches, facts.thinned),
        (kept.len() as u64, old + thinned)
    );
    assert_eq!(facts.last_sequence, all.len() as u64);

    let again = store
        .retain(&Retention::default(), now)
        .await
        .expect("a round");
    assert_eq!((again.expired, again.thinned, again.evicted), (0, 0, 0));
}

pub(super) async fn what_is_young_can_be_read_after_thinning(store: Arc<dyn Store>) {
    let now = now();
    // The tier of all batches begins amid a chain, wherever `now` is in its minute.
    let made: Vec<_> = series(ago(now, 3 * HOUR), 13 * SECOND, 800, 1).collect();
    write_series(&*store, 1, &made).await;
    let begin = ago(now, 2 * HOUR);
    let moments: Vec<_> = (0..90)
        .map(|step| WallTime(begin.0 + step * 80 * SECOND))
        .collect();
    let mut before = Vec::new();
    for moment in &moments {
        before.push(state(&*store, &[run(1)], *moment).await);
    }
    let retained = store
        .retain(&Retention::default(), now)
        .await
        .expect("a round");
    assert!(retained.thinned > 100, "{retained:?}");
    for (moment, before) in moments.iter().zip(before) {
        assert_eq!(state(&*store, &[run(1)], *moment).await, before);
    }
    let chains = state(&*store, &[run(1)], ago(now, 150 * MINUTE)).await;
    assert_eq!(chains[0].len(), 1, "an older state is a whole batch alone");
}

pub(super) async fn a_run_that_is_too_old_goes_with_its_definitions(store: Arc<dyn Store>) {
    let now = now();
    write_all(&*store, [stack(run(1), 1, 5), stack(run(2), 2, 5)]).await;
    write_all(
        &*store,
        [
            batch(run(1), 1, ago(now, HOUR), true),
            batch(run(2), 1, now, true),
        ],
    )
    .await;
    // In 30 days run 2 is all that can still be asked for.
    let later = WallTime(now.0 + 30 * DAY);
    let retained = store
        .retain(&Retention::default(), WallTime(later.0 - MINUTE))
        .await;
    let retained = retained.expect("a round");
    assert_eq!(retained.expired, 1, "{retained:?}");

    let runs = store.runs().await.expect("runs");
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [run(2)]);
    let stacks = store
        .stacks(&[stack_hash(1), stack_hash(2)])
        .await
        .expect("stacks");
    assert!(stacks.iter().any(|(hash, _)| *hash == stack_hash(2)));
    // An engine may take its time with definitions, but it says what it took.
    let status = store.status().await.expect("status");
    let left = status.stacks + status.frames;
    assert!(
        retained.definitions >= 12 - left,
        "{retained:?}, {status:?}"
    );
}

/// A batch of about 10 KB that cannot be compressed further.
fn large(sequence: u64, time: WallTime) -> Write {
    let mut write = batch(run(1), sequence, time, sequence % 6 == 1);
    let mut state = sequence;
    let noise = (0..10_000).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    });
    let part = profiler_proto::v1::Part {
        kind: 99,
        size: 10_000,
        data: noise.collect(),
    };
    write.batch.as_mut().expect("a batch").parts.push(part);
    write
}

pub(super) async fn the_oldest_go_when_the_store_is_full(store: Arc<dyn Store>) {
    let now = now();
    let begin = ago(now, HOUR).0;
    let writes = (1..=300).map(|sequence| {
        large(
            sequence,
            WallTime(begin + 10 * SECOND * sequence.cast_signed()),
        )
    });
    store.write(writes.collect()).await.expect("it is written");
    let bytes = store.status().await.expect("status").bytes;
    let retention = Retention {
        bytes_max: bytes / 2,
        coarse: Duration::from_secs(30 * 86400),
        ..Retention::default()
    };
    let retained = store.retain(&retention, now).await.expect("a round");
    let kept = store.sequences(run(1)).await.expect("sequences");
    assert_eq!(retained.evicted, 300 - kept.len() as u64, "{retained:?}");
    assert!((50..250).contains(&kept.len()), "{} are left", kept.len());
    assert_eq!(kept, (kept[0]..=300).collect::<Vec<_>>(), "the oldest went");
    assert_eq!(kept[0] % 6, 1, "it begins with a whole one");
    assert_eq!(
        store.runs().await.expect("runs")[0].thinned,
        retained.evicted
    );
}

pub(super) async fn writers_go_on_while_old_batches_go(store: Arc<dyn Store>) {
    let now = now();
    let made: Vec<_> = series(ago(now, 20 * HOUR), 20 * SECOND, 3000, 1).collect();
    write_series(&*store, 1, &made).await;
    let retaining = Arc::clone(&store);
    let round = tokio::spawn(async move { retaining.retain(&Retention::default(), now).await });
    for sequence in 1..=40 {
        write_all(&*store, [batch(run(2), sequence, now, true)]).await;
    }
    let retained = round.await.expect("the round").expect("a round");
    assert!(retained.thinned > 2000, "{retained:?}");
    let states = store.states(&[run(2)], now, ago(now, 1), &EVERYTHING).await;
    assert_eq!(sequences(&states.expect("states")[0]), [40]);
}
