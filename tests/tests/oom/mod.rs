//! Processes that are killed for want of memory: whom, why, and what had grown before.

mod lives;
mod podman;
mod victim;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::OomKill;
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    fixture::{self, Fixture},
    memory_cgroup::MemoryCgroup,
    rows, skip,
    surroundings::eventually,
    trial,
};

/// What the victims may have.
const LIMIT: u64 = 64 << 20;
/// The function that keeps what they get.
const KEEPS: &str = "retain_response";
/// From its first byte to the kill, at the speed that is asked for here.
const GROWS_FOR: Duration = Duration::from_secs(40);
/// From the kill to the answer that has it.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn trials() -> Vec<Trial> {
    let (one, four) = (Duration::from_secs(90), Duration::from_secs(240));
    vec![
        trial("oom::the_victim_is_heard_of", one, victim::is_heard_of),
        trial(
            "oom::the_growth_before_it_is_told",
            one,
            victim::growth_is_told,
        ),
        trial(
            "oom::who_is_no_victim_is_not_told",
            one,
            victim::others_are_not,
        ),
        trial("oom::restarts_do_not_mask_a_leak", four, lives::of_a_unit),
        trial("oom::of_a_container", four, podman::of_a_container),
    ]
}

/// Starts a victim in a cgroup; it waits for its go.
fn start(cgroup: &MemoryCgroup, kibibytes_per_second: u32) -> Result<Fixture> {
    let program = fixture::path("oom_grow")?;
    let speed = kibibytes_per_second.to_string();
    let mut victim = Fixture::of(cgroup.command(&program, &[&speed]))?;
    victim.report()?;
    Ok(victim)
}

/// Lets a victim grow until it is killed.
fn run_to_its_end(victim: &mut Fixture) -> Result<()> {
    victim.go()?;
    let status = victim.ended(GROWS_FOR)?;
    ensure!(killed(status), "the test is void: it ended with {status}");
    Ok(())
}

/// SIGKILL, or what stands for it where a container's end is passed on.
fn killed(status: std::process::ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(9) || status.code() == Some(137)
}

/// The kill of one victim, as soon as it is told.
fn kill_of(client: &mut Client, wanted: impl Fn(&OomKill) -> bool) -> Result<OomKill> {
    eventually(TOLD_WITHIN, || {
        let answer = client.oom_kills().context("ListOomKills")?;
        let told: Vec<u32> = answer.kills.iter().map(|kill| kill.pid).collect();
        let mut found = answer.kills.into_iter().filter(&wanted);
        let kill = found
            .next()
            .with_context(|| format!("it is not among the kills of {told:?}"))?;
        ensure!(found.next().is_none(), "it is told twice");
        Ok(kill)
    })
}

/// What has to be in the answer about any victim here.
fn check(kill: &OomKill) -> Result<()> {
    ensure!(kill.source == "mark_victim", "source {:?}", kill.source);
    ensure!(
        kill.process_name == "oom_grow",
        "name {:?}",
        kill.process_name
    );
    ensure!(
        matches!(kill.constraint.as_str(), "" | "cgroup"),
        "constraint {:?}",
        kill.constraint
    );
    let target = kill.target.as_ref().context("no target")?;
    ensure!(target.pid == kill.pid, "the target is {}", target.pid);
    if let Some(anon) = kill.victim_anon_bytes {
        ensure!(
            (LIMIT / 2..=LIMIT).contains(&anon),
            "{anon} anonymous bytes"
        );
    }
    let largest = kill.growth.first().context("no growth")?;
    ensure!(
        rows::names(largest).contains(&KEEPS),
        "what grew most is another:\n{}",
        rows::show(&kill.growth)
    );
    ensure!(
        largest.committed_live_bytes > LIMIT / 2,
        "{} bytes were live",
        largest.committed_live_bytes
    );
    Ok(())
}
