//! `ListNodes`: how far each node was heard of.

use std::{collections::BTreeMap, sync::Arc};

use profiler_proto::v1;
use profiler_query::{
    answer::{Filter, NodeReport, nodes},
    model::Snapshot,
};
use tonic::Status;

use super::{Inner, moments::Span};
use crate::{
    fleet::{Cost, State, With, boot_time, losses, may_be_on, node_facts},
    store::Run,
};

pub(super) async fn list(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListNodesRequest,
) -> Result<v1::ListNodesResponse, Status> {
    let filter = Filter::new(request.selector.as_ref())?;
    let runs = inner.fleet.runs().await?;
    let mut by_node: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| may_be_on(&filter, run)) {
        by_node.entry(&run.facts.node).or_default().push(run);
    }
    let last = by_node.values().filter_map(|runs| last(runs));
    let last: Vec<&Run> = last.collect();
    let states = inner.fleet.last(&last, With::Targets, &cost).await?;
    let span = Span::now(inner.clock.now());
    let clocks = span.clocks();
    let mut reports = Vec::new();
    let mut table = Snapshot::default();
    for ((runs, last), state) in by_node.values().zip(last).zip(states) {
        let report = report(runs, last, state.as_deref());
        if let Some(state) = state.filter(|_| !report.is_silent(clocks.now)) {
            let processes = state.table.processes.iter().cloned();
            table.processes.extend(processes);
        }
        reports.push(report);
    }
    Ok(nodes(&reports, &table, &filter, clocks))
}

/// The run that was heard of last.
fn last<'a>(runs: &[&'a Run]) -> Option<&'a Run> {
    let runs = runs.iter().copied();
    runs.max_by_key(|run| (run.last, run.first))
}

fn report(runs: &[&Run], last: &Run, state: Option<&State>) -> NodeReport {
    let facts = last.facts.clone();
    let first = runs.iter().map(|run| run.first).min();
    let missing = runs.iter().map(|run| {
        let known = run.batches.saturating_add(run.thinned);
        run.last_sequence.saturating_sub(known)
    });
    let status = state.and_then(|state| state.status.as_ref());
    let told = status.and_then(|status| status.accounting.as_ref());
    NodeReport {
        facts: Arc::new(node_facts(&last.facts)),
        agent_version: facts.agent_version,
        kernel: facts.kernel,
        boot_id: facts.boot_id,
        agent_started: boot_time(facts.started),
        first: first.map(boot_time),
        last: Some(boot_time(last.last)),
        interval: facts.interval,
        batches: sum(runs.iter().map(|run| run.batches)),
        batches_missing: sum(missing),
        losses: told.map_or_else(Vec::new, |told| losses(told).collect()),
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
    }
}

/// Sequence numbers come from agents and may be anything.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}
