//! Definitions that nothing refers to, and what a check finds.

use std::time::Duration;

use libtest_mimic::Trial;
use profiler_collector::store::{
    Retention, Store,
    conformance::fixtures::{at, batch, run, stack, stack_hash, write_all},
};

use crate::{
    chdb::{Database, database},
    trial::trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "definitions_go_with_the_last_run",
            database,
            definitions_go_with_the_last_run,
        ),
        trial(
            "new_definitions_stay_for_a_while",
            database,
            new_definitions_stay,
        ),
        trial(
            "a_check_finds_what_is_missing",
            database,
            a_check_finds_what_is_missing,
        ),
        trial(
            "a_check_finds_what_cannot_be_read",
            database,
            a_check_finds_what_cannot_be_read,
        ),
    ]
}

const DAY: i64 = 24 * 3600;

async fn definitions_go_with_the_last_run(database: Database) {
    let store = database.open().await;
    write_all(
        &store,
        [
            stack(run(1), 1, 3),
            stack(run(1), 2, 4),
            batch(run(1), 1, at(0), true),
            stack(run(2), 2, 4),
            batch(run(2), 1, at(5 * DAY), true),
        ],
    )
    .await;
    let retained = store
        .retain(&Retention::default(), at(31 * DAY))
        .await
        .expect("a round");
    // Numbers 1 and 2 of run 1, stack 1, its three frames.
    assert_eq!((retained.expired, retained.definitions), (1, 6));
    let status = store.status().await.expect("status");
    assert_eq!((status.runs, status.stacks, status.frames), (1, 1, 4));
    assert!(
        store
            .numbers(run(1), &[1, 2])
            .await
            .expect("numbers")
            .is_empty()
    );
    let left = store.stacks(&[stack_hash(1), stack_hash(2)]).await;
    assert_eq!(left.expect("stacks").len(), 1);
    let report = store.check().await.expect("a report");
    assert_eq!(report.problems, Vec::<String>::new());
}

async fn new_definitions_stay(database: Database) {
    let database = database.with(|settings| settings.definitions_grace = Duration::from_secs(600));
    let store = database.open().await;
    write_all(&store, [stack(run(1), 1, 3)]).await;
    let retained = store.retain(&Retention::default(), at(0)).await;
    assert_eq!(retained.expect("a round").definitions, 0);
    assert_eq!(store.status().await.expect("status").frames, 3);
}

async fn problems(store: &impl Store) -> Vec<String> {
    store.check().await.expect("a report").problems
}

async fn a_check_finds_what_is_missing(database: Database) {
    let store = database.open().await;
    let writes = [
        stack(run(1), 1, 3),
        stack(run(1), 2, 3),
        batch(run(1), 1, at(0), true),
    ];
    write_all(&store, writes).await;
    let report = store.check().await.expect("a report");
    assert_eq!((report.batches, report.definitions), (1, 10));
    assert_eq!(report.problems, Vec::<String>::new());

    let client = database.client();
    let damage = [
        format!("DELETE FROM stack WHERE hash = {}", stack_hash(2).0),
        "DELETE FROM frame WHERE function = 'function_1001'".into(),
        "DELETE FROM part WHERE kind = 2".into(),
    ];
    for statement in damage {
        client.execute(&statement).await.expect("damage");
    }
    let problems = problems(&store).await;
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        problems[0].contains("batch 1: 2 of 3 parts are there"),
        "{problems:?}"
    );
    assert!(
        problems[1].contains("of number 2 is not there"),
        "{problems:?}"
    );
    assert!(problems[2].contains("its frame"), "{problems:?}");
}

async fn a_check_finds_what_cannot_be_read(database: Database) {
    let store = database.open().await;
    let mut write = batch(run(1), 1, at(0), true);
    let parts = &mut write.batch.as_mut().expect("a batch").parts;
    parts[0].data = b"no zstd".to_vec();
    parts[1].size += 1;
    parts[2].size = u32::MAX;
    write_all(&store, [write]).await;
    let problems = problems(&store).await;
    assert_eq!(problems.len(), 3, "{problems:?}");
}
