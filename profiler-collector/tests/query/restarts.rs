//! Agents that were restarted between two moments.

use std::sync::Arc;

use profiler_proto::v1::{self, GroupBy, query_server::Query as _};
use profiler_query::{ids::BootTime, model::OwnerKey};
use tonic::Request;

use crate::fixture::{Agent, MIB, SECOND, Table, World, at};

async fn ask(world: &World, by: GroupBy) -> v1::DiffResponse {
    let request = v1::DiffRequest {
        by: by.into(),
        from: at(20),
        to: at(120),
        include_unattributed: true,
        ..v1::DiffRequest::default()
    };
    let answer = world.service(125).diff(Request::new(request)).await;
    answer.expect("an answer").into_inner()
}

fn loss<'a>(answer: &'a v1::DiffResponse, cause: &str) -> Option<&'a v1::Loss> {
    let losses = &answer.accounting.as_ref()?.losses;
    losses.iter().find(|loss| loss.cause == cause)
}

/// 20 MiB before; the new agent finds 24, of which 2 are given back, and sees 6 demanded.
async fn restarted(boot_of_new: &str) -> World {
    let world = World::new();
    let mut old = Agent::new("a", 1, 1, 0);
    let before = Table::default()
        .process(1, 100, "docker-web")
        .stack(1, 30 * MIB, 10 * MIB)
        .process(2, 200, "docker-web")
        .stack(1, 4 * MIB, 0);
    old.send(&world, &before.0, 20, true).await;
    let mut new = Agent::new("a", 1, 2, 60);
    new.facts.boot_id = boot_of_new.to_owned();
    let mut after = Table::default()
        .process(5, 100, "docker-web")
        .row(OwnerKey::PreExisting, 24 * MIB, 2 * MIB)
        .stack(4, 6 * MIB, 0);
    // The old agent saw it begin, the new one read it from /proc, cut to ticks.
    let info = Arc::make_mut(&mut after.0.processes[0].info);
    info.started = BootTime(info.started.0 / (SECOND / 100) * (SECOND / 100));
    new.send(&world, &after.0, 120, true).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_growth_of_live_bytes_is_exact_over_a_restart() {
    let world = restarted("boot of a").await;
    let answer = ask(&world, GroupBy::Process).await;
    let row = answer.rows.iter().find(|row| row.pid == 100).expect("it");
    assert_eq!(row.committed_live_bytes, 28 * MIB);
    assert_eq!(row.live_delta_bytes, (8 * MIB).cast_signed());
    assert_eq!(row.committed_allocated_bytes, 6 * MIB);
    assert_eq!(row.committed_freed_bytes, 2 * MIB);
    let gone = answer.rows.iter().find(|row| row.pid == 200).expect("it");
    assert_eq!(gone.live_delta_bytes, -(4 * MIB).cast_signed());
    assert_eq!(answer.rows.len(), 2);
    let loss = loss(&answer, "agents_restarted").expect("the loss");
    assert!(loss.count == 1 && loss.meaning.ends_with(": a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_count_from_the_start_of_the_new_agent() {
    let world = restarted("boot of a").await;
    let answer = ask(&world, GroupBy::Stack).await;
    let rows = answer.rows.iter().filter(|row| row.pid == 100);
    let mut rows: Vec<_> = rows
        .map(|row| {
            (
                row.owner(),
                row.committed_allocated_bytes,
                row.live_delta_bytes,
            )
        })
        .collect();
    rows.sort_by_key(|row| row.1);
    let mib = MIB.cast_signed();
    assert_eq!(
        rows,
        [
            (v1::OwnerKind::PreExisting, 0, -2 * mib),
            (v1::OwnerKind::Stack, 6 * MIB, 6 * mib),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reboot_equal_pids_are_other_processes() {
    let world = restarted("another boot").await;
    let answer = ask(&world, GroupBy::Process).await;
    let rows = answer.rows.iter().filter(|row| row.pid == 100);
    let mut deltas: Vec<_> = rows.map(|row| row.live_delta_bytes).collect();
    deltas.sort_unstable();
    let mib = MIB.cast_signed();
    assert_eq!(deltas, [-20 * mib, 28 * mib]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_that_was_used_again_is_another_process() {
    let world = World::new();
    let mut old = Agent::new("a", 1, 1, 0);
    let before = Table::default().process(1, 100, "host").stack(1, MIB, 0);
    old.send(&world, &before.0, 20, true).await;
    let mut new = Agent::new("a", 1, 2, 60);
    let mut after = Table::default()
        .process(1, 100, "host")
        .stack(1, 2 * MIB, 0);
    Arc::make_mut(&mut after.0.processes[0].info).started.0 += SECOND;
    new.send(&world, &after.0, 120, true).await;
    let answer = ask(&world, GroupBy::Process).await;
    assert_eq!(answer.rows.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joined_grows_from_what_its_agent_found() {
    let world = World::new();
    let table = |mib| {
        Table::default()
            .process(1, 100, "host")
            .stack(1, mib * MIB, 0)
    };
    let mut steady = Agent::new("a", 1, 1, 0);
    steady.send(&world, &table(1).0, 20, true).await;
    steady.send(&world, &table(3).0, 120, true).await;
    let mut new = Agent::new("b", 2, 1, 60);
    let joined = Table::default()
        .process(1, 100, "host")
        .row(OwnerKey::PreExisting, 40 * MIB, MIB)
        .stack(1, 5 * MIB, 0);
    new.send(&world, &joined.0, 120, true).await;
    let answer = ask(&world, GroupBy::Node).await;
    let rows: Vec<_> = answer
        .rows
        .iter()
        .map(|row| (row.node.as_str(), row.live_delta_bytes / MIB.cast_signed()))
        .collect();
    assert_eq!(rows, [("b", 4), ("a", 2)]);
    assert_eq!(loss(&answer, "agents_joined").expect("the loss").count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_silent_at_one_of_the_moments_is_left_out() {
    let world = World::new();
    let table = Table::default().process(1, 100, "host").stack(1, MIB, 0);
    let mut one = Agent::new("a", 1, 1, 0);
    one.send(&world, &table.0, 20, true).await;
    let mut other = Agent::new("b", 2, 1, 0);
    other.send(&world, &table.0, 120, true).await;
    let answer = ask(&world, GroupBy::Node).await;
    assert!(answer.rows.is_empty(), "{:?}", answer.rows);
    assert_eq!(loss(&answer, "nodes_silent").expect("the loss").count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_the_new_agent_hold_nothing_of_what_went_with_the_old() {
    let world = World::new();
    let mut old = Agent::new("a", 1, 1, 0);
    let before = Table::default()
        .process(1, 200, "docker-web")
        .stack(1, 4 * MIB, 0);
    old.send(&world, &before.0, 20, true).await;
    let mut new = Agent::new("a", 1, 2, 60);
    let mut after = Table::default()
        .process(5, 0, "docker-web")
        .stack(1, 10 * MIB, 10 * MIB);
    let group = Arc::make_mut(&mut after.0.processes[0].info);
    group.name = "app-200".to_owned();
    group.exited = Some(group.started);
    new.send(&world, &after.0, 120, true).await;
    let answer = ask(&world, GroupBy::Process).await;
    let allocated = answer.rows.iter().map(|row| row.committed_allocated_bytes);
    assert_eq!(allocated.sum::<u64>(), 10 * MIB);
    let live = answer.rows.iter().map(|row| row.live_delta_bytes);
    assert_eq!(live.sum::<i64>(), -(4 * MIB).cast_signed());
}
