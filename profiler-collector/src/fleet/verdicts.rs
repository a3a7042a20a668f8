//! Verdicts and resident figures of all nodes, as the agents said them in their last whole batches.

use std::{collections::HashMap, sync::Arc};

use profiler_proto::v1;
use tonic::Status;

use super::{side::Side, state::State};
use crate::{fleet::Cost, store::RunFacts};

/// What a verdict or a series is known by over runs: node, cgroup and, where the cgroup says nothing
/// of its own, pid.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SeriesKey {
    pub(crate) node: String,
    cgroup: String,
    pid: u32,
}

impl SeriesKey {
    /// Of a target that an answer may hold.
    pub(crate) fn of(target: &v1::Target) -> Self {
        Self::on(&target.node, target)
    }

    /// Of a target as an agent sent it.
    pub(crate) fn on(node: &str, target: &v1::Target) -> Self {
        Self {
            node: node.to_owned(),
            cgroup: target.cgroup.clone(),
            pid: target.pid,
        }
    }
}

/// What an agent said of a target, with the node that it is of and its labels, whatever it said of
/// them.
fn told(facts: &RunFacts, target: &v1::Target) -> v1::Target {
    let mut target = target.clone();
    target.node.clone_from(&facts.node);
    for (key, value) in &facts.labels {
        let label = target.labels.entry(key.clone());
        label.or_insert_with(|| value.clone());
    }
    target
}

/// Verdicts of all nodes at one moment.
#[derive(Debug)]
pub(crate) struct Verdicts {
    agents: Vec<(RunFacts, Arc<State>)>,
}

impl Verdicts {
    /// # Errors
    /// There are too many.
    pub(crate) fn new(side: &Side, cost: &Cost) -> Result<Self, Status> {
        let agents: Vec<_> = side.agents.values().cloned().collect();
        let verdicts = Self { agents };
        cost.rows(verdicts.all().count() as u64)?;
        Ok(verdicts)
    }

    fn all(&self) -> impl Iterator<Item = (&RunFacts, &v1::Verdict)> {
        let agents = self.agents.iter();
        agents.flat_map(|(facts, state)| {
            let part = state.verdicts.as_ref();
            let verdicts = part.into_iter().flat_map(|part| &part.verdicts);
            verdicts.map(move |verdict| (facts, verdict))
        })
    }

    /// What verdicts are chosen and ordered by. What is told of one in full comes with [`fill`], for
    /// those that are shown.
    ///
    /// [`fill`]: Self::fill
    pub(crate) fn outlines(&self) -> Vec<v1::Verdict> {
        let outline = |(facts, verdict): (&RunFacts, &v1::Verdict)| v1::Verdict {
            node: facts.node.clone(),
            target: verdict.target.as_ref().map(|target| told(facts, target)),
            state: verdict.state,
            slope_bytes_per_hour: verdict.slope_bytes_per_hour,
            time_to_limit_seconds: verdict.time_to_limit_seconds,
            ..v1::Verdict::default()
        };
        self.all().map(outline).collect()
    }

    /// Puts the verdicts in the place of their outlines.
    pub(crate) fn fill(&self, outlines: &mut [v1::Verdict]) {
        let mut places: HashMap<SeriesKey, &mut v1::Verdict> = outlines
            .iter_mut()
            .filter_map(|outline| Some((SeriesKey::of(outline.target.as_ref()?), outline)))
            .collect();
        for (facts, verdict) in self.all() {
            let key = verdict.target.as_ref();
            let key = key.map(|target| SeriesKey::on(&facts.node, target));
            if let Some(place) = key.and_then(|key| places.remove(&key)) {
                *place = in_full(facts, verdict);
            }
        }
    }

    /// Each in full, one after the other.
    pub(crate) fn each(&self) -> impl Iterator<Item = v1::Verdict> {
        self.all().map(|(facts, verdict)| in_full(facts, verdict))
    }

    /// Agents that say nothing of verdicts.
    pub(crate) fn without(&self) -> u64 {
        let agents = self.agents.iter();
        let without = agents.filter(|(_, state)| state.verdicts.is_none());
        without.count() as u64
    }
}

fn in_full(facts: &RunFacts, verdict: &v1::Verdict) -> v1::Verdict {
    v1::Verdict {
        node: facts.node.clone(),
        target: verdict.target.as_ref().map(|target| told(facts, target)),
        points: Vec::new(),
        ..verdict.clone()
    }
}

/// The last readings of all nodes, without points.
///
/// # Errors
/// There are too many.
pub(crate) fn readings(side: &Side, cost: &Cost) -> Result<Vec<v1::ResidentSeries>, Status> {
    let mut all = Vec::new();
    for (facts, state) in side.agents.values() {
        let part = state.resident.as_ref();
        let of = part.map_or(&[][..], |part| &part.of);
        cost.rows(of.len() as u64)?;
        all.extend(of.iter().map(|one| v1::ResidentSeries {
            target: one.target.as_ref().map(|target| told(facts, target)),
            now: one.resident.clone(),
            points: Vec::new(),
        }));
    }
    Ok(all)
}
