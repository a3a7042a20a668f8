//! From a snapshot to what has a series of its own: containers and units, and processes in neither.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use profiler_query::answer::verdicts::is_whole;
use serde::{Deserialize, Serialize};

use super::rank::Ranks;
use crate::{
    ids::{BootTime, ProcessHandle},
    profile::{ContainerFacts, ProcessEntry, Snapshot},
};

/// Containers and units that are read in one round.
pub const GROUPS_MAX: usize = 2_000;
/// Of these, below one user's slice or inside one container: whoever owns that makes as many as it likes.
pub const TENANT_GROUPS_MAX: usize = 256;
/// Processes in neither that are read in one round.
pub const HOST_PROCESSES_MAX: usize = 256;

/// What has a series of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SeriesKey {
    /// A container or unit, by the cgroup directory that stands for it ([`ContainerFacts::root`]).
    Container(String),
    /// A process that is in neither. Handles are of one run of the agent.
    Process(#[serde(with = "handle")] ProcessHandle),
}

/// A process that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its handle.
    pub handle: ProcessHandle,
    /// In the initial pid namespace.
    pub pid: u32,
    /// When this life began, by fork or exec. The kernel's start time of the process is not later.
    pub began: BootTime,
}

/// What is read as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub key: SeriesKey,
    /// As its largest process has it.
    pub container: Arc<ContainerFacts>,
    /// At least one; the largest (by live committed bytes) first.
    pub members: Vec<Member>,
    /// Live committed bytes of all of them.
    pub live: u64,
}

/// What is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The system's containers and units, then processes in neither, then what users and containers
    /// have made below their own; of each the largest first.
    pub groups: Vec<Group>,
    /// Containers and units beyond [`GROUPS_MAX`] and [`TENANT_GROUPS_MAX`].
    pub containers_left_out: usize,
    /// Processes in neither beyond [`HOST_PROCESSES_MAX`].
    pub processes_left_out: usize,
}

/// The groups of the processes that live at the moment of a snapshot.
pub(super) fn groups(snapshot: &Snapshot, ranks: &mut Ranks) -> Groups {
    let (containers, mut processes) = all(snapshot);
    let all = containers.iter().chain(&processes);
    ranks.begin(&all.map(|group| &group.key).collect());
    let (mut containers, containers_left_out) = cut_containers(containers, ranks);
    let processes_left_out = ranks.cut(&mut processes, HOST_PROCESSES_MAX);
    containers.append(&mut processes);
    containers.sort_by_key(|group| (turn(group), Reverse(group.live)));
    Groups {
        groups: containers,
        containers_left_out,
        processes_left_out,
    }
}

/// Containers and units, and processes in neither.
fn all(snapshot: &Snapshot) -> (Vec<Group>, Vec<Group>) {
    let mut sorted: Vec<&ProcessEntry> =
        snapshot.processes.iter().filter(|one| lives(one)).collect();
    sorted.sort_by_key(|entry| (Reverse(entry.totals.live()), entry.handle));
    let (mut containers, mut processes) = (BTreeMap::<&str, Group>::new(), Vec::new());
    for entry in sorted {
        if !is_in_group(&entry.info.container) {
            let key = SeriesKey::Process(entry.handle);
            processes.push(group(key, entry));
            continue;
        }
        let root = entry.info.container.root.as_str();
        let key = || SeriesKey::Container(root.to_owned());
        containers
            .entry(root)
            .and_modify(|group| group.add(entry))
            .or_insert_with(|| group(key(), entry));
    }
    (containers.into_values().collect(), processes)
}

/// The system's own first. Returns how many had to go.
fn cut_containers(containers: Vec<Group>, ranks: &Ranks) -> (Vec<Group>, usize) {
    let mut by_tenant = BTreeMap::<Option<String>, Vec<Group>>::new();
    for group in containers {
        let tenant = tenant(&group.container).map(str::to_owned);
        by_tenant.entry(tenant).or_default().push(group);
    }
    let mut own = by_tenant.remove(&None).unwrap_or_default();
    let mut left_out = ranks.cut(&mut own, GROUPS_MAX);
    let mut others = Vec::new();
    for mut groups in by_tenant.into_values() {
        left_out += ranks.cut(&mut groups, TENANT_GROUPS_MAX);
        others.append(&mut groups);
    }
    left_out += ranks.cut(&mut others, GROUPS_MAX - own.len());
    own.append(&mut others);
    (own, left_out)
}

fn lives(entry: &ProcessEntry) -> bool {
    entry.info.exited.is_none() && !entry.info.is_group()
}

/// Whether it is in a container or unit, as far as its cgroup could be read.
pub fn is_in_group(container: &ContainerFacts) -> bool {
    is_whole(&container.kind, &container.root)
}

fn group(key: SeriesKey, entry: &ProcessEntry) -> Group {
    let mut group = Group {
        key,
        container: Arc::clone(&entry.info.container),
        members: Vec::new(),
        live: 0,
    };
    group.add(entry);
    group
}

impl Group {
    fn add(&mut self, entry: &ProcessEntry) {
        self.live = self.live.saturating_add(entry.totals.live());
        self.members.push(Member {
            handle: entry.handle,
            pid: entry.info.pid,
            began: entry.info.started,
        });
    }
}

/// What is read first gets the round's time. Live bytes are committed, not touched: anybody can have
/// many for nothing.
fn turn(group: &Group) -> u8 {
    match group.key {
        SeriesKey::Container(_) if tenant(&group.container).is_some() => 2,
        SeriesKey::Container(_) => 0,
        SeriesKey::Process(_) => 1,
    }
}

/// Who made the cgroup, if not the system: the user's slice, or the container around it.
pub fn tenant(container: &ContainerFacts) -> Option<&str> {
    if let Some((_, outer)) = container.id.split_once('@') {
        return Some(outer);
    }
    let below = container.root.strip_prefix("/user.slice/")?;
    below.split('/').next()
}

mod handle {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::ids::ProcessHandle;

    pub(super) fn serialize<S: Serializer>(
        handle: &ProcessHandle,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        handle.0.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ProcessHandle, D::Error> {
        u32::deserialize(deserializer).map(ProcessHandle)
    }
}
