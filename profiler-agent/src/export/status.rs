//! What the agent says of itself.

use std::collections::HashSet;

use pbjson_types::Duration;
use profiler_proto::v1;
use profiler_query::answer::{Clocks, Selection, seconds_between};

use super::{
    accounting::{Basis, CapabilityFacts},
    node::{Node, OwnCost},
};

pub(super) fn answer(basis: &Basis<'_>, node: &Node, clocks: Clocks) -> v1::GetStatusResponse {
    let facts = basis.facts;
    let own = OwnCost::read();
    let live = basis.snapshot.processes.iter();
    let containers: HashSet<&str> = live
        .filter(|entry| entry.info.exited.is_none() && entry.info.container.is_container())
        .map(|entry| entry.info.container.root.as_str())
        .collect();
    v1::GetStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: node.name.clone(),
        kernel: node.kernel.clone(),
        boot_id: node.boot_id.clone(),
        agent_pid: std::process::id(),
        started: Some(clocks.to_wall(facts.started)),
        uptime: Some(duration(seconds_between(facts.started, clocks.now))),
        capabilities: facts.capabilities.iter().map(capability).collect(),
        accounting: Some(basis.account(&Selection::All)),
        processes_observed: facts.processes_observed,
        processes_ignored: facts.processes_ignored,
        processes_unsupported: facts.processes_unsupported,
        processes_counting: facts.processes_counting,
        containers: containers.len() as u32,
        agent_resident_bytes: own.resident_bytes,
        agent_cpu_seconds: own.cpu_seconds,
        history_bytes: basis.history.bytes as u64,
        history_budget_bytes: basis.history.budget as u64,
        history_oldest: basis.history.oldest.map(|time| clocks.to_wall(time)),
        stacks: facts.stacks,
        modules: facts.modules,
        notes: facts.notes.clone(),
    }
}

fn capability(facts: &CapabilityFacts) -> v1::Capability {
    v1::Capability {
        name: facts.name.clone(),
        chosen: facts.chosen.clone(),
        refused: facts.refused.clone(),
    }
}

fn duration(seconds: f64) -> Duration {
    let whole = seconds.trunc();
    Duration {
        seconds: whole as i64,
        nanos: ((seconds - whole) * 1e9) as i32,
    }
}
