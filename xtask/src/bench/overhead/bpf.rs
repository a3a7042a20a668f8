//! The kernel's own account of the time that BPF programs run.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use serde::Serialize;

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Accounting that is switched on; switched back when this value goes.
pub(crate) struct Statistics {
    before: String,
}

impl Statistics {
    pub(crate) fn enable() -> Result<Self> {
        let before = fs::read_to_string(SWITCH).with_context(|| format!("read {SWITCH}"))?;
        fs::write(SWITCH, "1").with_context(|| format!("write {SWITCH}"))?;
        Ok(Self { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        if let Err(error) = fs::write(SWITCH, self.before.trim()) {
            eprintln!("{SWITCH} stays on: {error}");
        }
    }
}

/// Sums over programs since they were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunTime {
    nanoseconds: u64,
    runs: u64,
}

/// What the kernel programs cost while a workload ran.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) runs: u64,
    pub(crate) run_time_ns: u64,
    pub(crate) ns_per_run: f64,
    pub(crate) ns_per_operation: f64,
}

impl Cost {
    pub(crate) fn between(before: RunTime, after: RunTime, operations: u64) -> Self {
        let runs = after.runs.saturating_sub(before.runs);
        let run_time_ns = after.nanoseconds.saturating_sub(before.nanoseconds);
        Self {
            runs,
            run_time_ns,
            ns_per_run: run_time_ns as f64 / runs.max(1) as f64,
            ns_per_operation: run_time_ns as f64 / operations.max(1) as f64,
        }
    }
}

/// Reads the sums of the programs that a process holds.
pub(crate) fn run_time(pid: u32) -> Result<RunTime> {
    let directory = format!("/proc/{pid}/fdinfo");
    let entries = fs::read_dir(&directory).with_context(|| format!("read {directory}"))?;
    // A program may be held by several descriptors.
    let mut programs = BTreeMap::new();
    for entry in entries {
        // Descriptors come and go meanwhile.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        if let Some((id, time)) = parse(&text) {
            programs.insert(id, time);
        }
    }
    Ok(programs
        .into_values()
        .fold(RunTime::default(), |sum, one| RunTime {
            nanoseconds: sum.nanoseconds.saturating_add(one.nanoseconds),
            runs: sum.runs.saturating_add(one.runs),
        }))
}

/// The id and the sums of a program, when the descriptor is one.
fn parse(fdinfo: &str) -> Option<(u64, RunTime)> {
    let value = |key: &str| {
        fdinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| *name == key)
            .and_then(|(_, value)| value.trim().parse().ok())
    };
    let time = RunTime {
        nanoseconds: value("run_time_ns")?,
        runs: value("run_cnt")?,
    };
    Some((value("prog_id")?, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_other_descriptors() {
        let program = "pos:\t0\nflags:\t02000002\nprog_type:\t5\nprog_id:\t33\n\
                       run_time_ns:\t1200\nrun_cnt:\t4\nrecursion_misses:\t0\n";
        let time = RunTime {
            nanoseconds: 1200,
            runs: 4,
        };
        assert_eq!(parse(program), Some((33, time)));
        assert_eq!(parse("link_type:\ttracing\nprog_id:\t33\n"), None);
        assert_eq!(parse("pos:\t0\n"), None);
    }

    #[test]
    fn a_program_that_never_ran_costs_nothing() {
        let cost = Cost::between(RunTime::default(), RunTime::default(), 0);
        assert!(cost.ns_per_run.abs() < f64::EPSILON);
        assert!(cost.ns_per_operation.abs() < f64::EPSILON);
    }
}
