//! The table.

use std::fmt;

use serde::Serialize;

use super::process::Figures;

const MIB: f64 = 1024.0 * 1024.0;
const DAY: f64 = 86_400.0;

/// All steps.
#[derive(Debug, Serialize)]
pub(super) struct Fleet {
    pub(super) bench: &'static str,
    pub(super) stacks: u32,
    pub(super) interval_seconds: u64,
    pub(super) steps: Vec<Step>,
}

/// One number of agents.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    agents: u32,
    seconds: f64,
    /// Batches that became durable, and their share of those that were made in the time.
    batches: u64,
    sustained: f64,
    refused: u64,
    /// Of one core.
    cpu_share: f64,
    cpu_milliseconds_per_batch: f64,
    resident_bytes: u64,
    resident_most_bytes: u64,
    received_bytes_per_batch: f64,
    /// What the store grew by, before anything is thinned out.
    disk_bytes_per_agent_and_day: f64,
}

impl Step {
    pub(super) fn new(
        agents: u32,
        seconds: f64,
        expected: f64,
        before: &Figures,
        after: &Figures,
    ) -> Self {
        let batches = after.stored - before.stored;
        let cpu = after.cpu_seconds - before.cpu_seconds;
        let each = |total: f64| total / (batches.max(1)) as f64;
        let grown = after.disk as f64 - before.disk as f64;
        Self {
            agents,
            seconds,
            batches,
            sustained: batches as f64 / expected,
            refused: after.refused,
            cpu_share: cpu / seconds,
            cpu_milliseconds_per_batch: each(cpu * 1000.0),
            resident_bytes: after.resident,
            resident_most_bytes: after.resident_most,
            received_bytes_per_batch: each((after.received - before.received) as f64),
            disk_bytes_per_agent_and_day: grown / f64::from(agents) / seconds * DAY,
        }
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} stacks each, a snapshot each {} s\n",
            self.stacks, self.interval_seconds
        )?;
        writeln!(
            f,
            "{:>6} {:>8} {:>9} {:>8} {:>10} {:>9} {:>9} {:>10} {:>15}",
            "agents",
            "batches",
            "sustained",
            "CPU",
            "ms/batch",
            "RSS MiB",
            "most MiB",
            "KiB/batch",
            "MiB/agent & day"
        )?;
        for step in &self.steps {
            writeln!(
                f,
                "{:>6} {:>8} {:>8.1}% {:>7.1}% {:>10.2} {:>9.0} {:>9.0} {:>10.1} {:>15.0}",
                step.agents,
                step.batches,
                step.sustained * 100.0,
                step.cpu_share * 100.0,
                step.cpu_milliseconds_per_batch,
                step.resident_bytes as f64 / MIB,
                step.resident_most_bytes as f64 / MIB,
                step.received_bytes_per_batch / 1024.0,
                step.disk_bytes_per_agent_and_day / MIB,
            )?;
        }
        Ok(())
    }
}
