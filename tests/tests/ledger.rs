//! The ledger against the kernel: every operation, at every checkpoint, mapping by mapping.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::Trial;
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    command::Finished,
    compare,
    fixture::{self, Fixture},
    smaps::Committed,
    trial,
};
use serde_json::Value;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(100);
    vec![
        trial(
            "ledger::fixtures_agree_with_smaps",
            limit,
            fixtures_agree_with_smaps,
        ),
        trial(
            "ledger::operations_of_new_processes",
            limit,
            operations_of_new_processes,
        ),
        trial(
            "ledger::operations_of_processes_there_before",
            limit,
            operations_of_processes_there_before,
        ),
        trial(
            "ledger::operations_one_after_the_other",
            limit,
            operations_one_after_the_other,
        ),
        trial("ledger::rare_operations", limit, rare_operations),
    ]
}

/// A fixture at rest.
struct Checkpoint {
    label: String,
    pids: Vec<u32>,
    /// Committed bytes of the first process since its step began, where the fixture knows.
    delta: Option<i64>,
    begins: bool,
}

impl Checkpoint {
    fn of(report: &Value) -> Result<Self> {
        let text = |field: &str| {
            report[field]
                .as_str()
                .with_context(|| format!("no {field} in {report}"))
        };
        let pids = report["pids"].as_array().context("no pids")?;
        Ok(Self {
            label: format!("{}, {}", text("step")?, text("checkpoint")?),
            pids: pids
                .iter()
                .filter_map(Value::as_u64)
                .filter_map(|pid| u32::try_from(pid).ok())
                .collect(),
            delta: report["delta"].as_i64(),
            begins: text("checkpoint")? == "start",
        })
    }
}

fn steps(list: &str) -> Result<Vec<String>> {
    let mut command = Command::new(fixture::path("vmops")?);
    command.arg(list);
    let output = Finished::run(command, Duration::from_secs(10))?.succeeded()?;
    let steps: Vec<String> = output.lines().map(str::to_owned).collect();
    ensure!(!steps.is_empty(), "vmops has no steps");
    Ok(steps)
}

/// Runs a fixture to its end; `check` looks at each checkpoint.
fn play(fixture: &mut Fixture, mut check: impl FnMut(&Checkpoint) -> Result<()>) -> Result<()> {
    while let Some(report) = fixture.report_or_end()? {
        let checkpoint = Checkpoint::of(&report)?;
        check(&checkpoint).with_context(|| checkpoint.label.clone())?;
        fixture.go()?;
    }
    Ok(())
}

/// Plays each step in a process of its own, and fails with all that went wrong.
fn play_all(fixtures: Vec<Fixture>, mut check: impl FnMut(&Checkpoint) -> Result<()>) -> Outcome {
    let count = fixtures.len();
    let failures: Vec<String> = fixtures
        .into_iter()
        .filter_map(|mut fixture| play(&mut fixture, &mut check).err())
        .map(|error| format!("{error:#}"))
        .collect();
    if failures.is_empty() {
        return Ok(Verdict::Passed);
    }
    bail!(
        "{} of {count} steps failed:\n  {}",
        failures.len(),
        failures.join("\n  ")
    )
}

fn start_each(list: &str) -> Result<Vec<Fixture>> {
    steps(list)?
        .iter()
        .map(|step| Fixture::start("vmops", &[step]))
        .collect()
}

fn against_smaps(client: &mut Client, checkpoint: &Checkpoint) -> Result<()> {
    for &pid in &checkpoint.pids {
        compare::await_exact(client, pid).with_context(|| format!("process {pid}"))?;
    }
    Ok(())
}

/// No agent here: what the fixtures say of themselves is what the kernel says, so that the tests
/// below rest on something.
fn fixtures_agree_with_smaps() -> Outcome {
    let mut start = 0;
    let fixtures = [start_each("--list")?, start_each("--list-rare")?]
        .into_iter()
        .flatten()
        .collect();
    play_all(fixtures, |checkpoint| {
        let committed = Committed::of(checkpoint.pids[0])?
            .bytes_without_stack()
            .cast_signed();
        if checkpoint.begins {
            start = committed;
        }
        match checkpoint.delta {
            Some(delta) if committed - start != delta => bail!(
                "smaps says {} bytes, the fixture {delta}",
                committed - start
            ),
            _ => Ok(()),
        }
    })
}

fn operations_of_new_processes() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let fixtures = start_each("--list")?;
    play_all(fixtures, |checkpoint| {
        against_smaps(&mut client, checkpoint)
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn operations_of_processes_there_before() -> Outcome {
    let fixtures = start_each("--list")?;
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    play_all(fixtures, |checkpoint| {
        against_smaps(&mut client, checkpoint)
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// One process does everything but exec, so that each step starts from what the others left.
fn operations_one_after_the_other() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut steps = steps("--list")?;
    steps.retain(|step| !step.starts_with("exec_"));
    let arguments: Vec<&str> = steps.iter().map(String::as_str).collect();
    let mut fixture = Fixture::start("vmops", &arguments)?;
    play(&mut fixture, |checkpoint| {
        against_smaps(&mut client, checkpoint)
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Operations whose effect does not follow from the arguments alone.
fn rare_operations() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let fixtures = start_each("--list-rare")?;
    play_all(fixtures, |checkpoint| {
        against_smaps(&mut client, checkpoint)
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
