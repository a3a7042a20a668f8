//! `GetStatus`: what the collector says of itself.

use std::sync::Arc;

use pbjson_types::Duration;
use profiler_proto::v1;
use profiler_query::answer::Selection;
use tonic::Status;

use super::{Inner, inputs::Inputs, moments::Span};
use crate::{
    fleet::{Cost, With, of_store, timestamp},
    store::StoreStatus,
};

const SECOND: i64 = 1_000_000_000;

pub(super) async fn get(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
) -> Result<v1::GetStatusResponse, Status> {
    let store = inner.store.status().await.map_err(of_store)?;
    let runs = inner.fleet.runs().await?;
    let now = inner.clock.now();
    let span = Span::now(now);
    let inputs = Inputs::read(&inner, &runs, &span, With::Growth, &cost).await?;
    let uptime = now.0.saturating_sub(inner.started.0).max(0);
    let mut status = v1::GetStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: Some(timestamp(inner.started)),
        uptime: Some(Duration {
            seconds: uptime / SECOND,
            nanos: (uptime % SECOND) as i32,
        }),
        accounting: Some(inputs.account(&Selection::All)),
        history_bytes: store.bytes,
        history_oldest: store.oldest.map(timestamp),
        stacks: u32::try_from(store.stacks).unwrap_or(u32::MAX),
        agent_pid: std::process::id(),
        notes: vec![note(&store)],
        ..v1::GetStatusResponse::default()
    };
    for agent in inputs.statuses() {
        put_agent(&mut status, agent);
    }
    Ok(status)
}

fn note(store: &StoreStatus) -> String {
    format!(
        "a collector with {}: {} batches of {} runs, {} stacks and {} frames in {} bytes; it has no \
         capabilities of its own, ask the agents for theirs",
        store.engine, store.batches, store.runs, store.stacks, store.frames, store.bytes
    )
}

/// Adds what one agent said of its node.
fn put_agent(status: &mut v1::GetStatusResponse, agent: &v1::GetStatusResponse) {
    for (sum, part) in [
        (&mut status.processes_observed, agent.processes_observed),
        (&mut status.processes_ignored, agent.processes_ignored),
        (
            &mut status.processes_unsupported,
            agent.processes_unsupported,
        ),
        (&mut status.processes_counting, agent.processes_counting),
        (&mut status.containers, agent.containers),
    ] {
        *sum = sum.saturating_add(part);
    }
}
