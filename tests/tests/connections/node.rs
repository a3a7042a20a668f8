//! Node's own servers, under clients that count for themselves.

use std::{path::Path, process::Command, thread, time::Duration};

use super::trial;
use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{Behalf, Connection, ConnectionEnd, ConnectionProtocol, ConnectionRole};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    command::Finished,
    connections::{self, demanded, ended, find, same_traffic, sides_agree},
    fixture::number,
    skip,
    sockets::{Clients, Server},
    surroundings::{eventually, installed},
};

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("connections::node_http2", limit, node_http2),
        trial("connections::node_http1_closing", limit, node_http1_closing),
    ]
}

const SOURCE: &str = include_str!("../../fixtures/http_server.js");
const PIPELINE: Duration = Duration::from_secs(5);
const DONE: Duration = Duration::from_secs(30);
const CONNECTIONS: u64 = 20;
const REQUESTS: u64 = 2000;
const BODY: u64 = 65536;

/// Starts a server, unless node is not there.
fn start(kind: &str) -> Result<Option<Server>> {
    let Some(node) = installed("node") else {
        return Ok(None);
    };
    let mut command = Command::new(node);
    // The first argument behind the source is what it takes for its own name.
    command.args(["-e", SOURCE, "--", kind, &BODY.to_string()]);
    Server::of(command).map(Some)
}

/// What the server says of itself: connections opened, closed, and bytes kept.
struct Said {
    connections: u64,
    over: u64,
    kept: u64,
}

fn said(server: &mut Server) -> Result<Said> {
    server.fixture.go()?;
    let report = server.fixture.report()?;
    Ok(Said {
        connections: number(&report, "connections")?,
        over: number(&report, "over")?,
        kept: number(&report, "kept_bytes")?,
    })
}

/// Runs h2load to its end: so many requests over so many connections, spread over some seconds.
/// Returns the bytes that it received by its own count.
fn load(h2load: &Path, port: u16) -> Result<u64> {
    let mut command = Command::new(h2load);
    command
        .args(["-n", &REQUESTS.to_string(), "-c", &CONNECTIONS.to_string()])
        .args(["--rps", "25", &format!("http://127.0.0.1:{port}/")]);
    let output = Finished::run(command, DONE)?.succeeded()?;
    ensure!(
        output.contains(&format!("{REQUESTS} succeeded, 0 failed")),
        "h2load:\n{output}"
    );
    output
        .lines()
        .find_map(|line| line.strip_prefix("traffic:"))
        .and_then(|traffic| traffic.split_once('(')?.1.split_once(')')?.0.parse().ok())
        .with_context(|| format!("h2load does not tell its traffic:\n{output}"))
}

fn sum(connections: &[Connection], value: impl Fn(&Connection) -> u64) -> u64 {
    connections.iter().map(value).sum()
}

/// What a process has demanded, by what its threads served.
#[derive(Clone, Copy, Debug)]
struct Demand {
    joined: u64,
    no_connection: u64,
    helpers: u64,
}

impl Demand {
    fn of(client: &mut Client, pid: u32) -> Result<Self> {
        let rows = connections::growth(client, pid)?;
        Ok(Self {
            joined: demanded(&rows, Behalf::Connection),
            no_connection: demanded(&rows, Behalf::NoConnection),
            helpers: demanded(&rows, Behalf::HelperThread),
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            joined: self.joined - before.joined,
            no_connection: self.no_connection - before.no_connection,
            helpers: self.helpers - before.helpers,
        }
    }

    /// Fails unless what the server kept is joined. The runtime's own work on the thread that runs
    /// JavaScript (collections that it was asked to begin, what follows a completed write) is for
    /// no connection; the rest is said to be of helper threads.
    fn is_joined(self, kept: u64) -> Result<()> {
        ensure!(
            self.joined as f64 >= kept as f64 * 0.98,
            "{self:?}, but {kept} bytes were kept"
        );
        let all = self.joined + self.no_connection + self.helpers;
        ensure!(
            self.no_connection as f64 <= all as f64 * 0.2,
            "too much is for no connection: {self:?}"
        );
        Ok(())
    }
}

/// What it demanded to start: none of it is for a connection.
fn at_rest(client: &mut Client, pid: u32) -> Result<Demand> {
    thread::sleep(Duration::from_secs(1));
    Demand::of(client, pid)
}

fn node_http2() -> Outcome {
    let Some(h2load) = installed("h2load") else {
        return skip("h2load is not installed (Debian: nghttp2-client)");
    };
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let Some(mut server) = start("http2")? else {
        return skip("node is not installed");
    };
    let before = at_rest(&mut client, server.pid())?;
    let counted = load(&h2load, server.port)?;
    let said = said(&mut server)?;
    ensure!(
        said.connections == CONNECTIONS,
        "the test is void: {} connections",
        said.connections
    );
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, server.port)?;
        let clients = connections::with_role(told.clone(), ConnectionRole::Client);
        let servers = connections::with_role(told, ConnectionRole::Server);
        ensure!(
            servers.len() as u64 == CONNECTIONS && clients.len() as u64 == CONNECTIONS,
            "{} servers and {} clients, not {CONNECTIONS} each",
            servers.len(),
            clients.len()
        );
        let received = sum(&clients, |it| it.received_bytes);
        ensure!(
            received == counted,
            "clients received {received} bytes, h2load says {counted}"
        );
        sides_agree(&servers, &clients)?;
        for connection in servers.iter().chain(&clients) {
            ensure!(
                connection.protocol() == ConnectionProtocol::Http2,
                "the protocol is said to be {:?}:\n{}",
                connection.protocol(),
                connections::show(std::slice::from_ref(connection))
            );
            ensure!(connection.closed.is_some(), "one is not over");
        }
        Ok(())
    })?;
    eventually(PIPELINE, || {
        let demand = Demand::of(&mut client, server.pid())?;
        let demand = demand.since(before);
        demand.is_joined(said.kept)?;
        eprintln!("connections of node: {} bytes kept; {demand:?}", said.kept);
        Ok(())
    })?;
    server.fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn node_http1_closing() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let Some(mut server) = start("http1")? else {
        return skip("node is not installed");
    };
    let before = at_rest(&mut client, server.pid())?;
    let mut clients = Clients::start(server.port, "-k 400 -w 20 -e server")?;
    let asked = clients.done(DONE)?;
    let said = eventually(PIPELINE, || {
        let said = said(&mut server)?;
        ensure!(said.over == 400, "{} of 400 are over", said.over);
        Ok(said)
    })?;
    eventually(PIPELINE, || {
        let told = connections::of_port(&mut client, server.port)?;
        for truth in &asked.connections {
            let connection = find(&told, truth)?;
            same_traffic(connection, truth)?;
            ended(connection, ConnectionEnd::PeerClosed)?;
        }
        let clients = connections::with_role(told.clone(), ConnectionRole::Client);
        let servers = connections::with_role(told, ConnectionRole::Server);
        ensure!(servers.len() == 400, "{} of 400 connections", servers.len());
        sides_agree(&servers, &clients)?;
        for connection in &servers {
            ended(connection, ConnectionEnd::Closed)?;
            let protocol = connection.protocol();
            ensure!(
                protocol == ConnectionProtocol::Http1,
                "the protocol is said to be {protocol:?}"
            );
        }
        Ok(())
    })?;
    eventually(PIPELINE, || {
        let demand = Demand::of(&mut client, server.pid())?;
        let demand = demand.since(before);
        demand.is_joined(said.kept)?;
        eprintln!("connections of node: {} bytes kept; {demand:?}", said.kept);
        Ok(())
    })?;
    server.fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
