//! The machine and the agent's own process.

use std::{collections::BTreeMap, fs};

use rustix::{param, system};

use crate::profile::NodeFacts;

/// What does not change while the agent runs.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kernel: String,
    pub(super) boot_id: String,
}

impl Node {
    /// `name` is what it is called, if not by the host's name.
    pub(super) fn read(name: Option<&str>) -> Self {
        let names = system::uname();
        Self {
            name: name.map_or_else(
                || names.nodename().to_string_lossy().into_owned(),
                str::to_owned,
            ),
            kernel: names.release().to_string_lossy().into_owned(),
            boot_id: boot_id(),
        }
    }
}

/// The host's boot; empty where `/proc` does not tell.
pub fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// The node as every process's facts have it. `name` is what it is called, if not by the host's
/// name.
pub fn node_facts(name: Option<&str>, labels: &BTreeMap<String, String>) -> NodeFacts {
    NodeFacts {
        name: Node::read(name).name,
        labels: labels.clone(),
    }
}

/// What the agent itself costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct OwnCost {
    pub(super) resident_bytes: u64,
    pub(super) cpu_seconds: f64,
}

impl OwnCost {
    /// Zero where /proc does not tell.
    pub(super) fn read() -> Self {
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let pages = resident_pages(&statm).unwrap_or(0);
        let ticks = cpu_ticks(&stat).unwrap_or(0);
        Self {
            resident_bytes: pages.saturating_mul(param::page_size() as u64),
            cpu_seconds: ticks as f64 / param::clock_ticks_per_second() as f64,
        }
    }
}

fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time, with that of children that were waited for.
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name stands in parentheses and may hold anything; the state comes right after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(4);
    times.map(|ticks| ticks.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_proc_writes() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 11 22 3 4 20 0 1 0 99 1 1";
        assert_eq!(cpu_ticks(stat), Some(40));
        assert_eq!(cpu_ticks("garbage"), None);
        assert_eq!(resident_pages("100 42 3"), Some(42));
        assert!(OwnCost::read().resident_bytes > 100_000);
        assert!(!Node::read(None).kernel.is_empty());
        assert!(!Node::read(None).name.is_empty());
        assert_eq!(Node::read(Some("n1")).name, "n1");
    }
}
