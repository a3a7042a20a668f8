//! Whose a connection is where descriptors go from one process or thread to another.

use std::{collections::BTreeSet, time::Duration};

use super::trial;
use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{Connection, ConnectionEnd};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    connections::{self, ended, find, is_open, same_memory, same_traffic},
    sockets::{Clients, Server, Truth},
    surroundings::eventually,
};

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial(
            "connections::passed_to_another_process",
            limit,
            passed_to_another_process,
        ),
        trial(
            "connections::inherited_listening_socket",
            limit,
            inherited_listening_socket,
        ),
        trial(
            "connections::listening_sockets_that_share_a_port",
            limit,
            shared_port,
        ),
        trial("connections::process_for_each", limit, process_for_each),
        trial("connections::second_descriptor", limit, second_descriptor),
        trial(
            "connections::accepted_by_another_thread",
            limit,
            accepted_by_another_thread,
        ),
    ]
}

const PIPELINE: Duration = Duration::from_secs(5);
const DONE: Duration = Duration::from_secs(20);

/// The process that served it has it, with all that it took.
fn served_by(told: &[Connection], truth: &Truth) -> Result<()> {
    let connection = find(told, truth)?;
    ensure!(
        connection.pid == truth.pid,
        "process {} served it, {} is said to have",
        truth.pid,
        connection.pid
    );
    same_traffic(connection, truth)
        .and_then(|()| ended(connection, ConnectionEnd::PeerClosed))
        .with_context(|| connections::show(std::slice::from_ref(connection)))
}

fn all_served_by(client: &mut Client, port: u16, truths: &[Truth]) -> Result<()> {
    eventually(PIPELINE, || {
        let told = connections::of_port(client, port)?;
        truths.iter().try_for_each(|truth| served_by(&told, truth))
    })
}

/// What the process took, which is still there.
fn took(client: &mut Client, port: u16, truth: &Truth) -> Result<()> {
    eventually(PIPELINE, || {
        let told = connections::of_port(client, port)?;
        same_memory(find(&told, truth)?, truth, 0.0)
    })
}

/// Starts a fixture, asks it over so many connections, and returns what it says of each.
fn asked(name: &str, arguments: &str, count: usize) -> Result<(Server, Clients, Vec<Truth>)> {
    let mut server = Server::start_as(name, arguments)?;
    // One after the other: each is served to its end by one process.
    let mut clients = Clients::start(server.port, &format!("-k {count} -w 1 -r 2:6 -d 2"))?;
    clients.done(DONE)?;
    let mut truths = Vec::new();
    for _ in 0..count {
        truths.push(server.next_truth()?);
    }
    Ok((server, clients, truths))
}

fn passed_to_another_process() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let (mut server, _clients, truths) = asked("conn_pass", "", 1)?;
    ensure!(truths[0].pid != server.pid(), "it was not passed");
    all_served_by(&mut client, server.port, &truths)?;
    took(&mut client, server.port, &truths[0])?;
    server.fixture.go()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Connections of several processes, each served by one of them.
fn many_processes(arguments: &str, least: usize) -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let (mut server, _clients, truths) = asked("conn_processes", arguments, 24)?;
    let pids: BTreeSet<u32> = truths.iter().map(|truth| truth.pid).collect();
    ensure!(
        pids.len() >= least,
        "the test is void: {} processes served",
        pids.len()
    );
    all_served_by(&mut client, server.port, &truths)?;
    for truth in truths.iter().filter(|_| arguments != "fork 1") {
        took(&mut client, server.port, truth)?;
    }
    server.fixture.go()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn inherited_listening_socket() -> Outcome {
    many_processes("inherit 4", 2)
}

fn shared_port() -> Outcome {
    many_processes("reuseport 2", 2)
}

/// The process is gone with its connection, and its memory with it.
fn process_for_each() -> Outcome {
    many_processes("fork 1", 24)
}

fn second_descriptor() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut server = Server::start_as("conn_dup", "")?;
    let mut clients = Clients::start(server.port, "-r 5:5")?;
    let half = server.next_truth()?;
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, server.port)?;
        let connection = find(&told, &half)?;
        is_open(connection)?;
        same_traffic(connection, &half)
    })?;
    server.fixture.go()?;
    clients.done(DONE)?;
    let truth = server.next_truth()?;
    all_served_by(&mut client, server.port, &[truth])?;
    took(&mut client, server.port, &truth)?;
    server.fixture.go()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn accepted_by_another_thread() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let (mut server, _clients, truths) = asked("conn_threads", "10", 10)?;
    all_served_by(&mut client, server.port, &truths)?;
    for truth in &truths {
        took(&mut client, server.port, truth)?;
    }
    server.fixture.go()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
