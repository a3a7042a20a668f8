//! What has a series, under a name that holds when the agent is started again.

use serde::{Deserialize, Serialize};

/// A container, unit or process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Key {
    /// A container or unit, by the cgroup directory that stands for it.
    Group(String),
    /// A process in neither, by pid and start time (nanoseconds of the boot clock, cut to ticks).
    Process {
        /// In the initial pid namespace.
        pid: u32,
        /// From `/proc/PID/stat`.
        started: u64,
    },
}
