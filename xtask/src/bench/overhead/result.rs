//! The outcome, for people and for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    Pairs,
    bpf::{self, Figures},
    workload::Measure,
};
use crate::bench::{
    random::Random,
    stats::{self, Estimate},
};

/// The whole outcome.
#[derive(Serialize)]
pub(crate) struct Overhead {
    pub(crate) bench: &'static str,
    pub(crate) kernel: String,
    pub(crate) pairs: u16,
    pub(crate) seed: u64,
    pub(crate) workloads: Vec<WorkloadCost>,
    pub(crate) agent: AgentCost,
}

/// What observing costs one workload.
#[derive(Serialize)]
pub(crate) struct WorkloadCost {
    name: &'static str,
    operations: u64,
    /// Medians.
    cpu_seconds_without: f64,
    cpu_seconds_with: f64,
    /// Median of the pairs' ratios of CPU time, with its interval.
    ratio: Estimate,
    ratios: Vec<f64>,
    /// Median of the pairs' ratios of operations a second, with its interval.
    throughput_ratio: Estimate,
    throughput_ratios: Vec<f64>,
    /// CPU time of the agent in shares of one processor while the workload ran, median.
    agent_cpu_share: f64,
    bpf: bpf::Cost,
}

/// What the agent costs by itself.
#[derive(Serialize)]
pub(crate) struct AgentCost {
    pub(crate) processes: u16,
    pub(crate) resident_bytes: u64,
    pub(crate) resident_peak_bytes: u64,
    pub(crate) idle_cpu_share: f64,
    /// As the agent's status gives them.
    pub(crate) losses: serde_json::Value,
}

impl WorkloadCost {
    pub(crate) fn new(pairs: &Pairs, bpf: bpf::Cost, random: &mut Random) -> Self {
        let without = values(&pairs.without, |one| one.cpu.as_secs_f64());
        let with = values(&pairs.with, |one| one.cpu.as_secs_f64());
        let cpu_ratios = ratios(&with, &without);
        let throughput_ratios = ratios(
            &values(&pairs.with, Measure::throughput),
            &values(&pairs.without, Measure::throughput),
        );
        let shares: Vec<f64> = pairs
            .with
            .iter()
            .zip(&pairs.agent)
            .map(|(measure, agent)| share(*agent, measure.wall))
            .collect();
        Self {
            name: pairs.name,
            operations: pairs.with.first().map_or(0, |one| one.operations),
            cpu_seconds_without: stats::median(&without),
            cpu_seconds_with: stats::median(&with),
            ratio: stats::median_with_interval(&cpu_ratios, random),
            ratios: cpu_ratios,
            throughput_ratio: stats::median_with_interval(&throughput_ratios, random),
            throughput_ratios,
            agent_cpu_share: stats::median(&shares),
            bpf,
        }
    }
}

fn values(measures: &[Measure], value: impl Fn(&Measure) -> f64) -> Vec<f64> {
    measures.iter().map(value).collect()
}

/// With over without, pair by pair.
fn ratios(with: &[f64], without: &[f64]) -> Vec<f64> {
    with.iter()
        .zip(without)
        .map(|(with, without)| with / without.max(f64::MIN_POSITIVE))
        .collect()
}

fn share(cpu: Duration, wall: Duration) -> f64 {
    cpu.as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE)
}

impl fmt::Display for Overhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kernel {}, {} pairs, seed {}\n",
            self.kernel, self.pairs, self.seed
        )?;
        self.workloads(f)?;
        self.programs(f)?;
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "\nagent with {} more processes: {:.1} MiB resident (peak {:.1}), {:.2}% of a processor",
            self.agent.processes,
            mebibytes(self.agent.resident_bytes),
            mebibytes(self.agent.resident_peak_bytes),
            100.0 * self.agent.idle_cpu_share
        )?;
        match self.agent.losses.as_array() {
            Some(losses) if !losses.is_empty() => {
                writeln!(f, "losses: {}", self.agent.losses)
            }
            _ => writeln!(f, "nothing lost"),
        }
    }
}

impl Overhead {
    fn workloads(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<8} {:>8} {:>8}  {:<22} {:<22} {:>7}",
            "workload", "without", "with", "CPU (95% interval)", "throughput", "agent"
        )?;
        for one in &self.workloads {
            writeln!(
                f,
                "{:<8} {:>6.3} s {:>6.3} s  {:<22} {:<22} {:>6.1}%",
                one.name,
                one.cpu_seconds_without,
                one.cpu_seconds_with,
                one.ratio.to_string(),
                one.throughput_ratio.to_string(),
                100.0 * one.agent_cpu_share,
            )?;
        }
        Ok(())
    }

    fn programs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<8} {:<24} {:>9} {:>8} {:>8} {:>8}",
            "workload", "kernel program", "runs", "runs/op", "ns/run", "ns/op"
        )?;
        for one in &self.workloads {
            line(f, one.name, "all", one.bpf.all)?;
            for program in &one.bpf.programs {
                line(f, "", &program.name, program.figures)?;
            }
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, workload: &str, name: &str, figures: Figures) -> fmt::Result {
    writeln!(
        f,
        "{workload:<8} {name:<24} {:>9} {:>8.2} {:>8.0} {:>8.1}",
        figures.runs, figures.runs_per_operation, figures.ns_per_run, figures.ns_per_operation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let measure = |milliseconds| Measure {
            cpu: Duration::from_millis(milliseconds),
            wall: Duration::from_millis(10 * milliseconds),
            operations: 10,
        };
        let pairs = Pairs {
            name: "mmap",
            without: vec![measure(100), measure(200), measure(400)],
            with: vec![measure(110), measure(240), measure(400)],
            agent: vec![Duration::from_millis(20); 3],
        };
        let cost = WorkloadCost::new(&pairs, bpf::no_cost(), &mut Random::new(1));
        assert!((cost.ratio.value - 1.1).abs() < 1e-9);
        assert!((cost.ratio.low - 1.0).abs() < 1e-9);
        assert!((cost.ratio.high - 1.2).abs() < 1e-9);
        assert!((cost.throughput_ratio.value - 1.0 / 1.1).abs() < 1e-9);
        assert!((cost.agent_cpu_share - 0.02 / 2.4).abs() < 1e-9);
    }
}
