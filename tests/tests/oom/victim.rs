//! One victim, by itself in a cgroup.

use super::*;

fn cgroup(part: &str) -> Result<Option<MemoryCgroup>> {
    MemoryCgroup::new(
        &format!("profiler-test-{part}-{}", std::process::id()),
        LIMIT,
    )
}

/// The log tells it in any case; the capability is among those of `status`.
pub(super) fn is_heard_of() -> Outcome {
    let Some(cgroup) = cgroup("heard")? else {
        return skip("no cgroup tree here has the controller of memory");
    };
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let status = client.status().context("GetStatus")?;
    let capability = status.capabilities.iter().find(|it| it.name == "OOM kills");
    let capability = capability.context("no such capability")?;
    ensure!(
        !capability.chosen.is_empty(),
        "refused: {:?}",
        capability.refused
    );
    let mut victim = start(&cgroup, 16 << 10)?;
    let pid = victim.pid();
    run_to_its_end(&mut victim)?;
    let told = eventually(TOLD_WITHIN, || {
        let log = agent.log();
        let mut lines = log
            .lines()
            .filter(|line| line.contains("for want of memory"));
        let line = lines.find(|line| line.contains(&format!("pid={pid} ")));
        line.map(str::to_owned)
            .with_context(|| format!("not in {log}"))
    })?;
    for part in ["name=\"oom_grow\"", "constraint=\"cgroup\""] {
        ensure!(told.contains(part), "no {part} in {told:?}");
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

pub(super) fn growth_is_told() -> Outcome {
    let Some(cgroup) = cgroup("told")? else {
        return skip("no cgroup tree here has the controller of memory");
    };
    let agent = Agent::start(&["--snapshot-interval", "1s"])?;
    let mut client = agent.client()?;
    let mut victim = start(&cgroup, 16 << 10)?;
    let pid = victim.pid();
    run_to_its_end(&mut victim)?;
    check(&kill_of(&mut client, |kill| kill.pid == pid)?)?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Not every SIGKILL is one for want of memory.
pub(super) fn others_are_not() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut sleeper = Fixture::start("sleeper", &[])?;
    sleeper.report()?;
    let pid = sleeper.pid();
    // It is killed with its owner.
    drop(sleeper);
    eventually(TOLD_WITHIN, || {
        ensure!(
            client.target(pid).is_err(),
            "it has ended and is still a target"
        );
        Ok(())
    })?;
    let kills = client.oom_kills().context("ListOomKills")?.kills;
    ensure!(kills.iter().all(|kill| kill.pid != pid), "it is told");
    agent.stop()?;
    Ok(Verdict::Passed)
}
