//! Snapshots of the past within a fixed amount of memory.
//!
//! The oldest and the newest kept snapshot are held in full, the ones between as differences to
//! the one before. With age they are thinned: a difference that is dropped is added to the next.
//! When the budget is reached the oldest snapshots go first, and that is counted.

mod codec;
mod column;
mod entry;
mod recall;
mod walk;

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use self::{
    column::Column,
    entry::{entry_of, entry_of_totals},
    recall::Path,
};
use super::{ProcessEntry, RowKey, Snapshot, TargetInfo};
use crate::ids::{BootTime, ProcessHandle};

pub use recall::Recall;
pub use walk::Walk;

const SECOND: u64 = 1_000_000_000;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Every snapshot is kept for so long, in nanoseconds.
    pub fine: u64,
    /// After that one in each interval of so long …
    pub coarse_step: u64,
    /// … until it is so old.
    pub coarse: u64,
    /// Of the processes that began and ended since the snapshot before, so many are kept: those that
    /// demanded the most. The others come in with the group that they are put in later.
    pub ended_new: usize,
    /// Memory for all of it, in bytes. The newest snapshot is kept even if it alone needs more.
    pub budget: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            fine: 15 * 60 * SECOND,
            coarse_step: 60 * SECOND,
            coarse: 6 * 3600 * SECOND,
            ended_new: 32,
            budget: 64 << 20,
        }
    }
}

/// How much of the past there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryStatus {
    /// Memory in use.
    pub bytes: usize,
    /// Memory allowed.
    pub budget: usize,
    /// Snapshots kept.
    pub snapshots: usize,
    /// The oldest of them.
    pub oldest: Option<BootTime>,
    /// The newest of them.
    pub newest: Option<BootTime>,
    /// Snapshots that had to go before their time, to stay within the budget.
    pub evicted_early: u64,
    /// Times that a short-lived process was left out of a snapshot.
    pub ended_left_out: u64,
    /// Snapshots that were refused because they were not newer than the newest one.
    pub refused: u64,
}

/// A moment outside of what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no snapshot is kept for that time")]
pub struct OutOfRange {
    /// The oldest and the newest kept snapshot; none when there is none yet.
    pub kept: Option<(BootTime, BootTime)>,
}

/// A snapshot as the difference to the one before.
#[derive(Debug)]
struct Step {
    time: BootTime,
    rows: Arc<[u8]>,
    processes: Arc<[u8]>,
}

impl Step {
    fn bytes(&self) -> usize {
        // The counts of the `Arc`s lie beside their bytes.
        size_of::<Self>() + 32 + self.rows.len() + self.processes.len()
    }
}

/// Kept snapshots.
#[derive(Debug, Default)]
pub struct History {
    limits: HistoryLimits,
    /// Time of the snapshot that `Column::oldest` holds.
    oldest: Option<BootTime>,
    /// The snapshots after it.
    steps: VecDeque<Step>,
    step_bytes: usize,
    rows: Column<RowKey, 7>,
    processes: Column<ProcessHandle, 10>,
    infos: Arc<HashMap<ProcessHandle, Arc<TargetInfo>>>,
    info_bytes: usize,
    evicted_early: u64,
    ended_left_out: u64,
    refused: u64,
}

impl History {
    /// An empty history.
    pub fn new(limits: HistoryLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Keeps a snapshot, and lets go of what is too old or too much.
    pub fn push(&mut self, snapshot: &Snapshot) {
        let time = snapshot.time;
        if self.newest_time().is_some_and(|newest| time <= newest) {
            self.refused += 1;
            return;
        }
        let left_out = self.leave_out(snapshot);
        let rows = snapshot.rows.iter();
        let rows = rows.filter(|(key, _)| !left_out.contains(&key.process));
        let rows = rows.map(|(key, row)| (*key, entry_of(row)));
        let rows = self.rows.push(time, rows);
        let processes = snapshot.processes.iter();
        let processes = processes.filter(|entry| !left_out.contains(&entry.handle));
        let totals = processes.clone();
        let totals = totals.map(|entry| (entry.handle, entry_of_totals(&entry.totals)));
        let totals = self.processes.push(time, totals);
        self.take_infos(processes);
        if self.oldest.is_none() {
            self.start_at_newest(time);
        } else {
            let step = Step {
                time,
                rows: rows.into(),
                processes: totals.into(),
            };
            self.step_bytes += step.bytes();
            self.steps.push_back(step);
        }
        self.thin(time);
        self.keep_to_budget(snapshot);
    }

    /// The newest kept snapshot that is not after `time`.
    pub fn at(&self, time: BootTime) -> Result<Recall, OutOfRange> {
        let kept = self.oldest.zip(self.newest_time());
        let oldest = match kept {
            Some((oldest, _)) if oldest <= time => oldest,
            _ => return Err(OutOfRange { kept }),
        };
        let count = self.steps.partition_point(|step| step.time <= time);
        let sizes = |from, to| -> usize { self.steps.range(from..to).map(Step::bytes).sum() };
        let backwards = sizes(count, self.steps.len()) < sizes(0, count);
        let steps: Vec<&Step> = if backwards {
            self.steps.range(count..).rev().collect()
        } else {
            self.steps.range(..count).collect()
        };
        Ok(Recall {
            time: match count {
                0 => oldest,
                _ => self.steps[count - 1].time,
            },
            backwards,
            rows: path(&self.rows, backwards, &steps, |step| &step.rows),
            processes: path(&self.processes, backwards, &steps, |step| &step.processes),
            infos: Arc::clone(&self.infos),
        })
    }

    /// How much of the past there is.
    pub fn status(&self) -> HistoryStatus {
        HistoryStatus {
            bytes: self.bytes(),
            budget: self.limits.budget,
            snapshots: self.steps.len() + usize::from(self.oldest.is_some()),
            oldest: self.oldest,
            newest: self.newest_time(),
            evicted_early: self.evicted_early,
            ended_left_out: self.ended_left_out,
            refused: self.refused,
        }
    }

    fn newest_time(&self) -> Option<BootTime> {
        self.steps.back().map(|step| step.time).or(self.oldest)
    }

    fn start_at_newest(&mut self, time: BootTime) {
        self.rows.start_at_newest();
        self.processes.start_at_newest();
        self.oldest = Some(time);
    }

    /// Processes that ended without having been in any kept snapshot, but for the largest. There
    /// can be hundreds in a second, and each would take its place until it is too old.
    fn leave_out(&mut self, snapshot: &Snapshot) -> HashSet<ProcessHandle> {
        let ended = snapshot.processes.iter().filter(|entry| {
            let over = entry.info.exited.is_some() && !entry.info.is_group();
            over && !self.infos.contains_key(&entry.handle)
        });
        let mut ended: Vec<_> = ended
            .map(|entry| (Reverse(entry.totals.allocated), entry.handle))
            .collect();
        ended.sort_unstable();
        let left_out = ended.into_iter().skip(self.limits.ended_new);
        let left_out: HashSet<_> = left_out.map(|(_, handle)| handle).collect();
        self.ended_left_out += left_out.len() as u64;
        left_out
    }

    fn take_infos<'a>(&mut self, entries: impl Iterator<Item = &'a ProcessEntry>) {
        let changed = |entry: &&ProcessEntry| {
            let known = self.infos.get(&entry.handle);
            known.is_none_or(|info| !Arc::ptr_eq(info, &entry.info))
        };
        let fresh: Vec<_> = entries.filter(changed).collect();
        if fresh.is_empty() {
            return;
        }
        let infos = Arc::make_mut(&mut self.infos);
        for entry in fresh {
            self.info_bytes += entry.info.bytes();
            if let Some(old) = infos.insert(entry.handle, Arc::clone(&entry.info)) {
                self.info_bytes -= old.bytes();
            }
        }
    }

    /// Of the snapshots that are no longer fine, keeps the last one of each interval.
    fn thin(&mut self, now: BootTime) {
        let too_old = now.0.saturating_sub(self.limits.coarse);
        while self.oldest.is_some_and(|time| time.0 < too_old) && !self.steps.is_empty() {
            self.drop_oldest();
        }
        let fine = now.0.saturating_sub(self.limits.fine);
        let step = self.limits.coarse_step.max(1);
        let interval = |time: BootTime| time.0 / step;
        while let (Some(oldest), Some(next)) = (self.oldest, self.steps.front())
            && next.time.0 < fine
            && interval(oldest) == interval(next.time)
        {
            self.drop_oldest();
        }
        let mut place = 0;
        while place + 1 < self.steps.len() && self.steps[place + 1].time.0 < fine {
            if interval(self.steps[place].time) == interval(self.steps[place + 1].time) {
                self.merge_into_next(place);
            } else {
                place += 1;
            }
        }
    }

    fn merge_into_next(&mut self, place: usize) {
        let before = match place {
            0 => self.oldest.unwrap_or_default(),
            _ => self.steps[place - 1].time,
        };
        let Some(dropped) = self.steps.remove(place) else {
            return;
        };
        let next = &mut self.steps[place];
        let after = next.time;
        self.step_bytes -= dropped.bytes() + next.bytes();
        let (rows, cancelled_rows) = codec::compose::<7>(&dropped.rows, &next.rows);
        let (processes, cancelled) = codec::compose::<10>(&dropped.processes, &next.processes);
        next.rows = rows.into();
        next.processes = processes.into();
        self.step_bytes += next.bytes();
        self.rows.reclaim(&cancelled_rows, before, after, |_| ());
        let infos = Arc::make_mut(&mut self.infos);
        self.processes.reclaim(&cancelled, before, after, |handle| {
            if let Some(info) = infos.remove(&handle) {
                self.info_bytes -= info.bytes();
            }
        });
    }

    fn drop_oldest(&mut self) {
        let Some(step) = self.steps.pop_front() else {
            return;
        };
        self.step_bytes -= step.bytes();
        self.oldest = Some(step.time);
        self.rows.advance(&step.rows, step.time, |_| ());
        let infos = Arc::make_mut(&mut self.infos);
        self.processes
            .advance(&step.processes, step.time, |handle| {
                if let Some(info) = infos.remove(&handle) {
                    self.info_bytes -= info.bytes();
                }
            });
    }

    fn keep_to_budget(&mut self, newest: &Snapshot) {
        while self.bytes() > self.limits.budget && !self.steps.is_empty() {
            self.drop_oldest();
            self.evicted_early += 1;
        }
        if self.steps.is_empty() && (self.rows.is_sparse() || self.processes.is_sparse()) {
            *self = Self {
                evicted_early: self.evicted_early,
                ended_left_out: self.ended_left_out,
                refused: self.refused,
                ..Self::new(self.limits)
            };
            self.push(newest);
        }
    }

    fn bytes(&self) -> usize {
        let info = size_of::<(ProcessHandle, Arc<TargetInfo>)>() + 1;
        let infos = self.infos.capacity() * info * 8 / 7 + self.info_bytes;
        self.step_bytes + self.rows.bytes() + self.processes.bytes() + infos
    }
}

fn path<K: Copy + Eq + std::hash::Hash, const N: usize>(
    column: &Column<K, N>,
    backwards: bool,
    steps: &[&Step],
    part: impl Fn(&Step) -> &Arc<[u8]>,
) -> Path<K, N> {
    Path {
        keys: column.keys(),
        start: match backwards {
            true => column.newest(),
            false => column.oldest(),
        },
        differences: steps.iter().map(|step| Arc::clone(part(step))).collect(),
    }
}

#[cfg(test)]
mod tests;
