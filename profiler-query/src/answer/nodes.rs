//! Nodes, and how far each has been heard of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use profiler_proto::v1;

use super::{Clocks, Filter};
use crate::{
    ids::BootTime,
    model::{NodeFacts, Snapshot, TargetInfo},
};

/// A node is never taken for silent before this.
const SILENT_AFTER: Duration = Duration::from_secs(60);

/// What is known of a node's agent besides its processes. Of several runs that of the newest.
#[derive(Clone, Debug, Default)]
pub struct NodeReport {
    /// Name and labels.
    pub facts: Arc<NodeFacts>,
    /// The agent's version.
    pub agent_version: String,
    /// The host's kernel.
    pub kernel: String,
    /// The host's boot.
    pub boot_id: String,
    /// When observation began.
    pub agent_started: BootTime,
    /// The oldest moment that is kept.
    pub first: Option<BootTime>,
    /// The newest.
    pub last: Option<BootTime>,
    /// From one to the next, as the agent means it.
    pub interval: Duration,
    /// Moments that are kept.
    pub batches: u64,
    /// Moments that never came.
    pub batches_missing: u64,
    /// What the agent counts itself; causes with a count of zero may be among them.
    pub losses: Vec<v1::Loss>,
    /// Runs of the agent that are kept.
    pub runs: u32,
}

impl NodeReport {
    /// Its newest moment is older than three of its intervals: answers about now leave it out.
    pub fn is_silent(&self, now: BootTime) -> bool {
        let patience = (self.interval * 3).max(SILENT_AFTER);
        let age = |last: BootTime| Duration::from_nanos(now.0.saturating_sub(last.0));
        self.last.is_none_or(|last| age(last) > patience)
    }
}

/// The chosen nodes by name: those that the filter fits itself, or a process of which it fits.
/// `snapshot`: of all nodes that are not silent.
pub fn nodes(
    reports: &[NodeReport],
    snapshot: &Snapshot,
    filter: &Filter,
    clocks: Clocks,
) -> v1::ListNodesResponse {
    let mut present: HashMap<&str, Present> = HashMap::new();
    for entry in &snapshot.processes {
        let node = present.entry(&entry.info.node.name).or_default();
        node.chosen |= filter.takes(&entry.info);
        if entry.info.exited.is_none() {
            node.targets = node.targets.saturating_add(1);
            node.committed = node.committed.saturating_add(entry.totals.committed);
        }
    }
    let nodes: BTreeMap<&str, v1::Node> = reports
        .iter()
        .filter_map(|report| {
            let name = report.facts.name.as_str();
            let present = present.get(name).copied().unwrap_or_default();
            let chosen =
                present.chosen || filter.takes(&TargetInfo::nothing_on(Arc::clone(&report.facts)));
            chosen.then(|| (name, to_wire(report, present, clocks)))
        })
        .collect();
    v1::ListNodesResponse {
        nodes: nodes.into_values().collect(),
    }
}

/// A node's processes.
#[derive(Clone, Copy, Default)]
struct Present {
    chosen: bool,
    targets: u32,
    committed: u64,
}

fn to_wire(report: &NodeReport, present: Present, clocks: Clocks) -> v1::Node {
    let state = match report.is_silent(clocks.now) {
        true => v1::NodeState::Silent,
        false => v1::NodeState::Reporting,
    };
    let labels = report.facts.labels.iter();
    v1::Node {
        node: report.facts.name.clone(),
        state: state.into(),
        agent_version: report.agent_version.clone(),
        kernel: report.kernel.clone(),
        boot_id: report.boot_id.clone(),
        labels: labels
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        agent_started: Some(clocks.to_wall(report.agent_started)),
        first_batch: report.first.map(|time| clocks.to_wall(time)),
        last_batch: report.last.map(|time| clocks.to_wall(time)),
        batches: report.batches,
        batches_missing: report.batches_missing,
        targets: present.targets,
        committed_bytes: present.committed,
        losses: report
            .losses
            .iter()
            .filter(|loss| loss.count > 0)
            .cloned()
            .collect(),
        runs: report.runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, info, on_node};

    const SECOND: u64 = 1_000_000_000;

    fn report(name: &str, last: u64) -> NodeReport {
        NodeReport {
            facts: Arc::clone(&on_node(info(0, ""), name, &[("zone", name)]).node),
            last: Some(BootTime(last * SECOND)),
            interval: Duration::from_secs(30),
            ..NodeReport::default()
        }
    }

    fn listed(selector: &v1::Selector) -> Vec<(String, v1::NodeState, u32, u64)> {
        let mut gone = on_node(info(9, "sh"), "a", &[]);
        gone.exited = Some(BootTime(1));
        let snapshot = Snapshot {
            processes: vec![
                entry(1, on_node(info(7, "node"), "a", &[]), 100),
                entry(2, on_node(info(8, "node"), "a", &[]), 20),
                entry(3, gone, 0),
            ],
            ..Snapshot::default()
        };
        let filter = Filter::new(Some(selector)).expect("a filter");
        let reports = [report("b", 900), report("a", 911)];
        let clocks = Clocks::wall(BootTime(1000 * SECOND));
        let nodes = nodes(&reports, &snapshot, &filter, clocks).nodes;
        let nodes = nodes.into_iter();
        nodes
            .map(|node| {
                (
                    node.node.clone(),
                    node.state(),
                    node.targets,
                    node.committed_bytes,
                )
            })
            .collect()
    }

    #[test]
    fn a_node_is_silent_after_three_intervals() {
        let all = listed(&v1::Selector::default());
        let a = ("a".to_owned(), v1::NodeState::Reporting, 2, 120);
        let b = ("b".to_owned(), v1::NodeState::Silent, 0, 0);
        assert_eq!(all, [a, b]);
        let hasty = NodeReport {
            interval: Duration::from_secs(1),
            ..report("c", 950)
        };
        assert!(
            !hasty.is_silent(BootTime(1010 * SECOND)),
            "a minute is always waited"
        );
        assert!(hasty.is_silent(BootTime(1011 * SECOND)));
    }

    #[test]
    fn nodes_are_chosen_by_themselves_or_by_what_runs_on_them() {
        let names = |change: fn(&mut v1::Selector)| {
            let mut selector = v1::Selector::default();
            change(&mut selector);
            let nodes = listed(&selector).into_iter();
            nodes.map(|node| node.0).collect::<Vec<_>>()
        };
        assert_eq!(names(|one| one.nodes = vec!["b".to_owned()]), ["b"]);
        assert_eq!(names(|one| one.labels = vec!["zone=b".to_owned()]), ["b"]);
        assert_eq!(names(|one| one.processes = vec!["node".to_owned()]), ["a"]);
        assert!(names(|one| one.nodes = vec!["c".to_owned()]).is_empty());
    }
}
