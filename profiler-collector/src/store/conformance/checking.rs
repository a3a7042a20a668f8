//! What a check says of good and of bad stores.

use std::sync::Arc;

use profiler_proto::v1::{self, OwnerCode, PartKind};

use super::fixtures::{at, batch, kill, part, run, stack, with_events, write_all};
use crate::store::{Store, Write};

/// A batch that names stacks by these numbers, as rows of a process and of a connection.
fn naming(sequence: u64, of_process: u64, of_connection: u64) -> Write {
    let growth = v1::GrowthPart {
        process: vec![1, 1],
        owner: vec![OwnerCode::Stack.into(), OwnerCode::OnConnection.into()],
        subject: vec![of_process, 1234],
        stack: vec![0, of_connection],
        allocated: vec![4096, 4096],
        ..v1::GrowthPart::default()
    };
    let mut write = batch(run(1), sequence, at(0), true);
    let parts = &mut write.batch.as_mut().expect("a batch").parts;
    parts.retain(|part| part.kind != PartKind::Growth as i32);
    parts.push(part(PartKind::Growth, &growth));
    write
}

/// Two stacks, and 20 batches that name them.
async fn fill(store: &dyn Store) {
    write_all(store, [stack(run(1), 1, 5), stack(run(1), 2, 7)]).await;
    write_all(store, (1..=20).map(|sequence| naming(sequence, 1, 2))).await;
    write_all(store, [with_events(run(1), vec![kill(1, at(5), "node")])]).await;
}

async fn problems(store: &dyn Store) -> String {
    store.check().await.expect("a check").problems.join("\n")
}

pub(super) async fn a_good_store_has_no_problems(store: Arc<dyn Store>) {
    assert_eq!(store.check().await.expect("a check").batches, 0);
    fill(&*store).await;
    let report = store.check().await.expect("a check");
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.batches, 20);
    assert_eq!(report.definitions, 2 + 2 + 12, "numbers, stacks and frames");
}

pub(super) async fn a_number_that_is_not_known_is_a_problem(store: Arc<dyn Store>) {
    fill(&*store).await;
    write_all(&*store, [naming(21, 1, 3)]).await;
    let problems = problems(&*store).await;
    assert!(
        problems.contains("batch 21") && problems.contains("number 3"),
        "{problems}"
    );
}

pub(super) async fn parts_that_cannot_be_read_are_problems(store: Arc<dyn Store>) {
    let broken: [fn(&mut v1::Part); 4] = [
        |part| part.data.truncate(part.data.len() - 1),
        |part| part.size += 1,
        |part| part.size -= 1,
        |part| part.size = u32::MAX,
    ];
    for (break_it, sequence) in broken.into_iter().zip(1..) {
        let mut write = naming(sequence, 0, 0);
        break_it(&mut write.batch.as_mut().expect("a batch").parts[0]);
        write_all(&*store, [write]).await;
    }
    let report = store.check().await.expect("a check");
    assert_eq!(report.problems.len(), 4, "{:?}", report.problems);
    for sequence in 1..=4 {
        let name = format!("batch {sequence}:");
        assert!(
            report
                .problems
                .iter()
                .any(|problem| problem.contains(&name))
        );
    }
}

/// Fills `store`, lets `damage` do something to it behind its back, and checks it.
///
/// # Panics
/// If the check has no complaint afterwards, or has one before.
pub async fn finds_damage(store: &dyn Store, damage: impl AsyncFnOnce()) {
    fill(store).await;
    assert_eq!(problems(store).await, "");
    damage().await;
    assert_ne!(problems(store).await, "");
}
