//! Lives of connections: found, told apart, whose they are, what went over them, how they ended.

use std::{fmt, time::Duration};

use super::trial;
use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{Connection, ConnectionEnd, ConnectionKind, ConnectionRole};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    connections::{self, ended, find, is_open, same_bytes, same_memory, same_traffic},
    fixture::{Fixture, number},
    skip,
    sockets::{Clients, Server, Truth},
    surroundings::{Scratch, eventually, fixture},
};

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial(
            "connections::ends_are_told_apart",
            limit,
            ends_are_told_apart,
        ),
        trial(
            "connections::read_after_both_have_finished",
            limit,
            read_after_both_have_finished,
        ),
        trial("connections::killed_process", limit, killed_process),
        trial(
            "connections::there_before_the_agent",
            limit,
            there_before_the_agent,
        ),
        trial("connections::ipv6", limit, ipv6),
        trial("connections::udp", limit, udp),
        trial("connections::unix_streams", limit, unix_streams),
        trial("connections::network_namespace", limit, network_namespace),
        trial("connections::io_uring", limit, io_uring),
    ]
}

/// Time for an end to come through the pipeline, and for the table of open ones to be read.
const PIPELINE: Duration = Duration::from_secs(5);
const DONE: Duration = Duration::from_secs(20);
/// Of memory: mappings are whole pages, and nothing else happens.
const EXACT: f64 = 0.0;

/// A connection as the server's program counted it, and how it has to have ended.
fn as_counted(told: &[Connection], truth: &Truth, end: ConnectionEnd) -> Result<()> {
    let connection = find(told, truth)?;
    same_traffic(connection, truth)
        .and_then(|()| same_memory(connection, truth, EXACT))
        .and_then(|()| ended(connection, end))
        .and_then(|()| belongs(connection, truth.pid))
        .with_context(|| connections::show(std::slice::from_ref(connection)))
}

fn belongs(connection: &Connection, pid: u32) -> Result<()> {
    ensure!(
        connection.pid == pid,
        "it is said to belong to process {}, not {pid}",
        connection.pid
    );
    Ok(())
}

/// A way to end a connection, and what it looks like from both sides.
struct Ending {
    manner: &'static str,
    server: &'static str,
    at_server: ConnectionEnd,
    at_client: ConnectionEnd,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {:?}, server {:?}", self.manner, self.server)
    }
}

const ENDINGS: [Ending; 5] = [
    Ending {
        manner: "close",
        server: "while-open",
        at_server: ConnectionEnd::PeerClosed,
        at_client: ConnectionEnd::Closed,
    },
    Ending {
        manner: "shutdown",
        server: "while-open -f",
        at_server: ConnectionEnd::PeerClosed,
        at_client: ConnectionEnd::Closed,
    },
    Ending {
        manner: "reset",
        server: "after-close",
        at_server: ConnectionEnd::Reset,
        at_client: ConnectionEnd::Closed,
    },
    Ending {
        manner: "exit",
        server: "per-request",
        at_server: ConnectionEnd::PeerClosed,
        at_client: ConnectionEnd::ProcessExit,
    },
    Ending {
        manner: "server",
        server: "bounded -x 1",
        at_server: ConnectionEnd::Closed,
        at_client: ConnectionEnd::PeerClosed,
    },
];

fn plays(client: &mut Client, ending: &Ending) -> Result<()> {
    let mut server = Server::start(ending.server)?;
    let requests = if ending.manner == "server" {
        "1:1"
    } else {
        "3:9"
    };
    let mut clients = Clients::start(
        server.port,
        &format!("-k 5 -r {requests} -d 2 -e {}", ending.manner),
    )?;
    let asked = clients.done(DONE)?;
    let client_pid = clients.pid();
    clients.fixture.finish()?;
    eventually(PIPELINE, || {
        let truth = server.truth()?;
        ensure!(truth.connections.iter().all(|it| it.over), "not yet over");
        let told = connections::of_port(client, server.port)?;
        for served in &truth.connections {
            as_counted(&told, served, ending.at_server).context("at the server")?;
            let role = find(&told, served)?.role();
            ensure!(
                role == ConnectionRole::Server,
                "the server has the role {role:?}"
            );
        }
        for asked in &asked.connections {
            let connection = find(&told, asked).context("at the client")?;
            // The call that finds the end may come after it.
            same_bytes(connection, asked)?;
            ended(connection, ending.at_client).context("at the client")?;
            belongs(connection, client_pid)?;
            let role = connection.role();
            ensure!(
                role == ConnectionRole::Client,
                "the client has the role {role:?}"
            );
        }
        Ok(())
    })?;
    server.fixture.finish()
}

fn ends_are_told_apart() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    for ending in &ENDINGS {
        plays(&mut client, ending).with_context(|| ending.to_string())?;
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// What was received before the end may be read after it.
fn read_after_both_have_finished() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let ending = Ending {
        manner: "late",
        server: "while-open",
        at_server: ConnectionEnd::PeerClosed,
        at_client: ConnectionEnd::Closed,
    };
    plays(&mut client, &ending)?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn killed_process() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut server = Server::start("while-open")?;
    let mut clients = Clients::start(server.port, "-k 5 -r 3:9 -d 2 -e exit")?;
    clients.done(DONE)?;
    let (port, truth) = (server.port, server.truth()?);
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, port)?;
        truth
            .connections
            .iter()
            .try_for_each(|truth| is_open(find(&told, truth)?))
    })?;
    // Without being asked: by SIGKILL.
    drop(server);
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, port)?;
        truth.connections.iter().try_for_each(|truth| {
            let connection = find(&told, truth)?;
            same_traffic(connection, truth)?;
            ended(connection, ConnectionEnd::ProcessExit)?;
            ensure!(
                connection.committed_live_bytes == 0,
                "{} bytes of a process that is gone are live",
                connection.committed_live_bytes
            );
            Ok(())
        })
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// It is found with its role, without the time of its beginning and what went over it before; from
/// then on it is like any other.
fn there_before_the_agent() -> Outcome {
    let mut server = Server::start("while-open -6")?;
    // A second between two requests: the agent starts in between.
    let mut clients = Clients::start(server.port, "-6 -k 4 -r 12:12 -d 1000")?;
    eventually(PIPELINE, || {
        let sum = server.sum()?;
        ensure!(sum.requests >= 4, "{} requests", sum.requests);
        Ok(())
    })?;
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let told = eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, server.port)?;
        ensure!(told.len() == 8, "{} of 8 found", told.len());
        Ok(told)
    })?;
    for connection in &told {
        is_open(connection)?;
        ensure!(connection.opened.is_none(), "it has a beginning");
    }
    let servers = connections::with_role(told, ConnectionRole::Server);
    ensure!(servers.len() == 4, "{} of 4 are servers", servers.len());
    let before = server.sum()?.requests;
    clients.done(DONE)?;
    eventually(PIPELINE, || {
        let truth = server.truth()?;
        let told = connections::of_port(&mut client, server.port)?;
        for truth in &truth.connections {
            let connection = find(&told, truth)?;
            ended(connection, ConnectionEnd::PeerClosed)?;
            ensure!(
                connection.received_bytes > 0 && connection.received_bytes < truth.received_bytes,
                "received {} bytes of {}, some of them before the agent",
                connection.received_bytes,
                truth.received_bytes
            );
        }
        let seen: u64 = connections::with_role(told, ConnectionRole::Server)
            .iter()
            .map(|it| it.committed_allocated_bytes)
            .sum();
        ensure!(seen > 0, "nothing was demanded after {before} requests");
        Ok(())
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn ipv6() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut server = Server::start("per-request -6")?;
    let mut clients = Clients::start(server.port, "-6 -k 3 -r 5:9")?;
    clients.done(DONE)?;
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, server.port)?;
        for truth in &server.truth()?.connections {
            as_counted(&told, truth, ConnectionEnd::PeerClosed)?;
            let local = &find(&told, truth)?.local;
            ensure!(
                *local == format!("[::1]:{}", server.port),
                "it is called {local}"
            );
        }
        Ok(())
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// A socket without a peer is one connection, whoever sends to it.
fn udp() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut server = Fixture::start("conn_udp", &["20"])?;
    let truth = Truth::of(&server.report()?)?;
    let local = format!("127.0.0.1:{}", truth.local_port);
    let told = |client: &mut Client, truth: &Truth| {
        let told = connections::of_process(client, truth.pid)?;
        let connection = told
            .iter()
            .find(|it| it.local == local)
            .with_context(|| format!("no {local} among:\n{}", connections::show(&told)))?;
        let kind = connection.kind();
        ensure!(kind == ConnectionKind::Udp, "it is of the kind {kind:?}");
        ensure!(
            connection.peer.is_empty(),
            "it has the peer {}",
            connection.peer
        );
        same_traffic(connection, truth)?;
        same_memory(connection, truth, EXACT)?;
        anyhow::Ok(connection.clone())
    };
    eventually(PIPELINE, || is_open(&told(&mut client, &truth)?))?;
    server.go()?;
    let truth = Truth::of(&server.report()?)?;
    // Without states there is nothing to see at its end: it is missed in a pass over descriptors.
    eventually(Duration::from_secs(40), || {
        ended(&told(&mut client, &truth)?, ConnectionEnd::Closed)
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn unix_streams() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let scratch = Scratch::new()?;
    let path = scratch.path().join("server.sock");
    let path = path.to_str().context("path")?;
    let abstract_name = format!("@profiler-test-{}", std::process::id());
    for name in [path, &abstract_name] {
        let mut server = Fixture::start("conn_unix", &[name, "20"])?;
        let truth = Truth::of(&server.report()?)?;
        eventually(PIPELINE, || {
            let told = connections::of_process(&mut client, truth.pid)?;
            let connection = told
                .iter()
                .find(|it| it.local == format!("unix:{name}"))
                .with_context(|| format!("no {name} among:\n{}", connections::show(&told)))?;
            let kind = connection.kind();
            ensure!(kind == ConnectionKind::Unix, "it is of the kind {kind:?}");
            same_traffic(connection, &truth)?;
            same_memory(connection, &truth, EXACT)
        })?;
        server.go()?;
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn network_namespace() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut server = Fixture::start("conn_netns", &["20"])?;
    let namespace = number(&server.report()?, "namespace")?;
    let truth = Truth::of(&server.report()?)?;
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, truth.local_port)?;
        as_counted(&told, &truth, ConnectionEnd::PeerClosed)?;
        let told = find(&told, &truth)?.network_namespace;
        ensure!(
            u64::from(told) == namespace,
            "its namespace is said to be {told}, not {namespace}"
        );
        Ok(())
    })?;
    server.go()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// What is received by io_uring is counted; memory that is demanded then is said to be on behalf
/// of any of the completions.
fn io_uring() -> Outcome {
    if fixture("conn_uring").is_none() {
        return skip("the fixture conn_uring could not be compiled");
    }
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut server = Fixture::start("conn_uring", &[])?;
    let ready = server.report()?;
    if let Some(reason) = ready["refused"].as_str() {
        return skip(format!("this kernel refuses io_uring: {reason}"));
    }
    let port = u16::try_from(number(&ready, "port")?)?;
    let mut clients = Clients::start(port, "-r 40:40 -d 5")?;
    clients.done(DONE)?;
    let truth = Truth::of(&server.report()?)?;
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, port)?;
        let connection = find(&told, &truth)?;
        ensure!(
            connection.received_bytes == truth.received_bytes,
            "received {} bytes of {}",
            connection.received_bytes,
            truth.received_bytes
        );
        let rows = connections::growth(&mut client, truth.pid)?;
        let by_ring = connections::demanded(&rows, profiler_proto::v1::Behalf::IoUring);
        ensure!(
            by_ring == truth.allocated_bytes && connection.committed_allocated_bytes == 0,
            "of {} bytes {by_ring} are said to be demanded by io_uring, {} for the connection",
            truth.allocated_bytes,
            connection.committed_allocated_bytes
        );
        Ok(())
    })?;
    server.go()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
