//! How far an answer can be trusted.

use std::{collections::HashSet, fs};

use profiler_common::counter::{self, COUNTERS};
use profiler_proto::v1;

use super::selector::Selection;
use crate::{
    ids::BootTime,
    profile::{HistoryStatus, Snapshot, TargetState},
};

/// The kernel is asked for its own figures of at most so many processes in one answer.
const KERNEL_ASKED_MAX: usize = 500;

/// How a capability of the kernel side is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapabilityFacts {
    /// For example "commit events".
    pub name: String,
    /// The way chosen; empty when none works.
    pub chosen: String,
    /// What was tried before, and why it did not work.
    pub refused: Vec<String>,
}

/// Something that user space lost or folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossFacts {
    /// Stable name.
    pub cause: &'static str,
    /// How often.
    pub count: u64,
    /// For people.
    pub meaning: &'static str,
}

/// What the pipeline knows of itself.
#[derive(Clone, Debug, Default)]
pub struct StatusFacts {
    /// When observation began.
    pub started: BootTime,
    /// What the kernel side can do here, and how.
    pub capabilities: Vec<CapabilityFacts>,
    /// The kernel side's counters, by their index in `COUNTERS`.
    pub counters: Vec<u64>,
    /// Losses in user space.
    pub losses: Vec<LossFacts>,
    /// Processes with a ledger.
    pub processes_observed: u32,
    /// Processes that a filter leaves out.
    pub processes_ignored: u32,
    /// 32-bit processes.
    pub processes_unsupported: u32,
    /// Processes that storm.
    pub processes_counting: u32,
    /// Mean interval between captures, in bytes.
    pub capture_interval: u64,
    /// Stacks that reached their root.
    pub stacks_complete: u64,
    /// Stacks that did not.
    pub stacks_truncated: u64,
    /// Interned stacks.
    pub stacks: u32,
    /// Modules.
    pub modules: u32,
    /// For an operator, in plain words.
    pub notes: Vec<String>,
}

impl StatusFacts {
    fn counter(&self, index: u32) -> u64 {
        self.counters.get(index as usize).copied().unwrap_or(0)
    }
}

/// What an answer's accounting is made from.
pub(super) struct Basis<'a> {
    pub(super) facts: &'a StatusFacts,
    pub(super) history: HistoryStatus,
    /// The end of the time that the answer stands for.
    pub(super) snapshot: &'a Snapshot,
    /// The answer stands for now, so that the kernel can be asked too.
    pub(super) is_now: bool,
}

impl Basis<'_> {
    pub(super) fn account(&self, selection: &Selection) -> v1::Accounting {
        let mut accounting = v1::Accounting {
            capture_interval_bytes: self.facts.capture_interval,
            ..v1::Accounting::default()
        };
        let lost = self.add_processes(selection, &mut accounting);
        self.add_rows(selection, &mut accounting);
        if selection.is_all() {
            accounting.events_seen = self.facts.counter(counter::EVENTS_SENT);
            accounting.captures_seen = self.facts.counter(counter::CAPTURES_SENT);
            accounting.stacks_complete = self.facts.stacks_complete;
            accounting.stacks_truncated = self.facts.stacks_truncated;
        }
        accounting.losses = self.losses(selection, lost);
        if accounting.ledger_committed_bytes > 0 {
            accounting.unattributed_share =
                accounting.unattributed_bytes as f64 / accounting.ledger_committed_bytes as f64;
        }
        if self.is_now {
            accounting.kernel_committed_bytes = self.ask_kernel(selection);
        }
        accounting
    }

    /// Adds what is exact; returns the operations that the selected processes lost.
    fn add_processes(&self, selection: &Selection, accounting: &mut v1::Accounting) -> u64 {
        let mut lost: u64 = 0;
        for entry in &self.snapshot.processes {
            if !selection.has(entry.handle) {
                continue;
            }
            let totals = &entry.totals;
            lost = lost.saturating_add(totals.lost);
            for (sum, part) in [
                (&mut accounting.events_seen, totals.operations),
                (&mut accounting.ledger_committed_bytes, totals.live()),
                (&mut accounting.released_bytes, totals.released),
            ] {
                *sum = sum.saturating_add(part);
            }
            let stale = entry.info.state == TargetState::Stale && entry.info.exited.is_none();
            accounting.stale_processes += u32::from(stale);
        }
        lost
    }

    fn add_rows(&self, selection: &Selection, accounting: &mut v1::Accounting) {
        let rows = self.snapshot.rows.iter();
        for (key, row) in rows.filter(|(key, _)| key.owner.is_by_owner()) {
            if !selection.has(key.process) {
                continue;
            }
            let sum = match key.owner.stack() {
                Some(_) => &mut accounting.stack_committed_bytes,
                None => &mut accounting.unattributed_bytes,
            };
            *sum = sum.saturating_add(row.live());
            accounting.captures_seen = accounting.captures_seen.saturating_add(row.events);
        }
    }

    /// Every cause with its count. Lost operations are told apart by process; the other causes are
    /// counted for the whole agent until now, and say so in an answer about a part or the past.
    fn losses(&self, selection: &Selection, lost: u64) -> Vec<v1::Loss> {
        let kernel = COUNTERS.iter().filter(|counter| counter.loss);
        let kernel = kernel.map(|counter| LossFacts {
            cause: counter.name,
            count: self.facts.counter(counter.index),
            meaning: counter.meaning.trim(),
        });
        let user = self.facts.losses.iter().cloned();
        let history = [
            LossFacts {
                cause: "history_evicted",
                count: self.history.evicted_early,
                meaning: "snapshots that had to go before their time to keep the history within \
                          its budget",
            },
            LossFacts {
                cause: "history_left_out",
                count: self.history.ended_left_out,
                meaning: "times that a short-lived process was left out of a snapshot",
            },
            LossFacts {
                cause: "history_refused",
                count: self.history.refused,
                meaning: "snapshots that were not newer than the one before: an error of the agent",
            },
        ];
        kernel
            .chain(user)
            .chain(history)
            .map(|loss| self.told(&loss, selection, lost))
            .filter(|loss| loss.count > 0)
            .collect()
    }

    fn told(&self, loss: &LossFacts, selection: &Selection, lost: u64) -> v1::Loss {
        let by_process = loss.cause == COUNTERS[counter::EVENTS_LOST as usize].name;
        if by_process && !selection.is_all() {
            return v1::Loss {
                cause: "operations_lost".to_owned(),
                count: lost,
                meaning: "operations of the chosen targets that were not seen one by one: the \
                          event ring was full, or they storm and are only counted"
                    .to_owned(),
            };
        }
        let scope = match (selection.is_all(), self.is_now) {
            (true, true) => "",
            (true, false) => " (counted until now)",
            (false, true) => " (counted for the whole agent, not for the chosen targets alone)",
            (false, false) => {
                " (counted for the whole agent until now, not for the chosen targets alone)"
            }
        };
        v1::Loss {
            cause: loss.cause.to_owned(),
            count: loss.count,
            meaning: format!("{}{scope}", loss.meaning),
        }
    }

    fn ask_kernel(&self, selection: &Selection) -> u64 {
        let pids: HashSet<u32> = self
            .snapshot
            .processes
            .iter()
            .filter(|entry| selection.has(entry.handle) && entry.info.exited.is_none())
            .map(|entry| entry.info.pid)
            .collect();
        if pids.len() > KERNEL_ASKED_MAX {
            return 0;
        }
        pids.into_iter().filter_map(kernel_committed).sum()
    }
}

/// `VmData` and `VmStk`, in bytes. The kernel's `VmData` counts private writable mappings whether
/// they have a file or not, so this is an upper bound of what is anonymous.
fn kernel_committed(pid: u32) -> Option<u64> {
    parse_status(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse_status(status: &str) -> Option<u64> {
    let mut kibibytes = None;
    for line in status.lines() {
        if let Some(("VmData" | "VmStk", value)) = line.split_once(':') {
            let value: u64 = value.split_whitespace().next()?.parse().ok()?;
            kibibytes = Some(value.checked_add(kibibytes.unwrap_or(0))?);
        }
    }
    kibibytes?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_figures() {
        let status = "Name:\tx\nVmData:\t     100 kB\nVmStk:\t     132 kB\nVmExe:\t 4 kB\n";
        assert_eq!(parse_status(status), Some(232 * 1024));
        assert_eq!(parse_status("Name:\tkthreadd\n"), None);
        assert_eq!(parse_status("VmData:\t18446744073709551615 kB\n"), None);
        assert!(kernel_committed(std::process::id()).is_some_and(|bytes| bytes > 4096));
    }
}
