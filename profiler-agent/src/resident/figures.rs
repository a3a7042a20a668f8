//! What was read of one container, unit or process.

use pbjson_types::Timestamp;
use profiler_analysis::verdict::Load;
use profiler_proto::v1;
use serde::{Deserialize, Serialize};

/// Where figures come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A memory cgroup of the v2 tree.
    Cgroup2,
    /// A memory cgroup of v1.
    Cgroup1,
    /// The sum over its processes. Pages that they share since a fork are in it once for each.
    #[default]
    Processes,
}

impl Source {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cgroup2 => "cgroup2",
            Self::Cgroup1 => "cgroup1",
            Self::Processes => "processes",
        }
    }
}

/// The limit that anonymous memory with swap runs into first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What anonymous memory with swap can have, in bytes: less what others in that cgroup hold and
    /// can't be reclaimed, and less its own tmpfs, sockets and kernel memory. At least 1: 0 would be
    /// taken for none.
    pub bytes: u64,
    /// The same if there were no others, by the smallest of its own limit and those around it.
    pub alone: u64,
    /// The cgroup that sets it; empty where that lies above what can be seen.
    pub cgroup: String,
}

/// Counted since the cgroup began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Times that it was above `memory.high`.
    pub high: Option<u64>,
    /// Times that the limit held it back.
    pub max: Option<u64>,
    /// Times that reclaim did not help at the limit.
    pub oom: Option<u64>,
    /// Processes that were killed for it.
    pub oom_kill: Option<u64>,
}

/// Shares of the last 60 s in which some, or all, of its tasks waited for memory, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// At least one.
    pub some: Option<f64>,
    /// All.
    pub full: Option<f64>,
}

/// What was read. Bytes; what the kernel does not tell here is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Where it comes from.
    pub source: Source,
    /// Identity of the life of its memory cgroup: the inode of the directory, which a cgroup made
    /// anew under the same path does not have again. None for sums over processes.
    pub life: Option<u64>,
    /// Anonymous and resident, huge pages included.
    pub anon: u64,
    /// Anonymous and swapped out.
    pub swap: u64,
    /// Page cache, shmem included.
    pub file: Option<u64>,
    /// Shared memory and tmpfs.
    pub shmem: Option<u64>,
    /// Socket buffers.
    pub sock: Option<u64>,
    /// Kernel memory.
    pub kernel: Option<u64>,
    /// Of `anon`, in huge pages.
    pub anon_thp: Option<u64>,
    /// Everything that is charged.
    pub usage: Option<u64>,
    /// None: there is no limit, or none is known.
    pub limit: Option<Limit>,
    /// See [`Events`].
    pub events: Events,
    /// See [`Pressure`].
    pub pressure: Pressure,
    /// Processes that live.
    pub processes: u32,
}

/// What `/proc` says of one process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessFigures {
    /// `RssAnon`.
    pub anon: u64,
    /// `VmSwap`.
    pub swap: u64,
}

impl Figures {
    /// What series are about: anonymous memory that is resident or swapped out.
    pub fn series_bytes(&self) -> u64 {
        self.anon.saturating_add(self.swap)
    }

    /// As answers carry it.
    pub fn to_wire(&self, time: Timestamp, load: &Load) -> v1::Resident {
        v1::Resident {
            time: Some(time),
            anon_bytes: self.anon,
            swap_bytes: self.swap,
            file_bytes: self.file,
            shmem_bytes: self.shmem,
            sock_bytes: self.sock,
            kernel_bytes: self.kernel,
            anon_thp_bytes: self.anon_thp,
            usage_bytes: self.usage,
            limit_bytes: self.limit.as_ref().map(|limit| limit.bytes),
            limit_cgroup: self
                .limit
                .as_ref()
                .map(|limit| limit.cgroup.clone())
                .unwrap_or_default(),
            events_high: self.events.high,
            events_max: self.events.max,
            events_oom: self.events.oom,
            events_oom_kill: self.events.oom_kill,
            pressure_some: self.pressure.some,
            pressure_full: self.pressure.full,
            processes: self.processes,
            source: self.source.as_str().to_owned(),
            received_bytes: load.received_bytes,
            received_calls: load.received_calls,
            open_connections: load.open_connections,
        }
    }
}
