//! Processes come and go: by the thousand, under another name, with an id that was used before.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{ListTargetsRequest, Selector, Target, TargetState, TopRequest};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    client::{now, of_pid},
    compare,
    fixture::{self, Fixture, number},
    service::{KEEPING, Service, near, row_of},
    skip,
    surroundings::{self, eventually, scale},
    trial,
};
use tonic::Code;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("lifecycle::start_and_end", limit, start_and_end),
        trial(
            "lifecycle::rows_outlive_the_process",
            limit,
            rows_outlive_the_process,
        ),
        trial(
            "lifecycle::name_changes_with_exec",
            limit,
            name_changes_with_exec,
        ),
        trial("lifecycle::many_short_lives", limit, many_short_lives),
        trial(
            "lifecycle::process_id_comes_back",
            limit,
            process_id_comes_back,
        ),
        trial("lifecycle::cgroup_is_told", limit, cgroup_is_told),
        trial(
            "lifecycle::thirty_two_bit_is_unsupported",
            limit,
            thirty_two_bit_is_unsupported,
        ),
        trial(
            "lifecycle::agent_leaves_itself_out",
            limit,
            agent_leaves_itself_out,
        ),
    ]
}

/// A process that was chosen by its id and is not observed may be an error or no target.
fn targets(client: &mut Client, selector: Selector, include_exited: bool) -> Result<Vec<Target>> {
    let request = ListTargetsRequest {
        selector: Some(selector),
        include_exited,
        limit: 0,
        ..ListTargetsRequest::default()
    };
    match client.targets(request) {
        Ok(answer) => Ok(answer.targets),
        Err(status) if status.code() == Code::NotFound => Ok(Vec::new()),
        Err(status) => Err(status).context("ListTargets"),
    }
}

fn start_and_end() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut sleeper = Fixture::start("sleeper", &[])?;
    sleeper.report()?;
    let pid = sleeper.pid();
    let target = eventually(Duration::from_secs(2), || client.target(pid))?;
    ensure!(
        target.process_name == "sleeper",
        "name {:?}",
        target.process_name
    );
    ensure!(
        target.executable.ends_with("/sleeper"),
        "executable {:?}",
        target.executable
    );
    ensure!(
        target.namespace_pid == pid,
        "namespace pid {}",
        target.namespace_pid
    );
    ensure!(
        target.state() == TargetState::Observed,
        "state {:?}",
        target.state()
    );
    ensure!(target.started.is_some(), "no start");
    sleeper.finish()?;
    eventually(Duration::from_secs(3), || {
        ensure!(
            targets(&mut client, of_pid(pid), false)?.is_empty(),
            "it has ended and is still a target"
        );
        Ok(())
    })?;
    let ended = targets(&mut client, of_pid(pid), true)?;
    ensure!(
        ended
            .iter()
            .any(|target| target.state() == TargetState::Exited),
        "it is not among those that have ended: {ended:?}"
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// What a process had is still told once it has ended: it may have ended for want of memory.
fn rows_outlive_the_process() -> Outcome {
    let agent = Agent::start(&["--snapshot-interval", "1s"])?;
    let mut client = agent.client()?;
    let mut service = Service::start()?;
    service.serve(20)?;
    let (pid, kept) = (service.pid(), service.kept);
    let moment = client.snapshot_after(now()?)?;
    service.finish()?;
    eventually(Duration::from_secs(3), || {
        let gone = targets(&mut client, of_pid(pid), false)?.is_empty();
        ensure!(gone, "it has ended and is still a target");
        Ok(())
    })?;
    let request = TopRequest {
        selector: Some(of_pid(pid)),
        at: Some(moment),
        ..Default::default()
    };
    let rows = client.top(request).context("Top")?.rows;
    let row = row_of(&rows, &KEEPING)?;
    ensure!(
        near(row.committed_live_bytes, kept),
        "{} bytes were live of {kept}",
        row.committed_live_bytes
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn name_changes_with_exec() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let sleeper = fixture::path("sleeper")?;
    let mut process = Fixture::in_jail(&["--mount"], sleeper.to_str().context("path")?, &[])?;
    process.report()?;
    eventually(Duration::from_secs(2), || {
        let target = client.target(process.pid())?;
        ensure!(
            target.process_name == "sleeper",
            "name {:?}",
            target.process_name
        );
        Ok(())
    })?;
    compare::await_exact(&mut client, process.pid())?;
    process.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn many_short_lives() -> Outcome {
    let mut agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let count = (1000.0 * scale()).max(100.0).round().to_string();
    let mut churn = Fixture::start("churn", &[&count])?;
    churn.report()?;
    let before = eventually(Duration::from_secs(2), || {
        client.target(churn.pid())?;
        Ok(client.status().context("GetStatus")?.processes_observed)
    })?;
    churn.go()?;
    churn.report_within(Duration::from_secs(40))?;
    agent.alive()?;
    eventually(Duration::from_secs(5), || {
        let now = client.status().context("GetStatus")?.processes_observed;
        // Others on this machine may start something meanwhile.
        ensure!(
            now <= before + 5,
            "{now} processes observed where there were {before} before"
        );
        Ok(())
    })?;
    let left = targets(
        &mut client,
        Selector {
            processes: vec!["churn*".into(), "exe".into()],
            ..Default::default()
        },
        false,
    )?;
    ensure!(
        left.len() == 1,
        "{} processes of the churn are left",
        left.len()
    );
    compare::await_exact(&mut client, churn.pid())?;
    churn.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn process_id_comes_back() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut fixture = Fixture::start("churn", &["--reuse"])?;
    fixture.report()?;
    fixture.go()?;
    let first = u32::try_from(number(&fixture.report()?, "pid")?)?;
    compare::await_exact(&mut client, first).context("first life")?;
    fixture.go()?;
    let report = fixture.report()?;
    if let Some(reason) = report["refused"].as_str() {
        agent.stop()?;
        return skip(format!(
            "this kernel gives no process id on demand: {reason}"
        ));
    }
    let second = u32::try_from(number(&report, "pid")?)?;
    ensure!(first == second, "the test is void: {first} and {second}");
    compare::await_exact(&mut client, second).context("second life")?;
    let target = client.target(second)?;
    ensure!(
        target.committed_bytes < 4096 * 4096,
        "it has the memory of the first: {}",
        target.committed_bytes
    );
    fixture.go()?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// A cgroup of the version 2 tree that goes with its owner.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new() -> Result<Option<Self>> {
        let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let root = roots
            .iter()
            .map(PathBuf::from)
            .find(|root| root.join("cgroup.controllers").is_file());
        let Some(root) = root else { return Ok(None) };
        let path = root.join(format!("profiler-test-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Some(Self(path)))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let removed = eventually(Duration::from_secs(2), || Ok(fs::remove_dir(&self.0)?));
        if let Err(error) = removed {
            eprintln!("{} stays behind: {error:#}", self.0.display());
        }
    }
}

fn cgroup_is_told() -> Outcome {
    let Some(cgroup) = Cgroup::new()? else {
        return skip("there is no cgroup version 2 tree");
    };
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg("echo $$ > \"$0\" && exec \"$1\"")
        .arg(cgroup.0.join("cgroup.procs"))
        .arg(fixture::path("sleeper")?);
    let mut sleeper = Fixture::of(command)?;
    sleeper.report()?;
    let name = cgroup
        .0
        .file_name()
        .and_then(|name| name.to_str())
        .context("name")?;
    eventually(Duration::from_secs(5), || {
        let target = client.target(sleeper.pid())?;
        ensure!(
            target.cgroup == format!("/{name}"),
            "cgroup {:?}",
            target.cgroup
        );
        let selector = Selector {
            cgroups: vec!["/profiler-test-*".into()],
            ..Default::default()
        };
        let chosen = targets(&mut client, selector, false)?;
        ensure!(
            chosen.len() == 1 && chosen[0].pid == sleeper.pid(),
            "the pattern chose {} targets",
            chosen.len()
        );
        Ok(())
    })?;
    sleeper.finish()?;
    agent.stop()?;
    drop(cgroup);
    Ok(Verdict::Passed)
}

fn thirty_two_bit_is_unsupported() -> Outcome {
    if surroundings::fixture("compat32").is_none() {
        return skip("the compiler makes no 32-bit programs");
    }
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let Ok(mut process) = Fixture::start("compat32", &[]) else {
        agent.stop()?;
        return skip("this kernel runs no 32-bit programs");
    };
    process.report()?;
    eventually(Duration::from_secs(5), || {
        let status = client.status().context("GetStatus")?;
        ensure!(
            status.processes_unsupported >= 1,
            "no process counts as unsupported"
        );
        let target = client.target(process.pid())?;
        ensure!(
            target.state() == TargetState::Unsupported,
            "state {:?}",
            target.state()
        );
        Ok(())
    })?;
    process.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn agent_leaves_itself_out() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let all = targets(&mut client, Selector::default(), false)?;
    ensure!(!all.is_empty(), "no targets");
    ensure!(
        all.iter().all(|target| target.pid != agent.pid()),
        "the agent observes itself"
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}
