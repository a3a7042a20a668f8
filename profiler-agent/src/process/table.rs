//! The table itself: what it holds, its bounds, and what can be asked of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::facts::Width;
use super::life::{Policy, Process, SpaceId, Start, State};
use super::proc_fs::ProcSource;
use super::queue::Queue;
use super::step::Step;
use crate::container::{CacheCounters, ContainerCache};
use crate::filter::{Decision, Filter, Subject};
use crate::ids::{BootTime, ProcessHandle};

/// What a table is made with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The agent; it and what it starts are never observed.
    pub own_pid: u32,
    /// When observation began: what started before and is found later was not lost but there.
    pub observed_since: BootTime,
    /// Most processes in the table.
    pub processes_max: usize,
    /// From an exec or fork to the reading of `/proc`. Most short-lived processes are over by
    /// then and never cost it.
    pub adopt_after: Duration,
    /// Most cgroups that are remembered.
    pub cgroups_max: usize,
    /// What the kernel programs do with a process that they were told nothing about.
    pub default_policy: Policy,
}

impl Settings {
    /// The usual bounds.
    pub fn new(own_pid: u32, observed_since: BootTime) -> Self {
        Self {
            own_pid,
            observed_since,
            processes_max: profiler_common::config::PROCESSES_MAX as usize,
            adopt_after: Duration::from_millis(30),
            cgroups_max: 8192,
            default_policy: Policy::Observe,
        }
    }
}

/// What could not be followed, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCounters {
    /// Times that a process found no place in the table; it is not observed.
    pub table_full: u64,
    /// Processes that had ended before `/proc` could be read for them.
    pub vanished: u64,
    /// Pids that turned out to be another process's: its exit had been lost.
    pub reused: u64,
    /// Processes first heard of by an operation or exec: their fork had been lost.
    pub unannounced: u64,
    /// Events of an earlier user of a pid; dropped.
    pub stale_events: u64,
    /// 32-bit processes seen.
    pub unsupported: u64,
    /// Processes found gone in a scan: their exit had been lost.
    pub missed_exits: u64,
    /// Processes found in a scan to run another program: their exec had been lost.
    pub missed_execs: u64,
}

/// How many processes are in which state now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// See [`State::Observed`].
    pub observed: u32,
    /// See [`State::Stale`].
    pub stale: u32,
    /// See [`State::Counting`].
    pub counting: u32,
    /// See [`State::Unsupported`].
    pub unsupported: u32,
    /// See [`State::Ignored`].
    pub ignored: u32,
}

/// Where an operation belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this address space.
    Space {
        /// The life it happened in.
        process: ProcessHandle,
        /// The ledger it changes.
        space: SpaceId,
    },
    /// Nowhere: the process is left out, unsupported, beyond the bound, or a former user of a pid.
    Nowhere,
}

/// All processes, by pid.
#[derive(Debug)]
pub struct ProcessTable<S> {
    pub(super) source: S,
    pub(super) settings: Settings,
    pub(super) filter: Filter,
    pub(super) cgroups: ContainerCache,
    pub(super) processes: HashMap<u32, Process>,
    pub(super) by_handle: HashMap<ProcessHandle, u32>,
    /// Processes by the address space that they use.
    users: HashMap<SpaceId, u32>,
    pub(super) queue: Queue,
    pub(super) next_handle: u32,
    pub(super) next_space: u32,
    pub(super) counters: ProcessCounters,
}

impl<S: ProcSource> ProcessTable<S> {
    /// An empty table; [`Self::scan`] fills it.
    pub fn new(source: S, settings: Settings, filter: Filter) -> Self {
        Self {
            source,
            settings,
            filter,
            cgroups: ContainerCache::new(settings.cgroups_max),
            processes: HashMap::new(),
            by_handle: HashMap::new(),
            users: HashMap::new(),
            queue: Queue::default(),
            next_handle: 1,
            next_space: 1,
            counters: ProcessCounters::default(),
        }
    }

    /// A life without a space; `None` (and counted) when the table is full.
    pub(super) fn blank(&mut self, pid: u32, start: Start, began: BootTime) -> Option<Process> {
        if pid == 0 || self.processes.len() >= self.settings.processes_max {
            self.counters.table_full += 1;
            return None;
        }
        Some(Process {
            handle: self.new_handle(),
            pid,
            parent: 0,
            space: None,
            state: State::Observed,
            name: String::new(),
            executable: String::new(),
            deleted: false,
            namespace_pid: 0,
            uid: 0,
            width: Width::Unknown,
            cgroup: 0,
            container: None,
            began,
            own: pid == self.settings.own_pid,
            start,
            read_at: None,
            policy: self.settings.default_policy,
            ticket: None,
            reconcile: None,
        })
    }

    pub(super) fn insert(&mut self, process: Process) {
        self.by_handle.insert(process.handle, process.pid);
        self.processes.insert(process.pid, process);
    }

    /// What the filter says; the agent's own are always left out.
    pub(super) fn decide(&self, process: &Process) -> Decision {
        if process.own {
            return Decision::Ignore;
        }
        self.filter.decide(Subject {
            pid: process.pid,
            name: &process.name,
            container: process.container.as_deref(),
        })
    }

    /// Tells the kernel programs, if that is news to them.
    pub(super) fn tell(&mut self, pid: u32, policy: Policy, steps: &mut Vec<Step>) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.policy != policy
        {
            process.policy = policy;
            steps.push(Step::SetPolicy { pid, policy });
        }
    }

    fn new_handle(&mut self) -> ProcessHandle {
        // Numbers come round after 2^32 lives; those in use are passed over.
        loop {
            let handle = ProcessHandle(self.next_handle);
            self.next_handle = self.next_handle.wrapping_add(1);
            if !self.by_handle.contains_key(&handle) {
                return handle;
            }
        }
    }

    /// A space with one user.
    pub(super) fn new_space(&mut self) -> SpaceId {
        loop {
            let space = SpaceId(self.next_space);
            self.next_space = self.next_space.wrapping_add(1);
            if let std::collections::hash_map::Entry::Vacant(entry) = self.users.entry(space) {
                entry.insert(1);
                return space;
            }
        }
    }

    pub(super) fn join(&mut self, space: SpaceId) {
        *self.users.entry(space).or_insert(0) += 1;
    }

    /// One user less; without users a space is dropped.
    pub(super) fn part(&mut self, space: SpaceId, steps: &mut Vec<Step>) {
        let users = self.users.get_mut(&space);
        match users {
            Some(users) if *users > 1 => *users -= 1,
            _ => {
                self.users.remove(&space);
                steps.push(Step::DropSpace { space });
            }
        }
    }

    /// Whether other processes use this space too.
    pub(super) fn is_shared(&self, space: SpaceId) -> bool {
        self.users.get(&space).is_some_and(|&users| users > 1)
    }

    pub(super) fn after(&self, time: BootTime) -> BootTime {
        let delay = u64::try_from(self.settings.adopt_after.as_nanos()).unwrap_or(u64::MAX);
        BootTime(time.0.saturating_add(delay))
    }

    /// The process that has this pid now.
    pub fn get(&self, pid: u32) -> Option<&Process> {
        self.processes.get(&pid)
    }

    /// A life that has not ended.
    pub fn by_handle(&self, handle: ProcessHandle) -> Option<&Process> {
        self.get(*self.by_handle.get(&handle)?)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// How many are in which state.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for process in self.processes.values() {
            match process.state {
                State::Observed => counts.observed += 1,
                State::Stale => counts.stale += 1,
                State::Counting => counts.counting += 1,
                State::Unsupported => counts.unsupported += 1,
                State::Ignored => counts.ignored += 1,
                State::Exited => {}
            }
        }
        counts
    }

    /// How many containers have processes that are followed.
    pub fn containers(&self) -> usize {
        let followed = self.iter().filter(|process| process.state.is_followed());
        let roots: HashSet<&str> = followed
            .filter_map(|process| process.container.as_deref())
            .filter(|info| info.is_container())
            .map(|info| info.root.as_str())
            .collect();
        roots.len()
    }

    /// What could not be followed.
    pub fn counters(&self) -> ProcessCounters {
        self.counters
    }

    /// What the cache of cgroups did.
    pub fn cgroup_counters(&self) -> CacheCounters {
        self.cgroups.counters()
    }
}

/// What the kernel is to do with a process in this state.
pub(super) fn policy_of(state: State) -> Policy {
    match state {
        State::Observed | State::Stale | State::Exited => Policy::Observe,
        State::Counting => Policy::Count,
        State::Unsupported | State::Ignored => Policy::Ignore,
    }
}
