//! Verdicts of a real agent whose windows are a second long.

mod gates;
mod health;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use profiler_proto::v1::{ListVerdictsRequest, Verdict, VerdictState};
use profiler_tests::{
    Agent, Outcome, client::of_pid, fixture::Fixture, surroundings::eventually, trial,
};

/// Until an answer is certain, with windows of a second: the age gate alone is a minute.
const JUDGED: Duration = Duration::from_secs(240);

const LIMIT: Duration = Duration::from_secs(400);

pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
    vec![
        trial(
            "verdict::what_leaks_is_found_and_a_restart_of_the_agent_forgets_nothing",
            LIMIT,
            leak_is_found,
        ),
        trial(
            "verdict::probes_fail_for_a_container_that_leaks_and_for_no_other",
            LIMIT,
            health::of_containers,
        ),
        trial(
            "verdict::a_soak_of_a_process_fails_where_it_grows_and_passes_where_it_holds",
            LIMIT,
            gates::soak,
        ),
        trial(
            "verdict::a_canary_that_grows_fails_and_one_that_holds_passes",
            LIMIT,
            gates::canary,
        ),
    ]
}

/// Windows and readings of a second.
const FAST: [&str; 4] = ["--verdict-window", "1s", "--snapshot-interval", "1s"];

fn verdict(agent: &Agent, pid: u32) -> Result<Verdict> {
    let answer = agent.client()?.verdicts(ListVerdictsRequest {
        selector: Some(of_pid(pid)),
        with_points: true,
        ..Default::default()
    });
    let verdicts = answer.context("ListVerdicts")?.verdicts;
    verdicts.into_iter().next().context("no verdict")
}

fn leak_is_found() -> Outcome {
    let mut leak = Fixture::start("grow", &["512", "200"])?;
    let mut steady = Fixture::start("grow", &["0", "200"])?;
    leak.report()?;
    steady.report()?;
    let agent = Agent::start(&FAST)?;
    let found = eventually(JUDGED, || {
        let verdict = verdict(&agent, leak.pid())?;
        ensure!(
            verdict.state() == VerdictState::Leaking,
            "{:?}",
            verdict.state()
        );
        Ok(verdict)
    })?;
    ensure!(
        found.slope_bytes_per_hour > 1e9,
        "slope of {}",
        found.slope_bytes_per_hour
    );
    ensure!(
        found.evidence.iter().any(|one| one.name == "floor"),
        "{:?}",
        found.evidence
    );
    let json = serde_json::to_value(&found)?;
    ensure!(
        json["state"] == "VERDICT_STATE_LEAKING",
        "{}",
        json["state"]
    );
    ensure!(
        json["slopeBytesPerHour"].is_number() && json["evidence"].is_array(),
        "{json}"
    );
    let calm = verdict(&agent, steady.pid())?;
    let is_calm = !matches!(
        calm.state(),
        VerdictState::Growing | VerdictState::Leaking | VerdictState::SawtoothLeak
    );
    ensure!(is_calm, "what holds is {:?}", calm.state());
    restarted(agent, leak.pid(), &found)?;
    Ok(profiler_tests::Verdict::Passed)
}

/// The series goes on, and with it what was found.
fn restarted(agent: Agent, leak: u32, before: &Verdict) -> Result<()> {
    let address = agent.address().clone();
    agent.stop()?;
    let agent = Agent::start_at(address, &FAST)?;
    eventually(Duration::from_secs(20), || {
        let after = verdict(&agent, leak)?;
        ensure!(
            after.observed_seconds >= before.observed_seconds,
            "{} s after {} s",
            after.observed_seconds,
            before.observed_seconds
        );
        ensure!(
            after.state() == VerdictState::Leaking,
            "{:?}",
            after.state()
        );
        Ok(())
    })?;
    agent.stop()
}
