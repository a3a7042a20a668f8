//! The growth table at one moment.

use std::sync::Arc;

use super::{OwnerKey, TargetInfo};
use crate::ids::{BootTime, ProcessHandle};

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey {
    /// The process.
    pub process: ProcessHandle,
    /// Who in it.
    pub owner: OwnerKey,
}

/// Growth of one owner in one process since observation began. For stacks these are estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Committed bytes demanded.
    pub allocated: u64,
    /// Bytes that were the parent's demand, and there when it forked.
    pub inherited: u64,
    /// Of both, bytes given back.
    pub freed: u64,
    /// Captured events.
    pub events: u64,
    /// Bytes of private anonymous memory that it touched first and that are resident still; none
    /// where first touches are not sampled, or not by such rows.
    pub resident: Option<u64>,
    /// When the oldest memory that is still live was committed; 0 when none is.
    pub oldest: BootTime,
    /// When the newest was.
    pub newest: BootTime,
}

impl Row {
    /// Bytes that are still there.
    pub fn live(&self) -> u64 {
        let had = self.allocated.saturating_add(self.inherited);
        had.saturating_sub(self.freed)
    }
}

/// Exact figures of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Committed bytes demanded since observation began.
    pub allocated: u64,
    /// Bytes that were the parent's demand, and there when it forked.
    pub inherited: u64,
    /// Of both, bytes given back.
    pub freed: u64,
    /// Private writable anonymous bytes mapped now.
    pub committed: u64,
    /// Part of `committed` given back with madvise.
    pub released: u64,
    /// Operations on its address space that were seen.
    pub operations: u64,
    /// Operations that were lost.
    pub lost: u64,
    /// Mappings in its ledger.
    pub mappings: u64,
    /// Oldest memory that is still live; 0 when none is.
    pub oldest: BootTime,
    /// Newest memory that is still live.
    pub newest: BootTime,
}

impl Totals {
    /// Bytes that are still there: mapped and not given back.
    pub fn live(&self) -> u64 {
        let had = self.allocated.saturating_add(self.inherited);
        had.saturating_sub(self.freed)
    }
}

/// A process in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessEntry {
    /// Which.
    pub handle: ProcessHandle,
    /// Facts.
    pub info: Arc<TargetInfo>,
    /// Figures.
    pub totals: Totals,
}

/// The table at one moment. Rows and processes come in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment.
    pub time: BootTime,
    /// By process and owner.
    pub rows: Vec<(RowKey, Row)>,
    /// Every process that a row refers to, and those without rows.
    pub processes: Vec<ProcessEntry>,
}

impl Snapshot {
    /// The processes, to choose from.
    pub fn targets(&self) -> impl Iterator<Item = (ProcessHandle, &TargetInfo)> + Clone {
        let processes = self.processes.iter();
        processes.map(|entry| (entry.handle, &*entry.info))
    }

    /// In order of keys, to compare.
    pub fn sorted(mut self) -> Self {
        self.rows.sort_by_key(|(key, _)| *key);
        self.processes.sort_by_key(|entry| entry.handle);
        self
    }
}
