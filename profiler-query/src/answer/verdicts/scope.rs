//! Which containers, units and processes a selector means.

use std::collections::HashSet;

use profiler_proto::v1;

use crate::{
    answer::{Clocks, Filter, NotChosen, target_info},
    ids::{BootTime, ProcessHandle},
    model::TargetInfo,
};

/// A container or unit, known by node and cgroup, or a process of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Group(String, String),
    Process(String, u32),
}

/// What a selector chooses from verdicts and the like.
#[derive(Debug)]
pub struct Scope<'a> {
    filter: &'a Filter,
    /// What has a process that is chosen.
    places: HashSet<Place>,
}

/// Whether what lies in a cgroup of this kind and root is judged as a whole, as a container or unit,
/// and not process by process. Where the cgroup could not be read nothing holds its processes
/// together.
pub fn is_whole(kind: &str, root: &str) -> bool {
    kind != "host" && !root.is_empty()
}

/// Whether the target stands for a container or unit, not for one process.
pub fn is_group(target: &v1::Target) -> bool {
    is_whole(&target.container_kind, &target.cgroup)
}

impl<'a> Scope<'a> {
    /// `processes`: those that are known, to find the containers that they are in; may be empty,
    /// then only what a container says of itself can choose it.
    pub fn new(filter: &'a Filter, processes: &[&TargetInfo]) -> Self {
        let is_chosen = |info: &&&TargetInfo| info.exited.is_none() && filter.takes(info);
        let places = match filter.is_empty() {
            true => HashSet::new(),
            false => processes
                .iter()
                .filter(is_chosen)
                .map(|info| place_of(info))
                .collect(),
        };
        Self { filter, places }
    }

    /// # Errors
    /// A pid, container or node that is neither among the targets nor among the processes: the asker
    /// would take an empty answer for "it does not grow".
    pub fn checked<'t>(
        filter: &'a Filter,
        targets: impl Iterator<Item = &'t v1::Target>,
        processes: &[&TargetInfo],
    ) -> Result<Self, NotChosen> {
        if !filter.is_empty() {
            let infos: Vec<TargetInfo> = targets.map(facts).collect();
            let all = infos.iter().chain(processes.iter().copied());
            filter.choose(all.map(|info| (ProcessHandle(0), info)))?;
        }
        Ok(Self::new(filter, processes))
    }

    /// Whether it is chosen.
    pub fn takes(&self, target: &v1::Target) -> bool {
        self.takes_itself(target) || self.places.contains(&place(target))
    }

    /// Whether it is chosen by what is said of itself.
    pub fn takes_itself(&self, target: &v1::Target) -> bool {
        self.filter.is_empty() || self.filter.takes(&facts(target))
    }
}

/// Only what a filter looks at is of use.
fn facts(target: &v1::Target) -> TargetInfo {
    target_info(target, Clocks::wall(BootTime(0)))
}

fn place(target: &v1::Target) -> Place {
    let node = target.node.clone();
    if is_group(target) {
        Place::Group(node, target.cgroup.clone())
    } else {
        Place::Process(node, target.pid)
    }
}

fn place_of(info: &TargetInfo) -> Place {
    let node = info.node.name.clone();
    if is_whole(&info.container.kind, &info.container.root) {
        Place::Group(node, info.container.root.clone())
    } else {
        Place::Process(node, info.pid)
    }
}
