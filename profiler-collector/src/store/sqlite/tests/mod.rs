//! The engine passes the checks, and what only it can show.

mod bounds;
mod damage;
mod durability;
mod figures;
mod model;
mod size;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteStore;
use crate::store::{Store, conformance};

/// A store in a directory of its own.
struct Place {
    directory: TempDir,
    store: SqliteStore,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let store = SqliteStore::open(&directory.path().join("store.db")).expect("a store");
        Self { directory, store }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Changes the file behind the store's back.
    fn execute(&self, sql: &str) {
        let db = Connection::open(self.file("store.db")).expect("the file");
        db.execute_batch("PRAGMA foreign_keys = OFF")
            .expect("a pragma");
        assert_ne!(db.execute(sql, []).expect(sql), 0, "{sql} changes nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let directories = Mutex::new(Vec::new());
    conformance::run(async || {
        let Place { directory, store } = Place::new();
        directories.lock().expect("the list").push(directory);
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn a_check_finds_what_is_damaged() {
    for sql in [
        "UPDATE part SET data = zeroblob(length(data)) WHERE rowid = 5",
        "UPDATE part SET size = size + 1 WHERE rowid = 5",
        "DELETE FROM part WHERE rowid = 5",
        "DELETE FROM batch WHERE id = 5",
        "DELETE FROM frame WHERE hash = (SELECT max(hash) FROM frame)",
        "UPDATE frame SET content = x'ffff' WHERE hash = (SELECT max(hash) FROM frame)",
        "DELETE FROM stack WHERE hash = (SELECT max(hash) FROM stack)",
        "UPDATE stack SET frames = x'00' WHERE hash = (SELECT max(hash) FROM stack)",
        "DELETE FROM number WHERE number = 2",
        "UPDATE run SET batches = batches + 1",
        "UPDATE run SET last_sequence = 1",
        "UPDATE event SET data = zeroblob(length(data))",
        "UPDATE event SET time = time + 1",
        "UPDATE event SET number = 7",
    ] {
        let place = Place::new();
        conformance::finds_damage(&place.store, async || place.execute(sql)).await;
    }
}

/// No index is missing: batches are found by one, and come in order without being sorted.
#[tokio::test]
async fn states_are_read_along_indexes() {
    let place = Place::new();
    let db = Connection::open(place.file("store.db")).expect("the file");
    for sql in [
        super::states::RECENT,
        super::states::LAST_WHOLE,
        super::states::FOLLOWING,
        super::states::PARTS,
    ] {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
        let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3));
        let plan: Vec<_> = steps.collect::<Result<_, _>>().expect(sql);
        assert_eq!(plan.len(), 1, "{sql}: {plan:?}");
        assert!(plan[0].starts_with("SEARCH"), "{sql}: {plan:?}");
    }
}
