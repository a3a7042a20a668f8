//! Figures of the collector at one moment.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::bytes_in;
use crate::bench::process::status_bytes;

/// Ticks of `/proc/PID/stat`: `USER_HZ` is 100 on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The collector at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// CPU time since its start.
    pub(super) cpu_seconds: f64,
    /// Resident now, and at most.
    pub(super) resident: u64,
    pub(super) resident_most: u64,
    /// Its store, with the log.
    pub(super) disk: u64,
    /// Batches that are durable, and that were refused.
    pub(super) stored: u64,
    pub(super) refused: u64,
    /// Bytes of batches as they came.
    pub(super) received: u64,
}

impl Figures {
    pub(super) fn read(pid: u32, metrics: &str, folder: &Path) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let metric = |name: &str| metric(metrics, &format!("profiler_collector_{name}_total"));
        Ok(Self {
            cpu_seconds: cpu_seconds(&stat).context("read the collector's CPU time")?,
            resident: status_bytes(pid, "VmRSS")?,
            resident_most: status_bytes(pid, "VmHWM")?,
            disk: bytes_in(folder)?,
            stored: metric("batches_stored")?,
            refused: metric("batches_refused")?,
            received: metric("received_bytes")?,
        })
    }
}

/// With that of threads that have ended, which `schedstat` of those that live leaves out.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = times
        .map(|ticks| ticks.parse::<u64>().ok())
        .sum::<Option<_>>()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

fn metric(text: &str, name: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.parse().ok())?
    });
    value.with_context(|| format!("the collector tells no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_proc_and_the_collector_write() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 3 4 20 0 1 0 99 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        let text = "# HELP a b\na_total 5\na_total_more 6\n";
        assert_eq!(metric(text, "a_total").ok(), Some(5));
        assert!(metric(text, "b_total").is_err());
    }
}
