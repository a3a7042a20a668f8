//! Many short connections: none is left open, none is lost without a word, the agent does not grow.

use std::{thread, time::Duration};

use super::trial;
use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{ConnectionState, ListConnectionsRequest, Loss};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    client::of_pid,
    smaps::resident,
    sockets::{Clients, Server, Sum},
    surroundings::{eventually, patience, scale},
};

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(150);
    vec![
        trial("connections::many_short_ones", limit, many_short_ones),
        trial(
            "connections::many_short_ones_that_demand",
            limit,
            many_short_ones_that_demand,
        ),
    ]
}

/// By which the agent may grow: less than if it kept a record of each.
const GROWTH: u64 = 24 << 20;
/// What it may have where each connection has demanded memory: its tables and its history are full.
const FULL: u64 = 400 << 20;
const DONE: Duration = Duration::from_secs(60);

/// One request each, as fast as the machine makes them; the server closes, the client comes from
/// many addresses, so that ports do not run out.
fn churn(server: &Server, count: u32) -> Result<Sum> {
    let arguments = format!("-k {count} -w 1 -e server -a 8 -q");
    let mut clients = Clients::start(server.port, &arguments)?;
    let sum = clients.done(DONE)?.sum;
    clients.fixture.finish()?;
    ensure!(
        sum.connections == u64::from(count),
        "the clients are not done"
    );
    Ok(sum)
}

/// Connections of a process that are open.
fn left_open(client: &mut Client, pid: u32) -> Result<u32> {
    let request = ListConnectionsRequest {
        selector: Some(of_pid(pid)),
        states: vec![ConnectionState::Open.into()],
        limit: 1,
        ..Default::default()
    };
    Ok(client
        .connections(request)
        .context("ListConnections")?
        .total)
}

/// Connections that the agent has told of, whether they are kept or not.
fn seen(client: &mut Client) -> Result<u64> {
    let request = ListConnectionsRequest {
        limit: 1,
        ..Default::default()
    };
    let answer = client.connections(request).context("ListConnections")?;
    Ok(answer.open_connections + answer.closed_connections_kept + answer.connections_folded)
}

/// Sockets of which too little was seen.
fn losses(client: &mut Client) -> Result<Vec<Loss>> {
    let status = client.status().context("GetStatus")?;
    let losses = status.accounting.context("no accounting")?.losses;
    let causes = [
        "socket_map_full",
        "socket_ends_lost",
        "connections_refused",
        "connection_ends_unseen",
    ];
    Ok(losses
        .into_iter()
        .filter(|loss| causes.contains(&loss.cause.as_str()))
        .collect())
}

/// Lets clients come and go, and fails if one is left open, or lost without being counted.
fn come_and_go(client: &mut Client, server: &Server, count: u32) -> Result<()> {
    let (before, lost_before) = (seen(client)?, losses(client)?);
    churn(server, count)?;
    eventually(Duration::from_secs(5), || {
        let open = left_open(client, server.pid())?;
        ensure!(open == 0, "{open} connections are left open");
        Ok(())
    })?;
    let (after, lost_after) = (seen(client)?, losses(client)?);
    let sum = |losses: &[Loss]| losses.iter().map(|loss| loss.count).sum::<u64>();
    let lost = sum(&lost_after) - sum(&lost_before);
    eprintln!(
        "connections: {} of {} ends seen, {lost} lost",
        after - before,
        2 * count
    );
    // Both sides of each.
    ensure!(
        after - before + lost >= 2 * u64::from(count),
        "{} connections were seen, {lost} lost, of {}",
        after - before,
        2 * count
    );
    Ok(())
}

fn at_rest(agent: &Agent) -> Result<u64> {
    thread::sleep(patience(Duration::from_secs(3)));
    let bytes = resident(agent.pid())?;
    eprintln!("connections: agent resident {} KiB", bytes >> 10);
    Ok(bytes)
}

fn many() -> u32 {
    (100_000.0 * scale()) as u32
}

fn many_short_ones() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let server = Server::start("bounded -n 0 -x 1 -c 200000")?;
    // What tables take once they have been used is not growth.
    come_and_go(&mut client, &server, many() / 2)?;
    let before = at_rest(&agent)?;
    come_and_go(&mut client, &server, many())?;
    let after = at_rest(&agent)?;
    ensure!(
        after <= before + GROWTH,
        "the agent grew from {} to {} KiB",
        before >> 10,
        after >> 10
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn many_short_ones_that_demand() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let server = Server::start("nothing -x 1 -c 200000")?;
    come_and_go(&mut client, &server, many())?;
    let bytes = at_rest(&agent)?;
    ensure!(bytes <= FULL, "the agent has {} KiB resident", bytes >> 10);
    agent.stop()?;
    Ok(Verdict::Passed)
}
