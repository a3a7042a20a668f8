//! How far an answer can be trusted.

use std::{collections::HashSet, fs};

use profiler_common::counter::{self, COUNTERS};
use profiler_proto::v1;
use profiler_query::answer::{self, Selection, Whole};

use crate::{
    ids::BootTime,
    profile::{HistoryStatus, Snapshot},
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
        let whole = self.whole();
        let mut accounting = answer::account(self.snapshot, selection, &whole, self.is_now);
        if self.is_now {
            accounting.kernel_committed_bytes = self.ask_kernel(selection);
        }
        accounting
    }

    fn whole(&self) -> Whole {
        Whole {
            events_seen: self.facts.counter(counter::EVENTS_SENT),
            captures_seen: self.facts.counter(counter::CAPTURES_SENT),
            stacks_complete: self.facts.stacks_complete,
            stacks_truncated: self.facts.stacks_truncated,
            capture_interval: self.facts.capture_interval,
            losses: self.losses(),
        }
    }

    /// Every cause with its count, until now.
    pub(super) fn losses(&self) -> Vec<v1::Loss> {
        let kernel = COUNTERS.iter().filter(|counter| counter.loss);
        let kernel = kernel.map(|counter| LossFacts {
            cause: counter.name,
            count: self.facts.counter(counter.index),
            meaning: counter.meaning.trim(),
        });
        let user = self.facts.losses.iter().cloned();
        let all = kernel.chain(user).chain(self.history_losses());
        all.map(|loss| v1::Loss {
            cause: loss.cause.to_owned(),
            count: loss.count,
            meaning: loss.meaning.to_owned(),
        })
        .collect()
    }

    fn history_losses(&self) -> [LossFacts; 3] {
        [
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
        ]
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
    fn what_is_told_apart_by_process_is_the_ring_of_events() {
        let lost = &COUNTERS[counter::EVENTS_LOST as usize];
        assert_eq!(lost.name, answer::EVENTS_LOST);
    }

    #[test]
    fn reads_the_kernels_figures() {
        let status = "Name:\tx\nVmData:\t     100 kB\nVmStk:\t     132 kB\nVmExe:\t 4 kB\n";
        assert_eq!(parse_status(status), Some(232 * 1024));
        assert_eq!(parse_status("Name:\tkthreadd\n"), None);
        assert_eq!(parse_status("VmData:\t18446744073709551615 kB\n"), None);
        assert!(kernel_committed(std::process::id()).is_some_and(|bytes| bytes > 4096));
    }
}
