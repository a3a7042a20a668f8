//! The kernel's own account of the time that BPF programs run.

use std::{cmp::Reverse, collections::BTreeMap, fs};

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

/// Sums since a program was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RunTime {
    nanoseconds: u64,
    runs: u64,
}

/// What a program is attached to, or its tag where the kernel does not say; and its sums.
#[derive(Clone, Debug, Default)]
struct Program {
    name: String,
    time: RunTime,
}

/// Programs that a process holds, by id.
#[derive(Default)]
pub(crate) struct Programs(BTreeMap<u64, Program>);

/// What kernel programs cost while a workload ran. The kernel's accounting is part of the times.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    #[serde(flatten)]
    pub(crate) all: Figures,
    /// Those that ran, the most expensive first.
    pub(crate) programs: Vec<ProgramCost>,
}

/// The share of one program.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProgramCost {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) runs: u64,
    pub(crate) run_time_ns: u64,
    pub(crate) ns_per_run: f64,
    pub(crate) runs_per_operation: f64,
    pub(crate) ns_per_operation: f64,
}

impl Cost {
    pub(crate) fn between(before: &Programs, after: &Programs, operations: u64) -> Self {
        let mut sum = RunTime::default();
        let mut programs = Vec::new();
        for (id, program) in &after.0 {
            let earlier = before
                .0
                .get(id)
                .map_or_else(RunTime::default, |one| one.time);
            let time = program.time.since(earlier);
            sum.nanoseconds += time.nanoseconds;
            sum.runs += time.runs;
            if time.runs > 0 {
                programs.push(ProgramCost {
                    name: program.name.clone(),
                    figures: Figures::new(time, operations),
                });
            }
        }
        programs.sort_by_key(|one| Reverse(one.figures.run_time_ns));
        Self {
            all: Figures::new(sum, operations),
            programs,
        }
    }
}

impl RunTime {
    fn since(self, earlier: Self) -> Self {
        Self {
            nanoseconds: self.nanoseconds.saturating_sub(earlier.nanoseconds),
            runs: self.runs.saturating_sub(earlier.runs),
        }
    }
}

impl Figures {
    fn new(time: RunTime, operations: u64) -> Self {
        let operations = operations.max(1) as f64;
        Self {
            runs: time.runs,
            run_time_ns: time.nanoseconds,
            ns_per_run: time.nanoseconds as f64 / time.runs.max(1) as f64,
            runs_per_operation: time.runs as f64 / operations,
            ns_per_operation: time.nanoseconds as f64 / operations,
        }
    }
}

/// Reads the sums of the programs that a process holds.
pub(crate) fn programs(pid: u32) -> Result<Programs> {
    let directory = format!("/proc/{pid}/fdinfo");
    let entries = fs::read_dir(&directory).with_context(|| format!("read {directory}"))?;
    let mut programs = Programs::default();
    for entry in entries {
        // Descriptors come and go meanwhile.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        programs.note(&text);
    }
    Ok(programs)
}

impl Programs {
    /// Takes a descriptor, if it is that of a program or of a link. The program of a link has its
    /// name from there; a program may be held by several descriptors.
    fn note(&mut self, fdinfo: &str) {
        let value = |key: &str| {
            fdinfo
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.trim())
        };
        let number = |key| value(key).and_then(|value| value.parse().ok());
        let Some(id) = number("prog_id") else {
            return;
        };
        let program = self.0.entry(id).or_default();
        if let (Some(nanoseconds), Some(runs)) = (number("run_time_ns"), number("run_cnt")) {
            program.time = RunTime { nanoseconds, runs };
        }
        if let Some(target) = value("tp_name") {
            program.name = target.to_owned();
        } else if program.name.is_empty() {
            program.name = value("prog_tag").unwrap_or_default().to_owned();
        }
    }
}

#[cfg(test)]
pub(crate) fn no_cost() -> Cost {
    Cost::between(&Programs::default(), &Programs::default(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(descriptors: &[&str]) -> Programs {
        let mut programs = Programs::default();
        descriptors.iter().for_each(|one| programs.note(one));
        programs
    }

    fn program(nanoseconds: u64, runs: u64) -> String {
        format!(
            "pos:\t0\nprog_type:\t5\nprog_tag:\tc9dd\nprog_id:\t33\n\
             run_time_ns:\t{nanoseconds}\nrun_cnt:\t{runs}\nrecursion_misses:\t0\n"
        )
    }

    const LINK: &str = "link_type:\tperf\nprog_tag:\tc9dd\nprog_id:\t33\n\
                        tp_name:\tsys_exit_mmap\nevent_type:\ttracepoint\n";

    #[test]
    fn a_program_costs_what_was_added_between_for_each_operation() {
        let before = held(&[&program(1000, 10)]);
        let after = held(&["pos:\t0\n", LINK, &program(1600, 16), &program(1600, 16)]);
        let cost = Cost::between(&before, &after, 3);
        assert_eq!(cost.programs.len(), 1);
        let one = &cost.programs[0];
        assert_eq!(one.name, "sys_exit_mmap");
        assert_eq!((one.figures.runs, one.figures.run_time_ns), (6, 600));
        assert!((one.figures.ns_per_run - 100.0).abs() < f64::EPSILON);
        assert!((one.figures.runs_per_operation - 2.0).abs() < f64::EPSILON);
        assert!((cost.all.ns_per_operation - 200.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_program_whose_target_is_not_told_goes_by_its_tag() {
        let tracing = "link_type:\ttracing\nprog_tag:\tc9dd\nprog_id:\t33\n";
        let after = held(&[&program(100, 1), tracing]);
        let cost = Cost::between(&Programs::default(), &after, 1);
        assert_eq!(cost.programs[0].name, "c9dd");
    }

    #[test]
    fn a_program_that_never_ran_costs_nothing() {
        let cost = no_cost();
        assert!(cost.programs.is_empty());
        assert!(cost.all.ns_per_run.abs() < f64::EPSILON);
        assert!(cost.all.ns_per_operation.abs() < f64::EPSILON);
    }
}
