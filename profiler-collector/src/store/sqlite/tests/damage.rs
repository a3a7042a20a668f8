//! Files that cannot be used.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::store::{
    EventKind, EventsOf, Store as _, StoreError,
    conformance::fixtures::{at, batch, kill, run, state, with_events, write_all},
    sqlite::SqliteStore,
};

/// A directory with a store of some batches that is closed.
async fn closed() -> TempDir {
    let place = super::Place::new();
    let writes = (1..=60).map(|sequence| batch(run(1), sequence, at(sequence.cast_signed()), true));
    write_all(&place.store, writes).await;
    place.directory
}

#[tokio::test]
async fn a_damaged_file_is_reported_and_set_aside() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[..100].fill(b'x'),
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes[4096..3 * 4096].fill(0xff),
        |bytes| {
            let last = bytes.len() - 4096;
            bytes[last..].fill(0xff);
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let directory = closed().await;
        let path = directory.path().join("store.db");
        let mut bytes = fs::read(&path).expect("the file");
        damage(&mut bytes);
        fs::write(&path, &bytes).expect("the file is written");

        let error = SqliteStore::open(&path).err();
        assert!(
            matches!(error, Some(StoreError::Damaged(_))),
            "damage {number}: {error:?}"
        );
        let (store, aside) = SqliteStore::open_or_set_aside(&path).expect("a new store");
        let aside = aside.expect("the old file");
        assert_eq!(
            fs::read(&aside).expect("the old file"),
            bytes,
            "it is left as it is"
        );
        let name = aside
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        assert!(name.starts_with("store.db.damaged-"), "{name}");
        assert_eq!(store.runs().await.expect("runs"), []);
        write_all(&store, [batch(run(1), 1, at(0), true)]).await;
    }
}

#[tokio::test]
async fn a_good_file_is_not_set_aside() {
    let directory = closed().await;
    let path = directory.path().join("store.db");
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others cannot read it");
    let (store, aside) = SqliteStore::open_or_set_aside(&path).expect("the store");
    assert_eq!(aside, None);
    assert_eq!(state(&store, &[run(1)], at(999)).await, [[60]]);
}

#[tokio::test]
async fn a_file_of_others_is_refused_and_stays() {
    let directory = closed().await;
    let newer = directory.path().join("store.db");
    let db = Connection::open(&newer).expect("the file");
    db.pragma_update(None, "user_version", 1000)
        .expect("a pragma");
    drop(db);
    let foreign = directory.path().join("foreign.db");
    let db = Connection::open(&foreign).expect("a file");
    db.execute_batch("CREATE TABLE mine (x)").expect("a table");
    drop(db);

    for (path, says) in [(&newer, "newer collector"), (&foreign, "another program's")] {
        let before = fs::read(path).expect("the file");
        let error = SqliteStore::open_or_set_aside(path).err().expect("refused");
        assert!(matches!(error, StoreError::Internal(_)), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(fs::read(path).expect("the file"), before);
    }
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let directory = closed().await;
    let path = directory.path().join("store.db");
    let db = Connection::open(&path).expect("the file");
    db.execute_batch("DROP INDEX batch_last_whole; DROP TABLE event; PRAGMA user_version = 1")
        .expect("as it was");
    drop(db);
    // Looking at it leaves it as it is.
    let report = SqliteStore::check_file(&path).expect("a check");
    assert_eq!((report.batches, report.problems.len()), (60, 0));
    let copy = directory.path().join("copy.db");
    SqliteStore::backup_file(&path, &copy).expect("a backup");
    for file in [&path, &copy] {
        let db = Connection::open(file).expect("the file");
        let version = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        assert_eq!(version.expect("a version"), 1);
        drop(db);
        let store = SqliteStore::open(file).expect("the store");
        assert_eq!(state(&store, &[run(1)], at(999)).await, [[60]]);
        let event = kill(1, at(5), "node");
        write_all(&store, [with_events(run(1), vec![event])]).await;
        let of = EventsOf::new(EventKind::OomKill, at(0), at(9));
        let counts = store.count_events(&of).await.expect("counts");
        assert_eq!(counts, [("node-1".to_owned(), 1)]);
    }
}

#[test]
fn a_place_that_is_not_there_is_named() {
    let directory = TempDir::new().expect("a directory");
    let error = SqliteStore::open(&directory.path().join("missing/store.db")).err();
    let error = error.expect("no directory").to_string();
    assert!(error.contains("missing/store.db"), "{error}");
}
