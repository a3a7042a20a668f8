//! Memory that a server demands is joined to the connections that it serves.

use std::time::Duration;

use super::trial;
use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{
    Behalf, ConnectionEnd, ConnectionProtocol, GroupBy, GrowthRow, OrderBy, TopRequest,
};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    client::of_pid,
    command::{profiler, profiler_json},
    connections::{self, demanded, ended, find, is_open, same_memory, same_traffic},
    rows,
    sockets::{Clients, Report, Server},
    surroundings::eventually,
};
use serde_json::Value;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("connections::growth_is_joined", limit, growth_is_joined),
        trial(
            "connections::memory_outlives_its_connection",
            limit,
            outlives_its_connection,
        ),
        trial("connections::growth_of_one", limit, growth_of_one),
        trial(
            "connections::ranges_name_their_connection",
            limit,
            ranges_name_theirs,
        ),
        trial(
            "connections::client_asks_about_them",
            limit,
            client_asks_about_them,
        ),
    ]
}

const PIPELINE: Duration = Duration::from_secs(5);
const DONE: Duration = Duration::from_secs(30);
/// Of growth that has to be joined, and how far a connection's bytes may be off.
const JOINED: f64 = 0.98;
const TOLERANCE: f64 = 0.02;
/// Many connections at once, as fast as the two can: several are ready at each turn of the server.
const LOAD: &str = "-k 20 -r 200:600 -d 1";

/// A server that has answered a load, and whose connections are still there or not.
fn loaded(server: &str, manner: &str) -> Result<(Server, Clients, Report)> {
    let mut server = Server::start(server)?;
    let mut clients = Clients::start(server.port, &format!("{LOAD} -e {manner}"))?;
    let asked = clients.done(DONE)?;
    let truth = eventually(PIPELINE, || {
        let truth = server.truth()?;
        ensure!(
            truth.sum.received_bytes == asked.sum.sent_bytes
                && (manner == "exit" || truth.connections.iter().all(|it| it.over)),
            "the server is not done"
        );
        Ok(truth)
    })?;
    Ok((server, clients, truth))
}

fn share_joined(rows: &[GrowthRow]) -> f64 {
    let joined = demanded(rows, Behalf::Connection) as f64;
    let others = [
        Behalf::NoConnection,
        Behalf::HelperThread,
        Behalf::IoUring,
        Behalf::Folded,
    ];
    let rest: u64 = others.iter().map(|&behalf| demanded(rows, behalf)).sum();
    joined / (joined + rest as f64)
}

fn as_counted(client: &mut Client, pid: u32, truth: &Report) -> Result<f64> {
    let rows = connections::growth(client, pid)?;
    let told = connections::of_process(client, pid)?;
    for truth in &truth.connections {
        let connection = find(&told, truth)?;
        same_traffic(connection, truth)
            .and_then(|()| same_memory(connection, truth, TOLERANCE))
            .with_context(|| connections::show(std::slice::from_ref(connection)))?;
        let protocol = connection.protocol();
        ensure!(
            protocol == ConnectionProtocol::Http1,
            "the protocol is said to be {protocol:?}"
        );
        let row = rows
            .iter()
            .find(|row| {
                let of = row.connection.as_ref();
                of.is_some_and(|of| of.cookie == connection.cookie)
            })
            .with_context(|| format!("no row of growth for {}", connection.cookie))?;
        ensure!(
            row.committed_allocated_bytes == connection.committed_allocated_bytes,
            "the row says {} bytes, the connection {}",
            row.committed_allocated_bytes,
            connection.committed_allocated_bytes
        );
    }
    Ok(share_joined(&rows))
}

fn growth_is_joined() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let (server, clients, truth) = loaded("while-open", "exit")?;
    let share = eventually(PIPELINE, || as_counted(&mut client, server.pid(), &truth))?;
    eprintln!(
        "connections::growth_is_joined: {:.3}% of the growth",
        share * 100.0
    );
    ensure!(
        share >= JOINED,
        "{:.2}% of the growth is joined",
        share * 100.0
    );
    let answer = connections::answer_of(&mut client, server.pid())?;
    for connection in &answer.connections {
        is_open(connection)?;
    }
    let join = answer.joins.first().context("the answer has no join")?;
    ensure!(
        join.joined_bytes
            >= demanded(
                &connections::growth(&mut client, server.pid())?,
                Behalf::Connection
            ),
        "{} bytes are joined in its container, fewer than in itself",
        join.joined_bytes
    );
    drop(clients);
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// What half of the connections' memory is when they are over: live, and theirs.
fn outlives_its_connection() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    for keeping in ["mixed", "mixed -f", "per-request", "while-open"] {
        let (server, clients, truth) = loaded(keeping, "close")?;
        eventually(PIPELINE, || {
            as_counted(&mut client, server.pid(), &truth)?;
            let told = connections::of_process(&mut client, server.pid())?;
            truth
                .connections
                .iter()
                .try_for_each(|truth| ended(find(&told, truth)?, ConnectionEnd::PeerClosed))
        })
        .with_context(|| format!("a server that keeps {keeping}"))?;
        drop(clients);
        server.fixture.finish()?;
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Stacks of one connection are an estimate; the function is the one that demands.
fn growth_of_one() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let (server, _clients, truth) = loaded("per-request", "exit")?;
    let largest = truth
        .connections
        .iter()
        .max_by_key(|truth| truth.allocated_bytes)
        .context("no connections")?;
    eventually(PIPELINE, || {
        let told = connections::of_process(&mut client, server.pid())?;
        let request = TopRequest {
            selector: Some(of_pid(server.pid())),
            by: GroupBy::Stack.into(),
            order: OrderBy::Allocated.into(),
            connection: find(&told, largest)?.cookie,
            ..Default::default()
        };
        let rows = client.top(request).context("Top of one connection")?.rows;
        let sum: u64 = rows.iter().map(|row| row.committed_allocated_bytes).sum();
        let ratio = sum as f64 / largest.allocated_bytes as f64;
        ensure!(
            (0.6..1.5).contains(&ratio),
            "stacks of {sum} bytes stand for {}",
            largest.allocated_bytes
        );
        let first = rows.first().context("no rows")?;
        ensure!(
            rows::has_chain(&first.frames, &["take_for_request", "hear"]),
            "not the function that demands:\n{}",
            rows::show(&rows)
        );
        Ok(())
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn ranges_name_theirs() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let (server, _clients, truth) = loaded("bounded", "exit")?;
    eventually(PIPELINE, || {
        let told = connections::of_process(&mut client, server.pid())?;
        let ranges = client.ranges(server.pid()).context("ListRanges")?;
        for truth in &truth.connections {
            let cookie = find(&told, truth)?.cookie;
            let bytes: u64 = ranges
                .iter()
                .filter(|range| range.behalf() == Behalf::Connection && range.connection == cookie)
                .map(|range| range.end - range.start)
                .sum();
            ensure!(
                bytes == truth.live_bytes,
                "{bytes} bytes of ranges are on behalf of {cookie}, which has {}",
                truth.live_bytes
            );
        }
        Ok(())
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// A count or a sum of bytes in proto3's JSON: a number in a string.
fn whole(value: &Value) -> u64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .or_else(|| value.as_u64())
        .unwrap_or(0)
}

fn ask(agent: &Agent, arguments: &str) -> Result<Value> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    profiler_json(agent, &words).with_context(|| format!("profiler {arguments}"))
}

fn client_asks_about_them() -> Outcome {
    let agent = Agent::start(&[])?;
    let (server, _clients, truth) = loaded("while-open", "exit")?;
    let pid = server.pid();
    let list = |more: &str| -> Result<Vec<Value>> {
        let answer = ask(&agent, &format!("connections --pid {pid} {more}"))?;
        Ok(answer["connections"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    };
    eventually(PIPELINE, || {
        let open = list("--state open --sort allocated --limit 100 --points")?;
        ensure!(
            open.len() == 20,
            "{} of 20 connections are open",
            open.len()
        );
        let bytes: Vec<u64> = open
            .iter()
            .map(|it| whole(&it["committedAllocatedBytes"]))
            .collect();
        ensure!(
            bytes.is_sorted_by(|one, next| one >= next),
            "not the largest first: {bytes:?}"
        );
        let taken: u64 = truth.connections.iter().map(|it| it.allocated_bytes).sum();
        ensure!(
            bytes.iter().sum::<u64>().abs_diff(taken) as f64 <= taken as f64 * TOLERANCE,
            "{bytes:?} do not come to {taken}"
        );
        let points = open[0]["points"].as_array().map_or(0, Vec::len);
        ensure!(points >= 8, "a curve of {points} points");
        Ok(())
    })?;
    ensure!(
        list("--state closed")?.is_empty(),
        "some are said to be closed"
    );
    ensure!(
        list("--growing --limit 3")?.len() == 3,
        "the limit does not hold"
    );
    let one = list("--sort live --limit 1")?;
    let cookie = whole(&one[0]["cookie"]);
    let same = list(&format!("--cookie {cookie}"))?;
    ensure!(
        same.len() == 1 && whole(&same[0]["cookie"]) == cookie,
        "not the one with that cookie, {one:?}, but {same:?}"
    );

    let top = ask(&agent, &format!("top --pid {pid} --by connection"))?;
    let rows = top["rows"].as_array().context("no rows")?;
    ensure!(
        rows.iter()
            .any(|row| whole(&row["connection"]["cookie"]) == cookie),
        "no row of growth for {cookie}"
    );
    let table = profiler(&agent, &["connections", "--pid", &pid.to_string()])?.succeeded()?;
    ensure!(
        table.contains(&format!(":{}", server.port)) && table.contains(&cookie.to_string()),
        "the table does not name the server's port, or {cookie}:\n{table}"
    );
    let flame = [
        "top",
        "--connection",
        &cookie.to_string(),
        "--format",
        "folded",
    ];
    let folded = profiler(&agent, &flame)?.succeeded()?;
    ensure!(
        folded.contains("take_for_request"),
        "its stacks do not name the function:\n{folded}"
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}
