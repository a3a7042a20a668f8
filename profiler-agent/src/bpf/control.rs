//! What the agent writes to and reads from the kernel programs while they run.

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError, PerCpuArray},
};
use profiler_common::{
    config::ProcessEntry,
    counter::{COUNT, COUNTERS},
};

/// Policy by process, capture interval, counters.
pub struct Control {
    processes: HashMap<MapData, u32, ProcessEntry>,
    counters: PerCpuArray<MapData, u64>,
    interval: Array<MapData, u64>,
}

impl Control {
    /// Takes the maps out of the object.
    ///
    /// # Errors
    /// An object of another version.
    pub fn take(object: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self {
            processes: HashMap::try_from(map(object, "PROCESSES")?)?,
            counters: PerCpuArray::try_from(map(object, "COUNTERS")?)?,
            interval: Array::try_from(map(object, "CAPTURE_INTERVAL")?)?,
        })
    }

    /// Sums over all CPUs, by `profiler_common::counter` index.
    ///
    /// # Errors
    /// The kernel refuses the look-up.
    pub fn counters(&self) -> Result<[u64; COUNT as usize], MapError> {
        let mut sums = [0; COUNT as usize];
        for counter in COUNTERS {
            sums[counter.index as usize] = self.counters.get(&counter.index, 0)?.iter().sum();
        }
        Ok(sums)
    }

    /// Mean number of committed bytes between two captures.
    ///
    /// # Errors
    /// The kernel refuses the write.
    pub fn set_interval(&mut self, bytes: u64) -> Result<(), MapError> {
        self.interval.set(0, bytes, 0)
    }

    /// Sets a process's policy (`POLICY_*`).
    ///
    /// # Errors
    /// The map is full, or the kernel refuses the write.
    pub fn set_policy(&mut self, pid: u32, policy: u32) -> Result<(), MapError> {
        self.change(pid, |entry| entry.policy = policy)
    }

    /// Sets a process's own capture interval in bytes; 0 goes back to the one of all.
    ///
    /// # Errors
    /// The map is full, or the kernel refuses the write.
    pub fn set_process_interval(&mut self, pid: u32, bytes: u64) -> Result<(), MapError> {
        self.change(pid, |entry| entry.capture_interval = bytes)
    }

    /// Reads, changes and writes an entry. What the kernel wrote in between is lost: a count of
    /// losses that is compared for change only, and a break that the next brk corrects.
    fn change(&mut self, pid: u32, change: impl FnOnce(&mut ProcessEntry)) -> Result<(), MapError> {
        let mut entry = self.processes.get(&pid, 0).unwrap_or_default();
        change(&mut entry);
        self.processes.insert(pid, entry, 0)
    }

    /// Forgets a process that has ended; fine if it is gone already.
    pub fn forget(&mut self, pid: u32) {
        // Absent is what we want.
        let _ = self.processes.remove(&pid);
    }

    /// Every process of which operations were lost or only counted, and how many.
    pub fn losses(&self) -> Vec<(u32, u64)> {
        let entries = self.processes.iter().filter_map(Result::ok);
        entries
            .filter(|(_, entry)| entry.lost > 0)
            .map(|(pid, entry)| (pid, entry.lost))
            .collect()
    }
}

pub(super) fn map(object: &mut Ebpf, name: &str) -> anyhow::Result<aya::maps::Map> {
    object
        .take_map(name)
        .with_context(|| format!("the kernel object has no map {name}"))
}
