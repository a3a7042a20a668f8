//! All nodes at one moment, and what became of each from one moment to another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use profiler_proto::v1;
use profiler_query::ids::BootTime;

use super::{node::Ends, state::State};
use crate::store::{RunFacts, WallTime};

/// Names of nodes in one text.
const NAMED: usize = 20;

/// Nodes at one moment.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// By node and agent.
    pub(crate) agents: BTreeMap<(String, Vec<u8>), (RunFacts, Arc<State>)>,
    /// Nodes that were heard of before, but not around that moment.
    pub(crate) silent: BTreeSet<String>,
    /// Nodes whose batches cannot be read.
    pub(crate) unreadable: BTreeSet<String>,
}

/// What an answer is made from, and what is missing in it.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) ends: Vec<Ends>,
    pub(crate) missing: Missing,
}

/// What is missing in an answer.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// When the first of the agents began: nothing is known from before.
    pub(crate) started: Option<WallTime>,
    silent: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    restarted: BTreeSet<String>,
    joined: BTreeSet<String>,
}

impl Side {
    fn started(&self) -> Option<WallTime> {
        let agents = self.agents.values();
        agents.map(|(facts, _)| facts.started).min()
    }
}

impl Sides {
    /// At one moment.
    pub(crate) fn one(side: &Side) -> Self {
        let states = side.agents.values();
        Self {
            ends: states
                .map(|(_, state)| Ends::One(Arc::clone(state)))
                .collect(),
            missing: Missing::of(side),
        }
    }

    /// From one moment to another. A node that is not known at both is left out, unless its agent
    /// began in between: it would seem to have demanded or given back all that it has.
    pub(crate) fn two(from: WallTime, before: &Side, after: &Side) -> Self {
        let mut ends = Vec::with_capacity(after.agents.len());
        let mut missing = Missing::of(after);
        missing.unreadable.extend(before.unreadable.iter().cloned());
        for (agent, (facts, state)) in &after.agents {
            let last = Arc::clone(state);
            let node = || facts.node.clone();
            match before.agents.get(agent) {
                Some((_, first)) if first.run == last.run => {
                    ends.push(Ends::Two(Arc::clone(first), last));
                }
                Some((old, first)) => {
                    missing.restarted.insert(node());
                    ends.push(Ends::Restarted {
                        before: Arc::clone(first),
                        after: last,
                        same_boot: old.boot_id == facts.boot_id,
                    });
                }
                None if facts.started >= from => {
                    missing.joined.insert(node());
                    ends.push(Ends::Joined(boot_time(from), last));
                }
                None => drop(missing.silent.insert(node())),
            }
        }
        Self { ends, missing }
    }
}

impl Missing {
    fn of(side: &Side) -> Self {
        Self {
            started: side.started(),
            silent: side.silent.clone(),
            unreadable: side.unreadable.clone(),
            ..Self::default()
        }
    }

    /// What is missing in another part of the answer too.
    pub(crate) fn and(self, other: &Self) -> Self {
        Self {
            started: self.started.into_iter().chain(other.started).min(),
            silent: &self.silent | &other.silent,
            unreadable: &self.unreadable | &other.unreadable,
            restarted: &self.restarted | &other.restarted,
            joined: &self.joined | &other.joined,
        }
    }

    /// What is missing, for people.
    pub(crate) fn losses(&self) -> Vec<v1::Loss> {
        let losses = [
            (
                "nodes_silent",
                &self.silent,
                "nodes that are left out, since nothing was heard of them around the moments that \
                 were asked for, or their clock is behind",
            ),
            (
                "nodes_unreadable",
                &self.unreadable,
                "nodes that are left out, since the store cannot give back what was heard of them; \
                 check the store",
            ),
            (
                "agents_restarted",
                &self.restarted,
                "nodes whose agent was restarted between the two moments: demanded and given back \
                 count from its start, the growth of live bytes of processes that it found is exact",
            ),
            (
                "agents_joined",
                &self.joined,
                "nodes whose agent began after the first moment: their growth counts from its start",
            ),
        ];
        let losses = losses.into_iter().filter(|(_, nodes, _)| !nodes.is_empty());
        let losses = losses.map(|(cause, nodes, meaning)| v1::Loss {
            cause: cause.to_owned(),
            count: nodes.len() as u64,
            meaning: format!("{meaning}: {}", listed(nodes)),
        });
        losses.collect()
    }
}

/// As snapshots of many nodes count time.
pub(crate) fn boot_time(time: WallTime) -> BootTime {
    BootTime(u64::try_from(time.0).unwrap_or(0))
}

fn listed(nodes: &BTreeSet<String>) -> String {
    let named: Vec<&str> = nodes.iter().take(NAMED).map(String::as_str).collect();
    let named = named.join(", ");
    match nodes.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
