//! Under load: nothing lost at a steady pace, everything accounted for in a storm, little memory
//! for many processes.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::Loss;
use profiler_tests::{
    Agent, Client, Outcome, Verdict, compare,
    fixture::{Fixture, number},
    smaps::resident,
    surroundings::{eventually, patience, scale},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "load::steady_pace_loses_nothing",
            Duration::from_secs(90),
            steady_pace_loses_nothing,
        ),
        trial(
            "load::storm_is_accounted_for",
            Duration::from_secs(60),
            storm_is_accounted_for,
        ),
        trial(
            "load::two_hundred_processes",
            Duration::from_secs(60),
            two_hundred_processes,
        ),
    ]
}

/// Operations of a process at rest. The kernel's counts are read once a second.
fn operations(client: &mut Client, pid: u32) -> Result<(u64, u64)> {
    let mut last = None;
    for _ in 0..10 {
        let target = client.target(pid)?;
        let now = Some((target.operations, target.operations_lost));
        if now == last {
            break;
        }
        last = now;
        thread::sleep(Duration::from_millis(1500));
    }
    last.context("no count")
}

fn losses(client: &mut Client) -> Result<Vec<Loss>> {
    let status = client.status().context("GetStatus")?;
    Ok(status.accounting.context("no accounting")?.losses)
}

/// Causes for which an operation, or the stack of one, did not reach the agent. What cannot be
/// unwound or read of other processes on this machine is no loss of the load.
const CAUSES: [&str; 6] = [
    "event_ring_full",
    "life_ring_full",
    "capture_ring_full",
    "process_map_full",
    "storm_counted",
    "kernel_read_failed",
];

fn grown(before: &[Loss], after: &[Loss]) -> Vec<String> {
    after
        .iter()
        .filter(|loss| CAUSES.contains(&loss.cause.as_str()))
        .filter_map(|loss| {
            let old = before
                .iter()
                .find(|old| old.cause == loss.cause)
                .map_or(0, |old| old.count);
            (loss.count > old).then(|| format!("{}: {}", loss.cause, loss.count - old))
        })
        .collect()
}

fn steady_pace_loses_nothing() -> Outcome {
    let seconds = (30.0 * scale()).max(3.0);
    let rate = 50_000.0 * scale();
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut fixture = Fixture::start("rate", &["2", &rate.to_string(), &seconds.to_string()])?;
    fixture.report()?;
    let pid = fixture.pid();
    let before = operations(&mut client, pid)?;
    let losses_before = losses(&mut client)?;

    fixture.go()?;
    let report = fixture.report_within(Duration::from_secs_f64(seconds + 20.0))?;
    let done = number(&report, "done")?;
    let took = report["seconds"].as_f64().context("no seconds")?;
    ensure!(
        done as f64 / took >= rate * 0.95,
        "the test is void: this machine made {:.0} operations a second where {rate} were asked for; \
         set PROFILER_TEST_SCALE",
        done as f64 / took
    );

    compare::await_exact(&mut client, pid)?;
    let after = operations(&mut client, pid)?;
    let lost = grown(&losses_before, &losses(&mut client)?);
    ensure!(
        lost.is_empty(),
        "at {rate} operations a second were lost: {}",
        lost.join(", ")
    );
    ensure!(
        after.1 == before.1,
        "{} operations of the process were lost",
        after.1 - before.1
    );
    ensure!(
        after.0 - before.0 == done,
        "{} operations seen of {done} done",
        after.0 - before.0
    );
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn storm_is_accounted_for() -> Outcome {
    let seconds = (5.0 * scale()).max(2.0);
    let mut agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut fixture = Fixture::start("storm", &["2", &seconds.to_string()])?;
    fixture.report()?;
    let pid = fixture.pid();
    let before = operations(&mut client, pid)?;

    fixture.go()?;
    let report = fixture.report_within(Duration::from_secs_f64(seconds + 20.0))?;
    compare::await_within(&mut client, pid, Duration::from_secs(5)).context("after the storm")?;
    agent.alive()?;

    let done = number(&report, "done")?;
    eventually(Duration::from_secs(5), || {
        let after = operations(&mut client, pid)?;
        let (seen, lost) = (after.0 - before.0, after.1 - before.1);
        // Every operation is either seen or counted as lost; one in a thousand may fall between
        // two counts.
        ensure!(
            (seen + lost).abs_diff(done) <= done / 1000,
            "{done} operations done, {seen} seen and {lost} lost"
        );
        eprintln!("load::storm_is_accounted_for: {done} operations, {lost} of them lost");
        Ok(())
    })?;
    // It is at rest: observed as before.
    compare::await_exact(&mut client, pid).context("once it had calmed down")?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Most memory of the agent while it observes that many processes.
const RESIDENT_MAX: u64 = 100 << 20;

fn two_hundred_processes() -> Outcome {
    let mut sleepers = Vec::new();
    for _ in 0..200 {
        sleepers.push(Fixture::start("sleeper", &["40"])?);
    }
    for sleeper in &mut sleepers {
        sleeper.report()?;
    }
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let status = eventually(Duration::from_secs(10), || {
        let status = client.status().context("GetStatus")?;
        ensure!(
            status.processes_observed >= 200,
            "{} processes observed",
            status.processes_observed
        );
        Ok(status)
    })?;
    for sleeper in sleepers.iter().step_by(20) {
        compare::await_exact(&mut client, sleeper.pid())?;
    }
    // Time for at least one snapshot of all of them.
    thread::sleep(patience(Duration::from_secs(11)));
    let resident = resident(agent.pid())?;
    eprintln!(
        "load::two_hundred_processes: agent resident {} MiB",
        resident >> 20
    );
    ensure!(
        resident <= RESIDENT_MAX,
        "the agent has {} MiB resident",
        resident >> 20
    );
    let told = status.agent_resident_bytes;
    ensure!(
        told.abs_diff(resident) <= resident / 2,
        "the agent says {told} bytes resident, the kernel {resident}"
    );
    drop(sleepers);
    agent.stop()?;
    Ok(Verdict::Passed)
}
