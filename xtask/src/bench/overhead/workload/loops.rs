//! C programs that do one thing in a loop.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{Measure, Workload, compile};
use crate::shell;

/// A compiled loop, which prints the CPU time that it took.
pub(crate) struct Loop {
    name: &'static str,
    program: PathBuf,
    count: u64,
}

impl Loop {
    pub(crate) fn compile(
        name: &'static str,
        count: u64,
        sources: &Path,
        into: &Path,
    ) -> Result<Self> {
        Ok(Self {
            name,
            program: compile(name, sources, into)?,
            count,
        })
    }
}

impl Workload for Loop {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self) -> Result<Measure> {
        let start = Instant::now();
        let said = shell::output(Command::new(&self.program).arg(self.count.to_string()))?;
        Ok(Measure {
            cpu: parse(&said).with_context(|| format!("{} said `{said}`", self.name))?,
            wall: start.elapsed(),
            operations: self.count,
        })
    }
}

fn parse(said: &str) -> Option<Duration> {
    let nanoseconds = said.strip_prefix("cpu_ns ")?.split_whitespace().next()?;
    Some(Duration::from_nanos(nanoseconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_read_from_what_the_loop_prints() {
        assert_eq!(
            parse("cpu_ns 1500 operations 3\n"),
            Some(Duration::from_nanos(1500))
        );
        assert_eq!(parse("Killed\n"), None);
    }
}
