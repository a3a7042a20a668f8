//! What probes of health are told of containers.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use profiler_tests::{
    Agent, Outcome,
    agent::Address,
    fixture::{self, Fixture},
    memory_cgroup::MemoryCgroup,
    skip,
    surroundings::eventually,
};
use serde_json::Value;
use tonic_health::pb::health_check_response::ServingStatus;

use super::{FAST, JUDGED};

/// The one that leaks gets past this percentage of its limit long before it is found to leak, and is
/// far from its limit then. The one that holds is above it from the start.
const SHARE: &str = "5";
const LEAK_LIMIT: u64 = 2 << 30;
const HOLD_LIMIT: u64 = 64 << 20;

/// A container as Docker under systemd has it.
struct Container {
    id: String,
    program: Fixture,
    // Goes last, when nothing is in it any more.
    _cgroup: MemoryCgroup,
}

impl Container {
    /// None: no tree here has the controller of memory.
    fn start(letter: char, limit: u64, arguments: &[&str]) -> Result<Option<Self>> {
        let id = format!("{letter}{:08x}{}", std::process::id(), "0".repeat(55));
        let Some(cgroup) = MemoryCgroup::new(&format!("docker-{id}.scope"), limit)? else {
            return Ok(None);
        };
        let command = cgroup.command(&fixture::path("grow")?, arguments);
        let mut program = Fixture::of(command)?;
        program.report()?;
        Ok(Some(Self {
            id,
            program,
            _cgroup: cgroup,
        }))
    }
}

pub(super) fn of_containers() -> Outcome {
    let Some(leak) = Container::start('a', LEAK_LIMIT, &["512", "200"])? else {
        return skip("no cgroup tree here has the controller of memory");
    };
    let holds = Container::start('b', HOLD_LIMIT, &["0", "200"])?;
    let holds = holds.context("the controller went away")?;
    let arguments = ["--health-share", SHARE, "--health-lead", "0s"];
    let agent = Agent::start(&[&FAST[..], &arguments].concat())?;
    let (status, _) = get(agent.address(), "/healthz")?;
    ensure!(status == 200, "/healthz answers {status}");
    eventually(Duration::from_secs(20), || {
        let (status, body) = get(agent.address(), "/readyz")?;
        ensure!(status == 200, "/readyz answers {status}: {body}");
        Ok(())
    })?;
    let reason = eventually(JUDGED, || {
        let (status, body) = of(&agent, &leak.id)?;
        ensure!(status == 503, "{status}: {body}");
        Ok(body["reason"].as_str().unwrap_or_default().to_owned())
    })?;
    ensure!(reason.contains("of its limit"), "{reason}");
    let (status, body) = of(&agent, &holds.id)?;
    ensure!(
        status == 200 && body["state"] != "unknown",
        "{status}: {body}"
    );
    let (status, body) = of(&agent, "0123456789ab")?;
    ensure!(
        status == 200 && body["state"] == "unknown",
        "{status}: {body}"
    );
    let mut client = agent.client()?;
    let said = client.health_of(&leak.id)?;
    ensure!(said == ServingStatus::NotServing, "{said:?}");
    let said = client.health_of(&holds.id)?;
    ensure!(said == ServingStatus::Serving, "{said:?}");
    drop((leak.program, holds.program));
    agent.stop()?;
    Ok(profiler_tests::Verdict::Passed)
}

/// By the beginning of its id.
fn of(agent: &Agent, id: &str) -> Result<(u16, Value)> {
    let (status, body) = get(agent.address(), &format!("/health/container/{}", &id[..12]))?;
    Ok((status, serde_json::from_str(&body)?))
}

/// Status and body.
fn get(address: &Address, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", address.http))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("no end of the head")?;
    let status = head.split(' ').nth(1).context("no status")?;
    Ok((status.parse()?, body.to_owned()))
}
