//! The outcome, for people and for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{Pairs, bpf, workload::Measure};
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
        let seconds = |measures: &[Measure]| -> Vec<f64> {
            measures.iter().map(|one| one.cpu.as_secs_f64()).collect()
        };
        let (without, with) = (seconds(&pairs.without), seconds(&pairs.with));
        let ratios: Vec<f64> = without
            .iter()
            .zip(&with)
            .map(|(without, with)| with / without.max(f64::MIN_POSITIVE))
            .collect();
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
            ratio: stats::median_with_interval(&ratios, random),
            ratios,
            agent_cpu_share: stats::median(&shares),
            bpf,
        }
    }
}

fn share(cpu: Duration, wall: Duration) -> f64 {
    cpu.as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE)
}

impl fmt::Display for Overhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kernel {}, {} pairs, seed {}\n\n{:<8} {:>8} {:>8} {:>6}  {:<15} {:>7} {:>9} {:>8} {:>8}",
            self.kernel,
            self.pairs,
            self.seed,
            "workload",
            "without",
            "with",
            "ratio",
            "95% interval",
            "agent",
            "BPF runs",
            "ns/run",
            "ns/op"
        )?;
        for one in &self.workloads {
            writeln!(
                f,
                "{:<8} {:>6.3} s {:>6.3} s {:>6.3}  {:.3} to {:.3}  {:>6.1}% {:>9} {:>8.0} {:>8.1}",
                one.name,
                one.cpu_seconds_without,
                one.cpu_seconds_with,
                one.ratio.value,
                one.ratio.low,
                one.ratio.high,
                100.0 * one.agent_cpu_share,
                one.bpf.runs,
                one.bpf.ns_per_run,
                one.bpf.ns_per_operation
            )?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::overhead::bpf::{Cost, RunTime};

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let measure = |milliseconds| Measure {
            cpu: Duration::from_millis(milliseconds),
            wall: Duration::from_secs(1),
            operations: 10,
        };
        let pairs = Pairs {
            name: "mmap",
            without: vec![measure(100), measure(200), measure(400)],
            with: vec![measure(110), measure(240), measure(400)],
            agent: vec![Duration::from_millis(20); 3],
        };
        let bpf = Cost::between(RunTime::default(), RunTime::default(), 10);
        let cost = WorkloadCost::new(&pairs, bpf, &mut Random::new(1));
        assert!((cost.ratio.value - 1.1).abs() < 1e-9);
        assert!((cost.ratio.low - 1.0).abs() < 1e-9);
        assert!((cost.ratio.high - 1.2).abs() < 1e-9);
        assert!((cost.agent_cpu_share - 0.02).abs() < 1e-9);
    }
}
