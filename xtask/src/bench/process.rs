//! What /proc says of a process.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// CPU time of all threads that live. Unlike `stat`, whose unit is 10 ms, this is in nanoseconds.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let directory = format!("/proc/{pid}/task");
    let mut sum = Duration::ZERO;
    for entry in fs::read_dir(&directory).with_context(|| format!("read {directory}"))? {
        // A thread may end meanwhile.
        let text = fs::read_to_string(entry?.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = text.split_whitespace().next().and_then(|n| n.parse().ok());
        sum += Duration::from_nanos(nanoseconds.unwrap_or(0));
    }
    Ok(sum)
}

/// A value of `status` that is given in kB.
pub(crate) fn status_bytes(pid: u32, key: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    parse_bytes(&text, key).with_context(|| format!("{path} has no {key}"))
}

fn parse_bytes(status: &str, key: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_in_units_of_1024_bytes() {
        let status = "VmPeak:\t  200 kB\nVmRSS:\t   12 kB\n";
        assert_eq!(parse_bytes(status, "VmRSS"), Some(12 * 1024));
        assert_eq!(parse_bytes(status, "Vm"), None);
    }

    #[test]
    fn this_process_has_used_some_time() {
        assert!(cpu(std::process::id()).unwrap() > Duration::ZERO);
    }
}
