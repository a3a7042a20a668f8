//! What a pipeline gates on: soaks and canaries of plain processes, through exit codes and reports.

use std::{fs, thread};

use anyhow::{Context as _, Result, anyhow, ensure};
use profiler_tests::{
    Agent, Outcome, Verdict,
    command::{Finished, endpoint, profiler, profiler_within},
    fixture::Fixture,
    surroundings::{Scratch, eventually},
};
use serde_json::Value;

use super::{FAST, JUDGED};

/// 100 windows of a second, of which the first ten are not judged.
const SOAK: &str = "100s";

const GROWS: [&str; 2] = ["512", "200"];
const HOLDS: [&str; 2] = ["0", "200"];

pub(super) fn soak() -> Outcome {
    let scratch = Scratch::new()?;
    let mut programs = [
        Fixture::start("grow", &GROWS)?,
        Fixture::start("grow", &HOLDS)?,
    ];
    for program in &mut programs {
        program.report()?;
    }
    let agent = Agent::start(&FAST)?;
    let page = scratch.path().join("soak.html");
    let page_text = page.display().to_string();
    let endpoint = endpoint(&agent);
    let [grows, holds] = programs.each_ref().map(Fixture::pid);
    let (grows, holds) = thread::scope(|scope| {
        let grows = scope.spawn(|| soak_of(&endpoint, grows, &["--report", &page_text]));
        let holds = soak_of(&endpoint, holds, &[]);
        (grows.join(), holds)
    });
    let grows = grows.map_err(|_| anyhow!("the soak panicked"))??;
    ended(&grows, 1, "fail")?;
    ended(&holds?, 0, "pass")?;
    let page = fs::read_to_string(&page).context("read the page")?;
    ensure!(page.contains("<svg"), "the page has no plot");
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn soak_of(endpoint: &str, pid: u32, more: &[&str]) -> Result<Finished> {
    let target = format!("pid:{pid}");
    let soak = ["soak", "--target", &target, "--duration", SOAK];
    let limits = ["--max-growth", "100MiB/h", "--format", "json"];
    profiler_within(endpoint, &[&soak[..], &limits, more].concat(), JUDGED)
}

fn ended(soak: &Finished, code: i32, outcome: &str) -> Result<()> {
    let report: Value = serde_json::from_str(&soak.output)
        .with_context(|| format!("{}; {}", soak.output, soak.errors))?;
    let as_expected = soak.status.code() == Some(code) && report["outcome"] == outcome;
    ensure!(as_expected, "{:?}: {report}", soak.status);
    Ok(())
}

pub(super) fn canary() -> Outcome {
    let agent = Agent::start(&FAST)?;
    let mut programs = [
        Fixture::start("grow", &HOLDS)?,
        Fixture::start("grow", &HOLDS)?,
        Fixture::start("grow", &GROWS)?,
    ];
    for program in &mut programs {
        program.report()?;
    }
    let [stable, same, worse] = programs.each_ref().map(Fixture::pid);
    compared(&agent, stable, same, 0)?;
    compared(&agent, stable, worse, 1)?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Inconclusive until there are windows enough.
fn compared(agent: &Agent, baseline: u32, canary: u32, code: i32) -> Result<()> {
    let (baseline, canary) = (format!("pid={baseline}"), format!("pid={canary}"));
    let sides = ["canary", "--baseline", &baseline, "--canary", &canary];
    let ages = ["--min-age", "5s", "--margin", "100MiB/h"];
    eventually(JUDGED, || {
        let said = profiler(agent, &[&sides[..], &ages].concat())?;
        ensure!(
            said.status.code() == Some(code),
            "{:?}: {} {}",
            said.status,
            said.output,
            said.errors
        );
        Ok(())
    })
}
