//! Adds up, by process and owner, what was demanded and what was given back.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    BehalfKey, OwnerKey, ProcessEntry, RowKey, Snapshot, TargetInfo,
    ended::EndedGroups,
    owner::{own_row, rows_of},
};
use crate::{
    ids::{BootTime, Cookie, ProcessHandle, StackId},
    ledger::{AddressSpace, Change, Owner},
    touch::TouchChange,
};

mod process;

use process::Process;

/// Bounds of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLimits {
    /// Rows by owner; what comes beyond goes to its process's `Folded` row.
    pub rows: usize,
    /// Rows by connection, and by stack on a connection; what comes beyond goes to the row of
    /// folded connections, or to none.
    pub connection_rows: usize,
    /// Processes that have ended and are still kept apart. Beyond, those of one name and container
    /// become one.
    pub exited: usize,
    /// Such groups.
    pub groups: usize,
}

impl Default for TableLimits {
    fn default() -> Self {
        Self {
            rows: 131_072,
            connection_rows: 65_536,
            exited: 1024,
            groups: 1024,
        }
    }
}

/// How full the table is, and what it could not keep apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStatus {
    /// Rows by owner now.
    pub rows: usize,
    /// Rows by connection now, and by stack on a connection.
    pub connection_rows: usize,
    /// Processes now, with those that ended.
    pub processes: usize,
    /// Changes that went to a `Folded` row because the table was full.
    pub folded_changes: u64,
    /// The same for rows by connection.
    pub folded_connection_changes: u64,
    /// Bytes given back by an owner that had fewer: a sign of a ledger and a table at odds.
    pub unmatched_freed_bytes: u64,
    /// Processes that ended and were put together with others.
    pub exited_grouped: u64,
    /// Groups of them whose rows were dropped to make room.
    pub groups_dropped: u64,
    /// Rows without live memory that were dropped to make room.
    pub quiet_dropped: u64,
    /// Changes of processes that were never introduced.
    pub unknown_process: u64,
}

impl TableStatus {
    /// The count that a row of this kind is in.
    fn rows_like(&mut self, owner: OwnerKey) -> &mut usize {
        if owner.is_by_owner() {
            &mut self.rows
        } else {
            &mut self.connection_rows
        }
    }

    /// Takes a row out of the count. Always `false`, for `retain`.
    fn drop_row(&mut self, owner: OwnerKey) -> bool {
        *self.rows_like(owner) -= 1;
        false
    }

    fn has_room(&self, owner: OwnerKey, limits: &TableLimits) -> bool {
        if owner.is_by_owner() {
            self.rows < limits.rows
        } else {
            self.connection_rows < limits.connection_rows
        }
    }

    fn note_folded(&mut self, owner: OwnerKey) {
        if owner.is_by_owner() {
            self.folded_changes += 1;
        } else {
            self.folded_connection_changes += 1;
        }
    }
}

/// What a process's ledger holds at the moment of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFold {
    /// Private writable anonymous bytes mapped.
    pub committed: u64,
    /// Part of them given back with madvise.
    pub released: u64,
    /// Mappings.
    pub mappings: u64,
    /// Operations seen.
    pub operations: u64,
    /// Operations lost.
    pub lost: u64,
    /// Oldest memory that is still live, whoever owns it.
    pub oldest: BootTime,
    /// Newest memory that is still live.
    pub newest: BootTime,
    /// By owner. An owner may come more than once.
    pub owners: Vec<OwnerFold>,
}

impl ProcessFold {
    /// What a ledger holds. Its operations are counted elsewhere.
    pub fn new(space: &AddressSpace, operations: u64, lost: u64) -> Self {
        let owners = space.live_by_owner();
        let oldest = owners.values().map(|live| live.oldest).min();
        let newest = owners.values().map(|live| live.newest).max();
        Self {
            committed: space.committed_bytes(),
            released: space.released_bytes(),
            mappings: space.len() as u64,
            operations,
            lost,
            oldest: oldest.unwrap_or_default(),
            newest: newest.unwrap_or_default(),
            owners: owners
                .into_iter()
                .flat_map(|(owner, live)| {
                    rows_of(owner).map(move |(owner, _)| OwnerFold {
                        owner,
                        oldest: live.oldest,
                        newest: live.newest,
                    })
                })
                .collect(),
        }
    }
}

/// What one owner still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerFold {
    /// Who.
    pub owner: OwnerKey,
    /// Oldest memory that is still live.
    pub oldest: BootTime,
    /// Newest memory that is still live.
    pub newest: BootTime,
}

/// The growth of every process that is observed.
#[derive(Debug, Default)]
pub struct GrowthTable {
    limits: TableLimits,
    processes: HashMap<ProcessHandle, Process>,
    /// In the order in which they ended.
    exited: VecDeque<(BootTime, ProcessHandle)>,
    groups: EndedGroups,
    status: TableStatus,
    /// First touches are sampled.
    knows_touches: bool,
}

impl GrowthTable {
    /// An empty table.
    pub fn new(limits: TableLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Introduces a process, or replaces what is known of it.
    pub fn observe(&mut self, handle: ProcessHandle, info: TargetInfo) {
        let newly_exited = match self.processes.get_mut(&handle) {
            Some(process) => {
                let before = process.info.exited;
                if *process.info != info {
                    process.info = Arc::new(info);
                }
                before.is_none().then_some(process.info.exited).flatten()
            }
            None => {
                let exited = info.exited;
                self.processes.insert(handle, Process::new(info));
                exited
            }
        };
        if let Some(time) = newly_exited {
            self.exited.push_back((time, handle));
            self.group_beyond_limit();
        }
    }

    /// What is known of a process.
    pub fn info(&self, handle: ProcessHandle) -> Option<&Arc<TargetInfo>> {
        self.processes.get(&handle).map(|process| &process.info)
    }

    /// Marks the end of a process's life. Its memory must have been freed by changes before.
    pub fn exited(&mut self, handle: ProcessHandle, time: BootTime) {
        if let Some(process) = self.processes.get_mut(&handle) {
            process.forget_inherited(&mut self.status);
            let mut info = TargetInfo::clone(&process.info);
            info.exited = Some(time);
            self.observe(handle, info);
        }
    }

    /// Takes over what an operation changed. Bytes that a captured stack committed are one event.
    pub fn apply(&mut self, handle: ProcessHandle, change: &Change) {
        if change.committed > 0 {
            self.make_room(handle, own_row(change.owner));
        }
        let Some(process) = self.processes.get_mut(&handle) else {
            self.status.unknown_process += 1;
            return;
        };
        let captured = matches!(change.owner, Owner::Stack { .. }) && change.committed > 0;
        let events = u64::from(captured);
        process.record(change, events, &self.limits, &mut self.status);
    }

    /// First touches of pages are sampled, or not: then rows say nothing of what is resident.
    pub fn know_touches(&mut self, known: bool) {
        self.knows_touches = known;
    }

    /// Takes over that sampled bytes became resident, or are no longer.
    pub fn touched(&mut self, handle: ProcessHandle, touch: &TouchChange) {
        if touch.came {
            self.make_room(handle, Some(touch.toucher.owner));
        }
        match self.processes.get_mut(&handle) {
            Some(process) => process.touched(touch, &self.limits, &mut self.status),
            None => self.status.unknown_process += 1,
        }
    }

    /// Takes over what a new process has from its parent: live memory that it did not demand.
    pub fn inherit(&mut self, handle: ProcessHandle, space: &AddressSpace) {
        for (owner, live) in space.live_by_owner() {
            self.make_room(handle, own_row(owner));
            let Some(process) = self.processes.get_mut(&handle) else {
                self.status.unknown_process += 1;
                return;
            };
            process.inherit(owner, live.bytes, &self.limits, &mut self.status);
        }
    }

    /// In a full table, makes room for a row that is not there yet: by putting processes that have
    /// ended together, and only when all of them are by dropping a group.
    fn make_room(&mut self, handle: ProcessHandle, owner: Option<OwnerKey>) {
        let has_row = |process: &Process| owner.is_none_or(|owner| process.has_row(owner));
        if self.status.rows < self.limits.rows || self.processes.get(&handle).is_none_or(has_row) {
            return;
        }
        while self.status.rows >= self.limits.rows {
            match self.exited.pop_front() {
                Some((time, handle)) => self.group(time, handle),
                None => return self.drop_oldest_group(),
            }
        }
    }

    /// The table at `time`. `fold` gives what the ledger of a process holds now; none for one that
    /// has no ledger any more.
    pub fn snapshot(
        &mut self,
        time: BootTime,
        mut fold: impl FnMut(ProcessHandle) -> Option<ProcessFold>,
    ) -> Snapshot {
        let mut snapshot = Snapshot {
            time,
            rows: Vec::with_capacity(self.status.rows),
            processes: Vec::with_capacity(self.processes.len()),
        };
        for (&handle, process) in &mut self.processes {
            process.settle(time, fold(handle).as_ref());
            snapshot.processes.push(ProcessEntry {
                handle,
                info: Arc::clone(&process.info),
                totals: process.totals,
            });
            let rows = process.rows(self.knows_touches);
            snapshot.rows.extend(rows.map(|(owner, row)| {
                let key = RowKey {
                    process: handle,
                    owner,
                };
                (key, row)
            }));
        }
        snapshot
    }

    /// One process now, with what its ledger holds: far cheaper than a snapshot of all.
    pub fn entry(&self, handle: ProcessHandle, fold: Option<&ProcessFold>) -> Option<ProcessEntry> {
        let process = self.processes.get(&handle)?;
        Some(ProcessEntry {
            handle,
            info: Arc::clone(&process.info),
            totals: process.totals_with(fold),
        })
    }

    /// No longer keeps processes apart that ended before `time`: no kept snapshot has them live.
    pub fn group_exited_before(&mut self, time: BootTime) {
        while let Some(&(exited, handle)) = self.exited.front() {
            if exited >= time {
                break;
            }
            self.exited.pop_front();
            self.group(exited, handle);
        }
    }

    /// Drops rows of stacks of which nothing is live and nothing has changed since `time`: what
    /// they demanded stays in the exact totals of their process. For when there is little room.
    pub fn forget_quiet_since(&mut self, time: BootTime) {
        for process in self.processes.values_mut() {
            process.forget_quiet_since(time, &mut self.status);
        }
    }

    /// Puts a connection that is over together with others: with those to its peer, or, if it holds
    /// memory still, with all that are not kept apart.
    pub fn fold_connection(&mut self, handle: ProcessHandle, cookie: Cookie, into: BehalfKey) {
        if let Some(process) = self.processes.get_mut(&handle) {
            process.fold_connection(cookie, into, &self.limits, &mut self.status);
        }
    }

    /// More than three quarters of the rows are taken.
    pub fn is_nearly_full(&self) -> bool {
        self.status.rows >= self.limits.rows / 4 * 3
    }

    /// Every stack that a row refers to.
    pub fn stacks(&self) -> HashSet<StackId> {
        self.processes.values().flat_map(Process::stacks).collect()
    }

    /// How full it is.
    pub fn status(&self) -> TableStatus {
        TableStatus {
            processes: self.processes.len(),
            ..self.status
        }
    }

    fn group_beyond_limit(&mut self) {
        while self.exited.len() > self.limits.exited {
            if let Some((time, handle)) = self.exited.pop_front() {
                self.group(time, handle);
            }
        }
    }

    /// Adds a process that has ended to its group. One that a filter left out at `time` and that
    /// was taken in again since then is alive, and stays.
    fn group(&mut self, time: BootTime, handle: ProcessHandle) {
        if self.info(handle).and_then(|info| info.exited) != Some(time) {
            return;
        }
        let Some(ended) = self.remove(handle) else {
            return;
        };
        self.status.exited_grouped += 1;
        let handle = self.groups.of(&ended.info, time);
        let group = self.processes.entry(handle);
        let group = group.or_insert_with(|| Process::new(ended.info.group()));
        if group.info.exited < Some(time) {
            Arc::make_mut(&mut group.info).exited = Some(time);
        }
        group.add_ended(&ended, &self.limits, &mut self.status);
        if self.groups.len() > self.limits.groups {
            self.drop_oldest_group();
        }
    }

    fn drop_oldest_group(&mut self) {
        if let Some(handle) = self.groups.forget_oldest() {
            self.remove(handle);
            self.status.groups_dropped += 1;
        }
    }

    fn remove(&mut self, handle: ProcessHandle) -> Option<Process> {
        let process = self.processes.remove(&handle)?;
        process.forget_all(&mut self.status);
        Some(process)
    }
}

#[cfg(test)]
mod tests;
