//! Programs that run to their end: the client, the agent on bad input, Python.

use std::{
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{agent::Agent, program::Program, surroundings};

/// What a program left.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Finished {
    /// Runs a command; it has to end within the limit.
    pub fn run(command: Command, limit: Duration) -> Result<Self> {
        let mut program = Program::start(command)?;
        program.close_input();
        let output = program.rest(limit);
        let status = program.wait(Duration::from_secs(1))?;
        Ok(Self {
            status,
            output,
            errors: program.errors(),
        })
    }

    /// Fails unless it succeeded.
    pub fn succeeded(self) -> Result<String> {
        ensure!(
            self.status.success(),
            "it ended with {}; {}",
            self.status,
            self.errors
        );
        Ok(self.output)
    }
}

/// For what a client asks once.
const QUESTION: Duration = Duration::from_secs(30);

/// Where the client finds an agent.
pub fn endpoint(agent: &Agent) -> String {
    format!("unix:{}", agent.address().socket().display())
}

/// Runs the client against an agent's Unix socket.
pub fn profiler(agent: &Agent, arguments: &[&str]) -> Result<Finished> {
    profiler_at(&endpoint(agent), arguments)
}

/// Runs the client against any endpoint.
pub fn profiler_at(endpoint: &str, arguments: &[&str]) -> Result<Finished> {
    profiler_within(endpoint, arguments, QUESTION)
}

/// The same for verbs that take their time.
pub fn profiler_within(endpoint: &str, arguments: &[&str], limit: Duration) -> Result<Finished> {
    let mut command = Command::new(surroundings::cli()?);
    command.args(["--endpoint", endpoint]).args(arguments);
    Finished::run(command, limit)
}

/// Runs the client with `--format json` and reads what it prints.
pub fn profiler_json(agent: &Agent, arguments: &[&str]) -> Result<Value> {
    let arguments = [arguments, &["--format", "json"]].concat();
    let output = profiler(agent, &arguments)?.succeeded()?;
    serde_json::from_str(&output).with_context(|| format!("the client printed {output:?}"))
}
