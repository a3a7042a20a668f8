//! Writing and reading.

use std::sync::Arc;

use libtest_mimic::Trial;
use profiler_collector::store::{
    Store, StoreError,
    conformance::{
        self,
        fixtures::{EVERYTHING, at, batch, facts, run, state, write_all},
    },
};
use profiler_proto::v1;

use crate::{
    chdb::{Database, database},
    trial::trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("it_conforms", database, it_conforms),
        trial(
            "what_two_collectors_write_at_once_is_seen_once",
            database,
            what_two_collectors_write_at_once_is_seen_once,
        ),
        trial("bytes_come_back_as_they_were", database, bytes_come_back),
        trial(
            "a_newer_version_is_refused",
            database,
            a_newer_version_is_refused,
        ),
        trial(
            "collectors_may_start_at_once",
            database,
            collectors_may_start_at_once,
        ),
        trial(
            "too_large_an_answer_is_refused",
            database,
            too_large_an_answer,
        ),
        trial(
            "a_backup_is_clickhouses_own",
            database,
            a_backup_is_clickhouses_own,
        ),
    ]
}

async fn it_conforms(_first: Database) {
    conformance::run(async || {
        let store = database().expect("a database").open().await;
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

async fn what_two_collectors_write_at_once_is_seen_once(database: Database) {
    let (one, other) = (database.open().await, database.open().await);
    let writes: Vec<_> = (1..=12)
        .map(|sequence| {
            let time = at(sequence as i64 * 10);
            batch(run(1), sequence, time, sequence % 6 == 1)
        })
        .collect();
    let (first, second) = tokio::join!(one.write(writes.clone()), other.write(writes.clone()));
    let (first, second) = (first.expect("written"), second.expect("written"));
    assert!(first.stored + second.stored >= 12, "{first:?} {second:?}");

    for store in [&one, &other] {
        let runs = store.runs().await.expect("runs");
        assert_eq!((runs[0].batches, runs[0].last_sequence), (12, 12));
        let sequences = store.sequences(run(1)).await.expect("sequences");
        assert_eq!(sequences, (1..=12).collect::<Vec<u64>>());
        assert_eq!(state(store, &[run(1)], at(85)).await, [[7, 8]]);
        let read = store.states(&[run(1)], at(70), at(0), &EVERYTHING).await;
        assert_eq!(read.expect("states")[0][0].parts.len(), 3);
        let again = store.write(writes.clone()).await.expect("written");
        assert_eq!((again.stored, again.repeated), (0, 12));
        let report = store.check().await.expect("a report");
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

async fn bytes_come_back(database: Database) {
    let store = database.open().await;
    let mut write = batch(run(0), 1, at(0), true);
    // Also what ends or begins texts, numbers and rows in other formats.
    let every: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let parts = [vec![], vec![0], b"'\\\n\t`\xff\xfe".to_vec(), every].map(|data| v1::Part {
        kind: v1::PartKind::Growth.into(),
        size: 7,
        data,
    });
    write.batch.as_mut().expect("a batch").parts = parts.to_vec();
    write.facts.labels = [("quote ' \\ \n".into(), "\u{1f980}\0".into())].into();
    write.facts.agent_id = (0..=255).collect();
    write_all(&store, [write.clone()]).await;

    let read = store.states(&[run(0)], at(0), at(-1), &EVERYTHING).await;
    assert!(read.expect("states")[0][0].parts == parts, "bytes differ");
    let runs = store.runs().await.expect("runs");
    assert_eq!(runs[0].facts, write.facts);
    assert_ne!(runs[0].facts, facts("node-1"));
}

async fn a_newer_version_is_refused(database: Database) {
    write_all(&database.open().await, [batch(run(1), 1, at(0), true)]).await;
    let again = database.open().await;
    assert_eq!(again.runs().await.expect("runs").len(), 1, "it was kept");
    let newer = "INSERT INTO version (version) VALUES (1000)";
    database.client().execute(newer).await.expect("a row");
    let refused =
        profiler_collector::store::clickhouse::ClickHouse::open(database.settings()).await;
    let message = refused.err().expect("a refusal").to_string();
    assert!(message.contains("version 1000"), "{message}");
}

async fn collectors_may_start_at_once(database: Database) {
    let (one, other) = tokio::join!(database.open(), database.open());
    write_all(&one, [batch(run(1), 1, at(0), true)]).await;
    assert_eq!(other.runs().await.expect("runs").len(), 1);
}

async fn too_large_an_answer(database: Database) {
    let database = database.with(|settings| {
        settings.database = "default".into();
        settings.answer_bytes_max = 1_000_000;
    });
    let query = "SELECT toString(number) FROM numbers(1000000)";
    let answer = database
        .client()
        .rows::<String>(query)
        .await
        .map(|rows| rows.len());
    assert!(matches!(answer, Err(StoreError::TooMuch(_))), "{answer:?}");
}

async fn a_backup_is_clickhouses_own(database: Database) {
    let store = database.open().await;
    let error = store.backup("/tmp/x".as_ref()).await.expect_err("refused");
    assert!(error.to_string().contains("BACKUP DATABASE"), "{error}");
}
