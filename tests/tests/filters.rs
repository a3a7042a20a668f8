//! Filters choose what is observed, from the command line and from a file that can be read again.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::ListTargetsRequest;
use profiler_tests::{
    Agent, Client, Outcome, Verdict, agent::Address, compare, fixture::Fixture,
    surroundings::eventually, trial,
};
use rustix::process::Signal;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial(
            "filters::include_by_process_id",
            limit,
            include_by_process_id,
        ),
        trial(
            "filters::exclude_by_name_from_a_file",
            limit,
            exclude_by_name_from_a_file,
        ),
        trial(
            "filters::file_is_read_again_on_sighup",
            limit,
            file_is_read_again_on_sighup,
        ),
        trial(
            "filters::broken_file_on_sighup_changes_nothing",
            limit,
            broken_file_on_sighup_changes_nothing,
        ),
    ]
}

/// The configuration that leaves these processes out.
fn excluding(names: &str) -> String {
    format!("[filter.exclude]\nprocesses = [{names}]\n")
}

fn observed(client: &mut Client) -> Result<Vec<u32>> {
    let answer = client
        .targets(ListTargetsRequest::default())
        .context("ListTargets")?;
    Ok(answer.targets.iter().map(|target| target.pid).collect())
}

fn await_observed(client: &mut Client, pid: u32, wanted: bool) -> Result<()> {
    eventually(Duration::from_secs(3), || {
        let now = observed(client)?.contains(&pid);
        ensure!(
            now == wanted,
            "process {pid} is {}observed",
            if now { "" } else { "not " }
        );
        Ok(())
    })
}

fn start(name: &str) -> Result<Fixture> {
    let mut fixture = Fixture::start(name, &[])?;
    fixture.report()?;
    Ok(fixture)
}

fn include_by_process_id() -> Outcome {
    let (sleeper, mut leak) = (start("sleeper")?, start("leak")?);
    let agent = Agent::start(&["--include-pid", &leak.pid().to_string()])?;
    let mut client = agent.client()?;
    leak.send("10")?;
    leak.report()?;
    let late = start("sleeper")?;
    compare::await_exact(&mut client, leak.pid())?;
    let pids = observed(&mut client)?;
    ensure!(
        pids == [leak.pid()],
        "{pids:?} are observed, not only {}",
        leak.pid()
    );
    ensure!(
        client.ranges(sleeper.pid()).is_err(),
        "there is a ledger of a process that is not included"
    );
    ensure!(
        client.ranges(late.pid()).is_err(),
        "there is a ledger of a later process"
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn with_file(text: &str) -> Result<Agent> {
    let address = Address::new()?;
    let file = address.directory().join("agent.toml");
    fs::write(&file, text)?;
    let path = file.to_str().context("path")?.to_owned();
    Agent::start_at(address, &["--config", &path])
}

fn exclude_by_name_from_a_file() -> Outcome {
    let sleeper = start("sleeper")?;
    let agent = with_file(&excluding("\"sleep*\""))?;
    let mut client = agent.client()?;
    let (late, leak) = (start("sleeper")?, start("leak")?);
    await_observed(&mut client, leak.pid(), true)?;
    await_observed(&mut client, sleeper.pid(), false)?;
    await_observed(&mut client, late.pid(), false)?;
    let status = client.status().context("GetStatus")?;
    ensure!(
        status.processes_ignored >= 2,
        "{} processes ignored",
        status.processes_ignored
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn file_is_read_again_on_sighup() -> Outcome {
    let (sleeper, mut leak) = (start("sleeper")?, start("leak")?);
    let agent = with_file(&excluding("\"sleeper\""))?;
    let mut client = agent.client()?;
    await_observed(&mut client, leak.pid(), true)?;
    await_observed(&mut client, sleeper.pid(), false)?;

    fs::write(
        agent.address().directory().join("agent.toml"),
        excluding("\"leak\""),
    )?;
    agent.signal(Signal::HUP);
    await_observed(&mut client, leak.pid(), false)?;
    await_observed(&mut client, sleeper.pid(), true)?;
    // Its memory was read when the filter let it in.
    compare::await_exact(&mut client, sleeper.pid())?;

    leak.send("10")?;
    leak.report()?;
    fs::write(
        agent.address().directory().join("agent.toml"),
        excluding(""),
    )?;
    agent.signal(Signal::HUP);
    await_observed(&mut client, leak.pid(), true)?;
    compare::await_exact(&mut client, leak.pid())?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn broken_file_on_sighup_changes_nothing() -> Outcome {
    let sleeper = start("sleeper")?;
    let mut agent = with_file(&excluding("\"sleeper\""))?;
    let mut client = agent.client()?;
    await_observed(&mut client, sleeper.pid(), false)?;
    fs::write(
        agent.address().directory().join("agent.toml"),
        "[filter.exclude]\nno_such_key = 1\n",
    )?;
    agent.signal(Signal::HUP);
    eventually(Duration::from_secs(3), || {
        ensure!(
            agent.log().contains("no_such_key"),
            "the log does not name the key; {}",
            agent.log()
        );
        Ok(())
    })?;
    agent.alive()?;
    await_observed(&mut client, sleeper.pid(), false)?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
