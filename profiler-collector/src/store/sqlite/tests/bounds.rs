//! What one agent cannot do to others.

use rusqlite::Connection;

use super::Place;
use crate::store::{
    Retention, RunFacts, Store as _, StoreError, Write,
    conformance::fixtures::{at, batch, facts, now, run, stack, stack_hash, state, write_all},
};

async fn refusal(place: &Place, write: Write) -> String {
    match place.store.write(vec![write]).await {
        Err(StoreError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_run_stays_with_its_agent() {
    let place = Place::new();
    write_all(&place.store, [batch(run(1), 1, at(0), true)]).await;
    let other = Write {
        facts: RunFacts {
            agent_id: vec![8; 16],
            ..facts("node-2")
        },
        ..batch(run(1), 2, at(10), true)
    };
    let reason = refusal(&place, other).await;
    assert!(reason.contains("another agent"), "{reason}");
    let runs = place.store.runs().await.expect("runs");
    assert_eq!((runs[0].batches, &runs[0].facts.node[..]), (1, "node-1"));
}

#[tokio::test]
async fn runs_are_bounded_in_all_and_by_agent() {
    for (agent, runs, says) in [
        ("x'07070707070707070707070707070707'", 199, "of this agent"),
        ("randomblob(16)", 19_999, "which is the bound"),
    ] {
        let place = Place::new();
        place.execute(&format!(
            "WITH RECURSIVE some (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM some WHERE i < {runs})
             INSERT INTO run (run, agent, node, boot, agent_version, kernel, started, labels, interval, seen)
             SELECT randomblob(16), {agent}, 'n', '', '', '', 0, '{{}}', 1, 0 FROM some"
        ));
        write_all(&place.store, [batch(run(1), 1, at(0), true)]).await;
        let reason = refusal(&place, batch(run(2), 1, at(0), true)).await;
        assert!(reason.contains(says), "{reason}");
        write_all(&place.store, [batch(run(1), 2, at(10), true)]).await;
    }
}

#[tokio::test]
async fn definitions_do_not_make_batches_go() {
    let place = Place::new();
    let now = now();
    write_all(&place.store, [batch(run(1), 1, now, true)]).await;
    let many = (1..=500).map(|number| stack(run(2), number, 20));
    place
        .store
        .write(many.collect())
        .await
        .expect("it is written");
    let retention = Retention {
        bytes_max: 400_000,
        ..Retention::default()
    };
    let retained = place.store.retain(&retention, now).await.expect("a round");
    assert_eq!(retained.evicted, 0, "the excess is definitions");
    assert_eq!(place.store.sequences(run(1)).await.expect("sequences"), [1]);

    let reason = refusal(&place, stack(run(2), 501, 20)).await;
    assert!(reason.contains("quarter of store_bytes"), "{reason}");
    let known = Write {
        numbers: Vec::new(),
        ..stack(run(2), 1, 20)
    };
    write_all(&place.store, [known, batch(run(1), 2, now, true)]).await;
}

#[tokio::test]
async fn one_bad_row_hides_no_others() {
    let place = Place::new();
    write_all(&place.store, [stack(run(1), 1, 2), stack(run(1), 2, 3)]).await;
    let batches = [batch(run(1), 1, at(0), true), batch(run(2), 1, at(0), true)];
    write_all(&place.store, batches).await;
    place.execute("UPDATE run SET labels = 'x' WHERE id = 1");
    place.execute("DELETE FROM frame WHERE content LIKE '%function_1001%'");
    let runs = place.store.runs().await.expect("runs");
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [run(2)]);
    let stacks = place.store.stacks(&[stack_hash(1), stack_hash(2)]).await;
    let stacks = stacks.expect("stacks");
    assert_eq!(stacks.len(), 1);
    assert_eq!(stacks[0].0, stack_hash(2));
}

#[tokio::test]
async fn what_a_round_did_before_an_error_is_told() {
    let place = Place::new();
    let writes = (1..=3).map(|number| batch(run(number), 1, at(0), true));
    write_all(&place.store, writes).await;
    let db = Connection::open(place.file("store.db")).expect("the file");
    db.execute_batch(
        "CREATE TRIGGER broken BEFORE DELETE ON batch WHEN old.run = 3
         BEGIN SELECT raise(ABORT, 'broken'); END;",
    )
    .expect("a trigger");
    let later = now();
    let retained = place.store.retain(&Retention::default(), later).await;
    assert_eq!(retained.expect("a part of a round").expired, 2);
    let retained = place.store.retain(&Retention::default(), later).await;
    assert!(retained.is_err(), "{retained:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_set_states_back() {
    let place = Place::new();
    let batches = [
        batch(run(1), 1, at(100), true),
        batch(run(1), 2, at(50), true),
        batch(run(1), 3, at(60), false),
    ];
    write_all(&place.store, batches).await;
    assert_eq!(state(&place.store, &[run(1)], at(120)).await, [[2, 3]]);
}
