//! A leak that restarts hide: each life is short, and grows until it is killed.

use anyhow::bail;
use profiler_proto::v1::{LifeEnd, ListVerdictsRequest, Target, VerdictState};
use profiler_tests::surroundings::scale;

use super::*;

/// Restarts before the life that is judged.
pub(super) const RESTARTS: u32 = 3;
/// Windows of the verdicts in a life.
const WINDOWS: u32 = 16;

/// How long such a window is, in seconds.
fn window_seconds() -> u32 {
    if scale() < 1.0 { 2 } else { 1 }
}

/// An agent whose verdicts are as fast as these lives.
pub(super) fn agent() -> Result<Agent> {
    let window = format!("{}s", window_seconds());
    Agent::start(&["--verdict-window", &window, "--snapshot-interval", "1s"])
}

/// KiB a second with which a life has its windows before it is killed.
pub(super) fn speed() -> u32 {
    (LIMIT >> 10) as u32 / (WINDOWS * window_seconds())
}

/// A unit as systemd has it: its cgroup goes with each life, and is made again for the next.
pub(super) fn of_a_unit() -> Outcome {
    let unit = format!("profiler-test-{}.service", std::process::id());
    let agent = agent()?;
    let mut client = agent.client()?;
    for _ in 0..RESTARTS {
        let Some(cgroup) = MemoryCgroup::new(&unit, LIMIT)? else {
            return skip("no cgroup tree here has the controller of memory");
        };
        let mut victim = start(&cgroup, speed())?;
        let pid = victim.pid();
        run_to_its_end(&mut victim)?;
        let kill = kill_of(&mut client, |kill| kill.pid == pid)?;
        check(&kill)?;
        let target = kill.target.context("no target")?;
        ensure!(target.unit == unit, "unit {:?}", target.unit);
    }
    let cgroup = MemoryCgroup::new(&unit, LIMIT)?.context("the controller went away")?;
    let mut fourth = start(&cgroup, speed() / 2)?;
    fourth.go()?;
    is_masked_leak(&mut client, |target| target.unit == unit)?;
    drop(fourth);
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Waits for the verdict on what has been restarted so often.
pub(super) fn is_masked_leak(client: &mut Client, is: impl Fn(&Target) -> bool) -> Result<()> {
    let mut before = Vec::new();
    eventually(GROWS_FOR / 2, || {
        let request = ListVerdictsRequest::default();
        let verdicts = client.verdicts(request).context("ListVerdicts")?.verdicts;
        let mut of_target = verdicts
            .iter()
            .filter(|it| it.target.as_ref().is_some_and(&is));
        let Some(verdict) = of_target.next() else {
            bail!("there is no verdict on it; before: {before:?}");
        };
        let lineage = verdict.lineage.as_ref().context("no lineage")?;
        let said = (verdict.state(), lineage.restarts, lineage.oom_kills);
        if before.last() != Some(&said) {
            before.push(said);
        }
        ensure!(
            verdict.state() == VerdictState::RestartMaskedLeak,
            "states, restarts and kills were {before:?}; gates: {:?}",
            verdict.gates
        );
        ensure!(
            lineage.restarts >= RESTARTS && lineage.oom_kills >= RESTARTS,
            "{lineage:?}"
        );
        let killed = lineage
            .lives
            .iter()
            .filter(|it| it.end() == LifeEnd::OomKilled);
        ensure!(killed.count() >= RESTARTS as usize, "{:?}", lineage.lives);
        Ok(())
    })
}
