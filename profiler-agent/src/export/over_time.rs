//! Memory over time, and the node that it is on.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use profiler_proto::v1;
use profiler_query::answer::{self, Clocks, Filter, NodeReport, Series};
use tonic::Status;

use super::{gather::Gathered, unknown::refusal};
use crate::{
    ids::BootTime,
    profile::{NodeFacts, Recall, Walk},
};

/// Series from the history, and from what is now unless it shall end before. What is asked for from
/// before anything was kept begins with what is. Blocks.
pub(super) fn series(
    gathered: &Gathered,
    series: &Series,
    end: Option<&Recall>,
    clocks: Clocks,
) -> Result<v1::ListSeriesResponse, Status> {
    let now = &gathered.fresh.snapshot;
    let from = begin(series, clocks)?;
    let mut answer = series.gather();
    let walk = match end {
        Some(end) => walk(gathered, from, end.time(), series.points),
        // The last point is now.
        None => {
            let before = BootTime(now.time.0.saturating_sub(1));
            walk(gathered, from, before, series.points - 1)
        }
    };
    for snapshot in walk.snapshots() {
        answer.add(&snapshot)?;
    }
    if end.is_none() {
        answer.add(now)?;
    }
    answer.finish(clocks).map_err(refusal)
}

fn begin(series: &Series, clocks: Clocks) -> Result<BootTime, Status> {
    let Some(from) = &series.begin.time else {
        return Ok(BootTime(0));
    };
    let time = clocks.to_boot(from);
    if time > clocks.now {
        return Err(Status::out_of_range(format!(
            "{}: {} lies in the future",
            series.begin.field,
            answer::display(from)
        )));
    }
    Ok(time)
}

fn walk(gathered: &Gathered, from: BootTime, to: BootTime, parts: u32) -> Walk {
    let history = gathered.inner.history.lock();
    let history = history.unwrap_or_else(PoisonError::into_inner);
    history.walk(from, to, parts)
}

/// This node, if it is among those that are asked for.
pub(super) fn node(gathered: &Gathered, filter: &Filter) -> v1::ListNodesResponse {
    let inner = &gathered.inner;
    let history = inner.history_status();
    let snapshot = &gathered.fresh.snapshot;
    let node = snapshot.processes.first();
    let report = NodeReport {
        facts: node.map_or_else(
            || {
                Arc::new(NodeFacts {
                    name: inner.node.name.clone(),
                    ..NodeFacts::default()
                })
            },
            |entry| Arc::clone(&entry.info.node),
        ),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: inner.node.kernel.clone(),
        boot_id: inner.node.boot_id.clone(),
        agent_started: gathered.fresh.facts.started,
        first: history.oldest,
        last: Some(snapshot.time),
        interval: Duration::ZERO,
        batches: history.snapshots as u64,
        batches_missing: 0,
        losses: gathered.end(None).basis(inner).losses(),
        runs: 1,
    };
    answer::nodes(&[report], snapshot, filter, inner.clock.read())
}
