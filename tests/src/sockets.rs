//! The fixtures with sockets: servers and clients that know what each connection did.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::fixture::{Fixture, number};

/// What a program says of its side of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// The process that served it, or asked.
    pub pid: u32,
    /// Its own port.
    pub local_port: u16,
    /// The peer's port.
    pub peer_port: u16,
    /// Answered or asked.
    pub requests: u64,
    /// By all calls.
    pub received_bytes: u64,
    /// Calls that did not fail; the one that found the end is among them.
    pub receive_calls: u64,
    /// By all calls.
    pub sent_bytes: u64,
    /// Calls that did not fail.
    pub send_calls: u64,
    /// Bytes that it took.
    pub allocated_bytes: u64,
    /// Of them not given back.
    pub live_bytes: u64,
    /// The program has closed it.
    pub over: bool,
}

impl Truth {
    /// Of a report.
    pub fn of(report: &Value) -> Result<Self> {
        let port = |field| anyhow::Ok(u16::try_from(number(report, field)?)?);
        Ok(Self {
            pid: u32::try_from(number(report, "pid")?)?,
            local_port: port("local_port")?,
            peer_port: port("peer_port")?,
            requests: number(report, "requests")?,
            received_bytes: number(report, "received_bytes")?,
            receive_calls: number(report, "receive_calls")?,
            sent_bytes: number(report, "sent_bytes")?,
            send_calls: number(report, "send_calls")?,
            allocated_bytes: number(report, "allocated_bytes")?,
            live_bytes: number(report, "live_bytes")?,
            over: number(report, "over")? == 1,
        })
    }
}

/// The sum over all connections of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub connections: u64,
    /// Answered or asked.
    pub requests: u64,
    /// By all calls.
    pub received_bytes: u64,
    /// By all calls.
    pub sent_bytes: u64,
}

/// Each connection, then their sum.
#[derive(Debug)]
pub struct Report {
    /// Connections in the order in which they opened.
    pub connections: Vec<Truth>,
    /// All together.
    pub sum: Sum,
}

fn read_report(fixture: &mut Fixture, limit: Duration) -> Result<Report> {
    let mut connections = Vec::new();
    loop {
        let line = fixture.report_within(limit)?;
        if line["pid"].is_u64() {
            connections.push(Truth::of(&line)?);
            continue;
        }
        let sum = Sum {
            connections: number(&line, "connections")?,
            requests: number(&line, "requests")?,
            received_bytes: number(&line, "received_bytes")?,
            sent_bytes: number(&line, "sent_bytes")?,
        };
        return Ok(Report { connections, sum });
    }
}

/// A fixture that serves a port.
#[derive(Debug)]
pub struct Server {
    /// The program.
    pub fixture: Fixture,
    /// On the loopback interface.
    pub port: u16,
}

impl Server {
    /// Starts `conn_server`.
    pub fn start(arguments: &str) -> Result<Self> {
        Self::start_as("conn_server", arguments)
    }

    /// Starts another fixture; arguments have blanks between them.
    pub fn start_as(name: &str, arguments: &str) -> Result<Self> {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        Self::ready(Fixture::start(name, &arguments)?)
    }

    /// Starts a command that says its port first.
    pub fn of(command: Command) -> Result<Self> {
        Self::ready(Fixture::of(command)?)
    }

    fn ready(mut fixture: Fixture) -> Result<Self> {
        let report = fixture.report()?;
        let port = u16::try_from(number(&report, "port")?).context("a port")?;
        Ok(Self { fixture, port })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.fixture.pid()
    }

    /// What `conn_server` says of each of its connections.
    pub fn truth(&mut self) -> Result<Report> {
        self.fixture.send("truth")?;
        read_report(&mut self.fixture, Duration::from_secs(20))
    }

    /// What it says of all together.
    pub fn sum(&mut self) -> Result<Sum> {
        self.fixture.send("total")?;
        Ok(read_report(&mut self.fixture, Duration::from_secs(20))?.sum)
    }

    /// What another fixture says of the next connection.
    pub fn next_truth(&mut self) -> Result<Truth> {
        Truth::of(&self.fixture.report()?)
    }
}

/// A running `conn_client`.
#[derive(Debug)]
pub struct Clients {
    /// The program.
    pub fixture: Fixture,
}

impl Clients {
    /// Starts it and lets it ask; arguments have blanks between them.
    pub fn start(port: u16, arguments: &str) -> Result<Self> {
        let mut clients = Self::prepare(port, arguments)?;
        clients.fixture.go()?;
        Ok(clients)
    }

    /// Starts it; it does not ask before it is told to go on.
    pub fn prepare(port: u16, arguments: &str) -> Result<Self> {
        let port = port.to_string();
        let arguments: Vec<&str> = [port.as_str()]
            .into_iter()
            .chain(arguments.split_whitespace())
            .collect();
        let mut fixture = Fixture::start("conn_client", &arguments)?;
        fixture.report()?;
        Ok(Self { fixture })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.fixture.pid()
    }

    /// What it says once all is done.
    pub fn done(&mut self, limit: Duration) -> Result<Report> {
        read_report(&mut self.fixture, limit)
    }
}
