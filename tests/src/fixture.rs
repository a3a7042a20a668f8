//! The fixture programs: each prints a line of JSON when it is at rest and waits for a line.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{program::Program, surroundings};

/// A step of a fixture that is not a load.
const STEP: Duration = Duration::from_secs(20);

/// A running fixture.
#[derive(Debug)]
pub struct Fixture {
    program: Program,
}

/// Where a fixture lies that has to be there.
pub fn path(name: &str) -> Result<PathBuf> {
    surroundings::fixture(name)
        .with_context(|| format!("fixture {name} is missing: build it or set PROFILER_FIXTURES"))
}

impl Fixture {
    /// Starts one.
    pub fn start(name: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(path(name)?);
        command.args(arguments);
        Self::of(command)
    }

    /// Starts a command that ends up in a fixture.
    pub fn of(command: Command) -> Result<Self> {
        Ok(Self {
            program: Program::start(command)?,
        })
    }

    /// Starts one inside `jail`: its options, then the program with its arguments.
    pub fn in_jail(options: &[&str], program: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(path("jail")?);
        command.args(options).arg("--").arg(program).args(arguments);
        Self::of(command)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// What it says next.
    pub fn report(&mut self) -> Result<Value> {
        self.report_within(STEP)
    }

    /// What it says next, after a load of that length.
    pub fn report_within(&mut self, limit: Duration) -> Result<Value> {
        let line = self.program.line(limit)?;
        serde_json::from_str(&line).with_context(|| format!("the fixture printed {line:?}"))
    }

    /// What it says next, or `None` if it ends in good order.
    pub fn report_or_end(&mut self) -> Result<Option<Value>> {
        match self.report() {
            Ok(value) => Ok(Some(value)),
            Err(error) => match self.program.poll()? {
                Some(status) if status.success() => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Tells it to go on.
    pub fn go(&mut self) -> Result<()> {
        self.program.send("")
    }

    /// Sends it a line.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.program.send(line)
    }

    /// Waits for its end, whatever that is.
    pub fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.program.wait(limit)
    }

    /// Lets it go on to its end.
    pub fn finish(mut self) -> Result<()> {
        self.program.close_input();
        let status = self.program.wait(STEP)?;
        if !status.success() {
            bail!("the fixture ended with {status}; {}", self.program.errors());
        }
        Ok(())
    }
}

/// A whole number in a report.
pub fn number(report: &Value, field: &str) -> Result<u64> {
    report[field]
        .as_u64()
        .with_context(|| format!("no number {field} in {report}"))
}
