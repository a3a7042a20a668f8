//! Whoever is not there for a while, nothing is lost.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use pbjson_types::Timestamp;
use profiler_proto::v1::{ListSeriesRequest, Node, SeriesBy, TopRequest, TopResponse};
use profiler_tests::{
    Agent, Client, Collector, Outcome, Verdict,
    agent::Address,
    client::{now, of_pid},
    collector::Place,
    command::profiler,
    service::{KEEPING, Service, row_of},
    surroundings::eventually,
};

use super::{agent, same::same, says, stored::complete_runs, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(240);
    vec![
        trial("collector::comes_later", limit, comes_later),
        trial("collector::agent_is_killed", limit, agent_is_killed),
        trial("collector::is_killed", limit, is_killed),
    ]
}

/// The sender tries again at least this often, and then some.
const RECONNECT: Duration = Duration::from_secs(90);
/// So that some batches wait.
const AWAY: Duration = Duration::from_secs(6);

/// The one node that a collector knows. Fails until all of its batches are there, up to a moment.
fn node_up_to(client: &mut Client, runs: u32, moment: Timestamp) -> Result<Node> {
    let nodes = client.nodes().context("ListNodes")?.nodes;
    let node = nodes.into_iter().next().context("no node yet")?;
    let last = node.last_batch.context("no last batch")?;
    ensure!(
        node.runs == runs
            && node.batches_missing == 0
            && (last.seconds, last.nanos) > (moment.seconds, moment.nanos),
        "not all batches are there: {node:?}"
    );
    Ok(node)
}

fn seconds(time: Timestamp) -> f64 {
    time.seconds as f64 + f64::from(time.nanos) / 1e9
}

fn status(agent: &Agent, word: &str) -> Result<()> {
    let status = profiler(agent, &["status"])?.succeeded()?;
    ensure!(
        status.contains(word),
        "profiler status does not say {word:?}:\n{status}"
    );
    Ok(())
}

/// How many batches an agent says to have in its spool.
fn waiting(notes: &str) -> Result<u64> {
    let (before, _) = notes.split_once(" batches wait").context("no backlog")?;
    let number = before.rsplit(' ').next().context("no number")?;
    number
        .parse()
        .with_context(|| format!("no number in {notes}"))
}

/// What is told of a service at a moment.
fn told(client: &mut Client, service: &Service, at: Timestamp) -> Result<TopResponse> {
    let request = TopRequest {
        selector: Some(of_pid(service.pid())),
        at: Some(at),
        ..Default::default()
    };
    let answer = client.top(request).context("Top")?;
    row_of(&answer.rows, &KEEPING)?;
    Ok(answer)
}

fn comes_later() -> Outcome {
    let place = Place::new()?;
    let agent = agent(Address::new()?, &place.url(), &[])?;
    let mut service = Service::start()?;
    service.serve(20)?;
    std::thread::sleep(AWAY);
    let before = agent.client()?.snapshot_after(now()?)?;
    let ours = told(&mut agent.client()?, &service, before)?;
    let said = says(&agent, AWAY, &["no collector takes snapshots"])?;
    ensure!(waiting(&said)? >= 5, "too few batches wait: {said}");
    status(&agent, "no collector takes snapshots")?;

    let collector = Collector::start_at(place, &[])?;
    let started = now()?;
    let mut client = collector.client()?;
    let node = eventually(RECONNECT, || node_up_to(&mut client, 1, started))?;
    let begun = node.agent_started.context("no start of the agent")?;
    let first = node.first_batch.context("no first batch")?;
    ensure!(
        seconds(first) - seconds(begun) < 3.0,
        "the agent began at {begun:?}, the first batch is of {first:?}"
    );
    let theirs = told(&mut client, &service, before)?;
    same("before the collector came", &ours, &theirs, &[])?;
    eventually(AWAY, || {
        // One may just have been written.
        let waiting = waiting(&says(&agent, AWAY, &["streaming to"])?)?;
        ensure!(waiting <= 1, "{waiting} batches wait still");
        Ok(())
    })?;
    status(&agent, "streaming to")?;

    service.finish()?;
    agent.stop()?;
    let place = collector.stop()?;
    let runs = complete_runs(&place.store())?;
    ensure!(runs.len() == 1, "{} runs", runs.len());
    Ok(Verdict::Passed)
}

/// What it had not sent yet is sent by the next one.
fn agent_is_killed() -> Outcome {
    let collector = Collector::start(&[])?;
    let url = collector.place().url();
    let first = agent(Address::new()?, &url, &[])?;
    let mut service = Service::start()?;
    service.serve(20)?;
    let seen = first.client()?.snapshot_after(now()?)?;
    eventually(RECONNECT, || node_up_to(&mut collector.client()?, 1, seen))?;

    let place = collector.stop()?;
    service.serve(20)?;
    std::thread::sleep(AWAY);
    let unsent = first.client()?.snapshot_after(now()?)?;
    let ours = told(&mut first.client()?, &service, unsent)?;
    // Until that snapshot is in the spool too.
    std::thread::sleep(Duration::from_secs(2));
    let address = first.kill()?;
    let second = agent(address, &url, &[])?;
    std::thread::sleep(AWAY);

    let collector = Collector::start_at(place, &[])?;
    let mut client = collector.client()?;
    let started = now()?;
    eventually(RECONNECT, || node_up_to(&mut client, 2, started))?;
    let theirs = told(&mut client, &service, unsent)?;
    same("before the agent was killed", &ours, &theirs, &[])?;
    one_life(&mut client, &service, (unsent, started))?;

    service.finish()?;
    second.stop()?;
    let place = collector.stop()?;
    let runs = complete_runs(&place.store())?;
    ensure!(runs.len() == 2, "{} runs", runs.len());
    Ok(Verdict::Passed)
}

/// The process is one line over both runs of the agent, with what it had kept at the end.
fn one_life(
    client: &mut Client,
    service: &Service,
    (unsent, started): (Timestamp, Timestamp),
) -> Result<()> {
    eventually(Duration::from_secs(20), || {
        let request = ListSeriesRequest {
            selector: Some(of_pid(service.pid())),
            by: SeriesBy::Process.into(),
            ..Default::default()
        };
        let answer = client.series(request).context("ListSeries")?;
        let [series] = answer.series.as_slice() else {
            anyhow::bail!("{} series of one process: {answer:?}", answer.series.len());
        };
        let first = series.first.context("no first")?;
        let last = series.last.context("no last")?;
        ensure!(
            seconds(first) < seconds(unsent) && seconds(last) > seconds(started),
            "seen from {first:?} to {last:?}"
        );
        ensure!(series.alive, "it is there, but said not to be");
        let live = series
            .points
            .last()
            .context("no points")?
            .committed_live_bytes;
        ensure!(
            live >= service.kept,
            "{live} bytes live of {}",
            service.kept
        );
        Ok(())
    })
}

fn is_killed() -> Outcome {
    let collector = Collector::start(&[])?;
    let agent = agent(Address::new()?, &collector.place().url(), &[])?;
    let begun = now()?;
    eventually(RECONNECT, || node_up_to(&mut collector.client()?, 1, begun))?;
    let place = collector.kill()?;
    std::thread::sleep(AWAY);
    let collector = Collector::start_at(place, &[])?;
    let again = now()?;
    eventually(RECONNECT, || node_up_to(&mut collector.client()?, 1, again))?;
    says(&agent, AWAY, &["streaming to"])?;
    agent.stop()?;
    let place = collector.stop()?;
    let runs = complete_runs(&place.store())?;
    ensure!(runs.len() == 1, "{} runs", runs.len());
    Ok(Verdict::Passed)
}
