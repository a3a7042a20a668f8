//! What the agent answers: over both listeners, by every grouping, and between moments.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{
    DiffRequest, GroupBy, GrowthRow, ListTargetsRequest, Selector, TopRequest,
};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    client::{now, of_pid},
    fixture::Fixture,
    rows,
    service::{BORROWING, KEEPING, Service, near, row_of},
    surroundings::{self, eventually},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("query::status_is_complete", limit, status_is_complete),
        trial(
            "query::growth_is_told_by_stack",
            limit,
            growth_is_told_by_stack,
        ),
        trial(
            "query::growth_is_told_by_other_groups",
            limit,
            growth_is_told_by_other_groups,
        ),
        trial(
            "query::diff_between_two_moments",
            limit,
            diff_between_two_moments,
        ),
        trial("query::selectors_choose", limit, selectors_choose),
    ]
}

fn status_is_complete() -> Outcome {
    let agent = Agent::start(&[])?;
    for mut client in [agent.client()?, agent.tcp_client()?] {
        ensure!(client.serving(), "health does not say SERVING");
        let status = client.status().context("GetStatus")?;
        ensure!(
            status.agent_pid == agent.pid(),
            "agent_pid {}",
            status.agent_pid
        );
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        ensure!(
            status.kernel.contains(release.trim()),
            "kernel {:?}",
            status.kernel
        );
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        ensure!(
            status.boot_id == boot.trim(),
            "boot_id {:?}",
            status.boot_id
        );
        ensure!(
            !status.version.is_empty() && !status.node.is_empty(),
            "no version or node"
        );
        ensure!(
            status.started.is_some() && status.accounting.is_some(),
            "no start or accounting"
        );
        ensure!(status.history_budget_bytes > 0, "no budget of the history");
        ensure!(status.processes_observed > 0, "no process is observed");
        let plan = surroundings::plan();
        let commit = status
            .capabilities
            .iter()
            .find(|capability| capability.name.starts_with("commit"))
            .context("no capability of commit events")?;
        ensure!(
            !commit.chosen.is_empty() && (plan == "auto" || commit.chosen.contains(&plan)),
            "commit events are served by {:?} under the plan {plan}",
            commit.chosen
        );
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn growth_is_told_by_stack() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut service = Service::start()?;
    service.serve(50)?;
    eventually(Duration::from_secs(3), || {
        let request = TopRequest {
            selector: Some(of_pid(service.pid())),
            ..Default::default()
        };
        let answer = client.top(request).context("Top")?;
        let kept = row_of(&answer.rows, &KEEPING)?;
        ensure!(
            near(kept.committed_live_bytes, service.kept)
                && near(kept.committed_allocated_bytes, service.kept),
            "{} live and {} allocated where {} are kept",
            kept.committed_live_bytes,
            kept.committed_allocated_bytes,
            service.kept
        );
        ensure!(
            kept.pid == service.pid() && kept.process_name == "leak",
            "the row is of another process"
        );
        let borrowed = row_of(&answer.rows, &BORROWING)?;
        ensure!(
            near(borrowed.committed_allocated_bytes, service.borrowed)
                && near(borrowed.committed_freed_bytes, service.borrowed),
            "{} allocated and {} freed where {} were borrowed; rows:\n{}",
            borrowed.committed_allocated_bytes,
            borrowed.committed_freed_bytes,
            service.borrowed,
            rows::show(&answer.rows)
        );
        ensure!(
            borrowed.committed_live_bytes < service.borrowed / 50,
            "borrowed memory is live"
        );
        ensure!(
            answer
                .rows
                .windows(2)
                .all(|pair| pair[0].committed_live_bytes >= pair[1].committed_live_bytes),
            "the rows are not ordered by live bytes"
        );
        let accounting = answer.accounting.context("no accounting")?;
        let (ledger, stacks) = (
            accounting.ledger_committed_bytes,
            accounting.stack_committed_bytes,
        );
        ensure!(ledger >= service.kept, "the ledger has {ledger} bytes");
        ensure!(
            stacks.abs_diff(service.kept) < service.kept / 20,
            "the stacks have {stacks} bytes"
        );
        ensure!(
            (0.0..=1.0).contains(&accounting.unattributed_share),
            "share {}",
            accounting.unattributed_share
        );
        Ok(())
    })?;
    service.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn top_by(client: &mut Client, selector: Selector, by: GroupBy) -> Result<Vec<GrowthRow>> {
    let request = TopRequest {
        selector: Some(selector),
        by: by.into(),
        limit: 1000,
        ..Default::default()
    };
    Ok(client.top(request).context("Top")?.rows)
}

fn growth_is_told_by_other_groups() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut service = Service::start()?;
    service.serve(50)?;
    let selector = of_pid(service.pid());
    eventually(Duration::from_secs(3), || {
        let functions = top_by(&mut client, selector.clone(), GroupBy::Function)?;
        let live = |name: &str| {
            functions
                .iter()
                .find(|row| {
                    row.frames
                        .first()
                        .is_some_and(|frame| frame.function == name)
                })
                .map(|row| row.committed_live_bytes)
                .with_context(|| format!("no row of the function {name}"))
        };
        for function in ["session_cache_insert", "handle_request"] {
            let bytes = live(function)?;
            ensure!(
                near(bytes, service.kept),
                "{function} has {bytes} bytes live of {}",
                service.kept
            );
        }
        for by in [GroupBy::Process, GroupBy::Container] {
            let rows = top_by(&mut client, selector.clone(), by)?;
            let [row] = rows.as_slice() else {
                bail!("{} rows by {by:?}", rows.len());
            };
            // Exact here, and what it had besides is small.
            ensure!(
                row.committed_live_bytes >= service.kept
                    && near(row.committed_live_bytes, service.kept),
                "{} live by {by:?}",
                row.committed_live_bytes
            );
        }
        Ok(())
    })?;
    service.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn diff_between_two_moments() -> Outcome {
    let agent = Agent::start(&["--snapshot-interval", "1s"])?;
    let mut client = agent.client()?;
    let mut service = Service::start()?;
    service.serve(20)?;
    let before = service.kept;
    let from = client.snapshot_after(now()?)?;
    service.serve(30)?;
    let growth = service.kept - before;
    eventually(Duration::from_secs(3), || {
        let request = DiffRequest {
            selector: Some(of_pid(service.pid())),
            from: Some(from),
            ..Default::default()
        };
        let answer = client.diff(request).context("Diff")?;
        let row = row_of(&answer.rows, &KEEPING)?;
        ensure!(
            u64::try_from(row.live_delta_bytes).is_ok_and(|delta| near(delta, growth)),
            "grew by {} where {growth} were kept",
            row.live_delta_bytes
        );
        // The wall clock may have been slewed between the two answers.
        let apart = answer
            .from
            .map(|it| (it.seconds - from.seconds) as f64 + f64::from(it.nanos - from.nanos) / 1e9);
        ensure!(
            apart.is_some_and(|apart| apart.abs() < 0.25),
            "from another moment: {:?}, not {from:?}",
            answer.from
        );
        Ok(())
    })?;
    service.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn selectors_choose() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut one = Fixture::start("sleeper", &[])?;
    let mut two = Fixture::start("sleeper", &[])?;
    let mut other = Service::start()?;
    one.report()?;
    two.report()?;
    other.serve(1)?;
    let mut pids = |selector: Selector| -> Result<Vec<u32>> {
        let request = ListTargetsRequest {
            selector: Some(selector),
            ..Default::default()
        };
        let mut pids: Vec<u32> = client
            .targets(request)
            .context("ListTargets")?
            .targets
            .iter()
            .map(|it| it.pid)
            .collect();
        pids.sort_unstable();
        Ok(pids)
    };
    let mut sleepers = [one.pid(), two.pid()];
    sleepers.sort_unstable();
    let processes = |name: &str| Selector {
        processes: vec![name.into()],
        ..Default::default()
    };
    for selector in [
        processes("sleeper"),
        processes("sl?eper*"),
        Selector {
            pids: sleepers.to_vec(),
            ..Default::default()
        },
    ] {
        let found = pids(selector.clone())?;
        ensure!(
            found == sleepers,
            "{selector:?} chose {found:?}, not {sleepers:?}"
        );
    }
    let narrowed = Selector {
        pids: vec![one.pid(), other.pid()],
        ..processes("sleeper")
    };
    ensure!(
        pids(narrowed)? == [one.pid()],
        "fields do not narrow each other"
    );
    ensure!(
        pids(processes("no-such-process"))?.is_empty(),
        "a name that nothing has chose something"
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}
