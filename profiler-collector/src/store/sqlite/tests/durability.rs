//! What has been acknowledged is there.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::Connection;

use super::Place;
use crate::store::{
    Store as _, StoreError,
    conformance::fixtures::{at, batch, run, stack, state, write_all},
    sqlite::SqliteStore,
};

/// Writes batches to run `number` until it fails or is stopped; how many were acknowledged.
async fn write_on(store: Arc<SqliteStore>, number: u8, acknowledged: Arc<AtomicU64>) {
    for sequence in 1..=100_000_u64 {
        let time = at(sequence.cast_signed());
        let write = batch(run(number), sequence, time, sequence % 6 == 1);
        if store.write(vec![write]).await.is_err() {
            return;
        }
        acknowledged.store(sequence, Ordering::Release);
    }
}

/// What a crash would leave: the file and its log as they are at one moment. A reader keeps the log
/// from being used anew meanwhile.
fn crash_image(from: &Path, to: &Path) {
    let reader = Connection::open(from).expect("the file");
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM run;")
        .expect("a moment");
    fs::copy(from, to).expect("the file");
    let log = |path: &Path| path.with_extension("db-wal");
    fs::copy(log(from), log(to)).expect("the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let place = Place::new();
    let (from, to) = (place.file("store.db"), place.file("crashed.db"));
    let store = Arc::new(place.store);
    let acknowledged: Vec<_> = (0..4).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let writers: Vec<_> = (1..)
        .zip(&acknowledged)
        .map(|(number, count)| {
            tokio::spawn(write_on(Arc::clone(&store), number, Arc::clone(count)))
        })
        .collect();

    for round in 1..=5 {
        let enough = |count: &Arc<AtomicU64>| count.load(Ordering::Acquire) >= round * 15;
        while !acknowledged.iter().all(enough) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let counts: Vec<_> = acknowledged
            .iter()
            .map(|count| count.load(Ordering::Acquire))
            .collect();
        crash_image(&from, &to);
        let copy = SqliteStore::open(&to).expect("the copy");
        for (number, count) in (1..).zip(counts) {
            let kept = copy.sequences(run(number)).await.expect("sequences");
            assert!(kept.len() as u64 >= count, "{} of {count}", kept.len());
            assert_eq!(kept, (1..=kept.len() as u64).collect::<Vec<_>>());
        }
        let report = copy.check().await.expect("a check");
        assert_eq!(report.problems, Vec::<String>::new());
    }
    for writer in writers {
        writer.abort();
    }
}

#[tokio::test]
async fn a_closed_store_opens_with_all_it_had() {
    let place = Place::new();
    write_all(
        &place.store,
        [stack(run(1), 1, 3), batch(run(1), 1, at(0), true)],
    )
    .await;
    let runs = place.store.runs().await.expect("runs");
    drop(place.store);
    let store = SqliteStore::open(&place.directory.path().join("store.db")).expect("a store");
    assert_eq!(store.runs().await.expect("runs"), runs);
    assert_eq!(store.numbers(run(1), &[1]).await.expect("numbers").len(), 1);
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing_half_written() {
    let place = Place::new();
    write_all(&place.store, [batch(run(1), 1, at(0), true)]).await;
    let limit = async |pages: i64| {
        let set = place.store.writer.run(move |db| {
            Ok(db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
        });
        set.await.expect("a pragma");
    };
    limit(1).await;

    let mut large = batch(run(1), 2, at(10), false);
    let parts = &mut large.batch.as_mut().expect("a batch").parts;
    parts[0].data = vec![7; 1 << 20];
    let writes = vec![
        stack(run(2), 1, 9),
        batch(run(2), 1, at(0), true),
        large.clone(),
    ];
    let error = place
        .store
        .write(writes.clone())
        .await
        .expect_err("no room");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(place.store.runs().await.expect("runs").len(), 1);
    assert_eq!(place.store.status().await.expect("status").frames, 0);
    assert_eq!(
        state(&place.store, &[run(1)], at(99)).await,
        [[1]],
        "reading goes on"
    );

    limit(1_000_000).await;
    let written = place.store.write(writes).await.expect("there is room");
    assert_eq!(written.stored, 2);
    assert_eq!(state(&place.store, &[run(1)], at(99)).await, [[1, 2]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_while_the_store_is_written() {
    let place = Place::new();
    let to = place.file("backup.db");
    let store = Arc::new(place.store);
    let count = Arc::new(AtomicU64::new(0));
    let writer = tokio::spawn(write_on(Arc::clone(&store), 1, Arc::clone(&count)));
    while count.load(Ordering::Acquire) < 20 {
        tokio::task::yield_now().await;
    }
    let before = count.load(Ordering::Acquire);
    store.backup(&to).await.expect("a backup");
    writer.abort();

    let error = store.backup(&to).await.expect_err("it is there already");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let copy = SqliteStore::open(&to).expect("the backup");
    let kept = copy.sequences(run(1)).await.expect("sequences");
    assert!(kept.len() as u64 >= before);
    assert_eq!(kept, (1..=kept.len() as u64).collect::<Vec<_>>());
    assert_eq!(
        copy.check().await.expect("a check").problems,
        Vec::<String>::new()
    );
    let left = fs::read_dir(place.directory.path()).expect("the directory");
    let left = left.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().contains("partial")
    });
    assert_eq!(left.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_call_does_not_take_others_with_it() {
    let place = Place::new();
    let store = Arc::new(place.store);
    let calls: Vec<_> = (1..=60_u8)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut write = batch(run(number), 1, at(0), true);
                if number.is_multiple_of(3) {
                    write.batch.as_mut().expect("a batch").sequence = u64::MAX;
                }
                store.write(vec![write]).await.is_ok()
            })
        })
        .collect();
    for (number, call) in (1..).zip(calls) {
        assert_eq!(call.await.expect("a call"), number % 3 != 0);
    }
    assert_eq!(store.runs().await.expect("runs").len(), 40);
}

#[tokio::test]
async fn a_definition_whose_content_is_not_there_is_refused() {
    let place = Place::new();
    let mut without_frames = stack(run(1), 1, 3);
    without_frames.frames.pop();
    let mut without_stack = stack(run(1), 2, 3);
    without_stack.stacks.clear();
    for write in [without_frames, without_stack] {
        let error = place.store.write(vec![write]).await.expect_err("refused");
        assert!(matches!(error, StoreError::Internal(_)), "{error:?}");
    }
    let status = place.store.status().await.expect("status");
    assert_eq!((status.stacks, status.frames), (0, 0));
}
