//! One life of a process, and the address space it uses.

use std::sync::Arc;

use super::facts::Width;
use super::queue::Ticket;
use super::step::Why;
use crate::container::ContainerInfo;
use crate::ids::{BootTime, ProcessHandle};

/// An address space. Processes made by vfork, or by clone with `CLONE_VM`, use one together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceId(pub u32);

/// What is known of a process's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Every operation is followed.
    Observed,
    /// Operations were lost; the ledger waits to be brought in line.
    Stale,
    /// It storms: its operations are only counted.
    Counting,
    /// A 32-bit process: its system calls are not observed.
    Unsupported,
    /// Left out by the filter, or the agent's own.
    Ignored,
    /// It has ended, or runs another program now under a new handle.
    Exited,
}

impl State {
    /// There is a ledger for it.
    pub fn is_followed(self) -> bool {
        matches!(self, Self::Observed | Self::Stale | Self::Counting)
    }
}

/// What the kernel programs do with the operations of a process; see `POLICY_*` in
/// `profiler_common::config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Send every operation.
    Observe,
    /// Send its fork, exec and exit alone.
    Ignore,
    /// Count its operations.
    Count,
}

impl Policy {
    /// As the kernel programs know it.
    pub fn to_abi(self) -> u32 {
        use profiler_common::config::{POLICY_COUNT, POLICY_IGNORE, POLICY_OBSERVE};
        match self {
            Self::Observe => POLICY_OBSERVE,
            Self::Ignore => POLICY_IGNORE,
            Self::Count => POLICY_COUNT,
        }
    }
}

/// One life of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// This life.
    pub handle: ProcessHandle,
    /// In the initial pid namespace.
    pub pid: u32,
    /// The parent's pid when it was forked or first seen; 0 where that is not known.
    pub parent: u32,
    /// Its address space, while it is followed.
    pub space: Option<SpaceId>,
    /// See [`State`].
    pub state: State,
    /// comm.
    pub name: String,
    /// The path of its executable in its own mount namespace; empty until it was read.
    pub executable: String,
    /// The executable's file is gone, or was replaced.
    pub deleted: bool,
    /// The pid inside its own pid namespace; 0 until it was read.
    pub namespace_pid: u32,
    /// The real user id.
    pub uid: u32,
    /// 32 or 64 bits.
    pub width: Width,
    /// Inode of its cgroup v2 directory, as last seen in an event or read; 0 until then.
    pub cgroup: u64,
    /// What it belongs to, once that is known.
    pub container: Option<Arc<ContainerInfo>>,
    /// When this life began: its exec or fork, or the start of a process that was there before.
    pub began: BootTime,
    /// The agent itself, or below it.
    pub own: bool,
    pub(super) start: Start,
    /// When `/proc` was read for this life.
    pub(super) read_at: Option<BootTime>,
    pub(super) policy: Policy,
    pub(super) ticket: Option<Ticket>,
    /// Its ledger has to be brought in line when the ticket comes up.
    pub(super) reconcile: Option<Why>,
}

/// When the process (not this life of it) started, which tells two users of a pid apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// As `/proc/PID/stat` has it: cut to clock ticks.
    Read(BootTime),
    /// By the event of its fork.
    Forked(BootTime),
    /// Known from an event of a process that was there already.
    Before(BootTime),
}

/// The kernel's times are read at slightly different moments and cut to ticks of 10 ms.
const SLACK: u64 = 20_000_000;
/// From the start of a process to its fork event at the most, with preemption in between.
const FORK_DELAY: u64 = 1_000_000_000;

impl Start {
    /// Whether a process that `/proc` says started at `read` is this one.
    pub(super) fn is(self, read: BootTime) -> bool {
        match self {
            Self::Read(known) => known == read,
            Self::Forked(time) => {
                read.0 <= time.0.saturating_add(SLACK)
                    && read.0 >= time.0.saturating_sub(FORK_DELAY)
            }
            Self::Before(time) => read.0 <= time.0.saturating_add(SLACK),
        }
    }

    /// Whether the fork event at `time` is this process's own.
    pub(super) fn is_fork(self, time: BootTime) -> bool {
        match self {
            Self::Read(known) => Self::Forked(time).is(known),
            Self::Forked(known) => known == time,
            // An event of the child that came before its fork.
            Self::Before(known) => {
                known.0 >= time.0 && known.0 <= time.0.saturating_add(FORK_DELAY)
            }
        }
    }

    /// Whether an event at `time` is of an earlier user of the pid.
    pub(super) fn is_after(self, time: BootTime) -> bool {
        match self {
            Self::Read(known) | Self::Forked(known) => known > time,
            Self::Before(_) => false,
        }
    }
}
