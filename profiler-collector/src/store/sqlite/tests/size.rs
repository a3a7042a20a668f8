//! The file's size, and how long writers wait.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::Place;
use crate::store::{
    Retention, Store as _, WallTime, Write,
    conformance::fixtures::{batch, now, run, stack, write_all},
};

const SECOND: i64 = 1_000_000_000;

/// A batch with a part of 10,000 bytes.
fn large(number: u8, sequence: u64, time: WallTime) -> Write {
    let mut write = batch(run(number), sequence, time, sequence % 6 == 1);
    write.batch.as_mut().expect("a batch").parts[0].data = vec![7; 10_000];
    write
}

#[tokio::test]
async fn the_file_shrinks_when_batches_go() {
    let place = Place::new();
    let now = now();
    for sequence in 1..=400 {
        let time = WallTime(now.0 - 5000 * SECOND + 10 * SECOND * sequence);
        let write = large(1, sequence.cast_unsigned(), time);
        place.store.write(vec![write]).await.expect("it is written");
    }
    let before = place.store.status().await.expect("status").bytes;
    assert!(before > 4_000_000, "{before}");
    let retention = Retention {
        bytes_max: 1_000_000,
        ..Retention::default()
    };
    let retained = place.store.retain(&retention, now).await.expect("a round");
    assert!(
        retained.evicted > 250 && retained.evicted < 350,
        "{retained:?}"
    );
    let after = place.store.status().await.expect("status").bytes;
    assert!(after <= 1_000_000, "{after} of {before}");
    let on_disk = std::fs::metadata(place.file("store.db")).expect("the file");
    assert_eq!(on_disk.len(), after);

    // The largest sequence number is known even when all batches are gone and some come again.
    let nothing = Retention {
        bytes_max: 0,
        ..retention
    };
    place.store.retain(&nothing, now).await.expect("a round");
    assert_eq!(place.store.runs().await.expect("runs"), []);
    write_all(&place.store, [large(1, 401, now)]).await;
    let runs = place.store.runs().await.expect("runs");
    assert_eq!((runs[0].batches, runs[0].thinned), (1, 400));
}

#[tokio::test]
async fn definitions_in_use_stay_and_others_go() {
    const DAY: i64 = 86_400 * SECOND;
    let place = Place::new();
    let now = now();
    write_all(&place.store, [stack(run(1), 1, 5), stack(run(2), 2, 7)]).await;
    write_all(&place.store, [batch(run(1), 1, now, true)]).await;
    let future = batch(run(2), 1, WallTime(now.0 + 20 * DAY), true);
    write_all(&place.store, [future]).await;
    // 20 days on: run 1 has gone, run 2 is still there.
    let retention = Retention {
        coarse: Duration::from_secs(10 * 86_400),
        ..Retention::default()
    };
    let later = WallTime(now.0 + 20 * DAY);
    let retained = place
        .store
        .retain(&retention, later)
        .await
        .expect("a round");
    assert_eq!(retained.expired, 1);
    assert_eq!(
        retained.definitions,
        1 + 1 + 5,
        "a number, a stack and its frames"
    );
    let status = place.store.status().await.expect("status");
    assert_eq!((status.runs, status.stacks, status.frames), (1, 1, 7));
    assert_eq!(
        place
            .store
            .numbers(run(2), &[2])
            .await
            .expect("numbers")
            .len(),
        1
    );
    let report = place.store.check().await.expect("a check");
    assert_eq!(report.problems, Vec::<String>::new());
}

#[tokio::test]
async fn batches_from_a_clock_that_is_ahead_age_too() {
    const DAY: i64 = 86_400 * SECOND;
    let place = Place::new();
    let now = now();
    let ahead = WallTime(now.0 + 3650 * DAY);
    write_all(&place.store, [batch(run(1), 1, ahead, true)]).await;
    for (days, expired) in [(29, 0), (31, 1)] {
        let later = WallTime(now.0 + days * DAY);
        let retained = place.store.retain(&Retention::default(), later).await;
        assert_eq!(
            retained.expect("a round").expired,
            expired,
            "after {days} days"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_do_not_wait_for_retention() {
    let place = Place::new();
    let store = Arc::new(place.store);
    let now = now();
    let begin = now.0 - 20 * 3600 * SECOND;
    for hundred in 0..40 {
        let writes = (1..=100).map(|place| {
            let sequence = hundred * 100 + place;
            large(
                1,
                sequence,
                WallTime(begin + 10 * SECOND * sequence.cast_signed()),
            )
        });
        store.write(writes.collect()).await.expect("it is written");
    }
    let retaining = Arc::clone(&store);
    let round = tokio::spawn(async move { retaining.retain(&Retention::default(), now).await });
    let mut waits = Vec::new();
    for sequence in 1.. {
        if round.is_finished() {
            break;
        }
        let begun = Instant::now();
        write_all(&*store, [large(2, sequence, now)]).await;
        waits.push(begun.elapsed());
    }
    let retained = round.await.expect("the round").expect("a round");
    assert!(retained.thinned > 3000, "{retained:?}");
    waits.sort_unstable();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{} writes during the round: {median:?}, at most {longest:?}",
        waits.len()
    );
    assert!(median < Duration::from_millis(250), "{median:?}");
}
