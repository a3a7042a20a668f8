//! What the agent tells of connections.

use anyhow::{Context as _, Result, bail, ensure};
use pbjson_types::Timestamp;
use profiler_proto::v1::{
    Behalf, Connection, ConnectionEnd, ConnectionRole, ConnectionState, GroupBy, GrowthRow,
    ListConnectionsRequest, ListConnectionsResponse, TopRequest,
};

use crate::{
    client::{Client, of_pid},
    sockets::Truth,
};

/// Most rows of one answer.
const LARGEST: u32 = 10_000;

/// Asks about one process, everything at once.
pub fn answer_of(client: &mut Client, pid: u32) -> Result<ListConnectionsResponse> {
    let request = ListConnectionsRequest {
        selector: Some(of_pid(pid)),
        limit: LARGEST,
        ..Default::default()
    };
    client.connections(request).context("ListConnections")
}

/// Connections of one process.
pub fn of_process(client: &mut Client, pid: u32) -> Result<Vec<Connection>> {
    Ok(answer_of(client, pid)?.connections)
}

/// Both sides of all connections of a port, whoever they belong to.
pub fn of_port(client: &mut Client, port: u16) -> Result<Vec<Connection>> {
    let request = ListConnectionsRequest {
        ports: vec![port.into()],
        limit: LARGEST,
        ..Default::default()
    };
    Ok(client
        .connections(request)
        .context("ListConnections")?
        .connections)
}

fn ends_with_port(address: &str, port: u16) -> bool {
    address
        .rsplit_once(':')
        .is_some_and(|(_, text)| text == port.to_string())
}

/// The one that a program speaks of; the first, where the kernel used its ports again after it had
/// closed. Two at a time are a mistake.
pub fn find<'a>(connections: &'a [Connection], truth: &Truth) -> Result<&'a Connection> {
    let of_truth = connections.iter().filter(|it| {
        ends_with_port(&it.local, truth.local_port) && ends_with_port(&it.peer, truth.peer_port)
    });
    let mut found: Vec<_> = of_truth.collect();
    found.sort_by_key(|it| moment(it.opened.as_ref()));
    let first = found.first().copied().with_context(|| {
        format!(
            "no connection from port {} to {}; there are:\n{}",
            truth.local_port,
            truth.peer_port,
            show(connections)
        )
    })?;
    let one_after_the_other = found.windows(2).all(|pair| {
        let closed = pair[0].closed.as_ref();
        closed.is_some() && moment(closed) <= moment(pair[1].opened.as_ref())
    });
    ensure!(
        one_after_the_other,
        "two connections have the same ports:\n{}",
        show(connections)
    );
    Ok(first)
}

fn moment(time: Option<&Timestamp>) -> Option<(i64, i32)> {
    time.map(|time| (time.seconds, time.nanos))
}

/// Fails unless bytes and calls in each direction are those that the program counted.
pub fn same_traffic(connection: &Connection, truth: &Truth) -> Result<()> {
    let told = (
        connection.received_bytes,
        connection.received_calls,
        connection.sent_bytes,
        connection.sent_calls,
    );
    let counted = (
        truth.received_bytes,
        truth.receive_calls,
        truth.sent_bytes,
        truth.send_calls,
    );
    ensure!(
        told == counted,
        "received bytes and calls, sent bytes and calls: told {told:?}, counted {counted:?}"
    );
    Ok(())
}

/// Fails unless bytes in each direction are those that the program counted.
pub fn same_bytes(connection: &Connection, truth: &Truth) -> Result<()> {
    let told = (connection.received_bytes, connection.sent_bytes);
    let counted = (truth.received_bytes, truth.sent_bytes);
    ensure!(
        told == counted,
        "received and sent bytes: told {told:?}, counted {counted:?}"
    );
    Ok(())
}

/// Fails unless the memory that was demanded is what the program took, give or take this share.
pub fn same_memory(connection: &Connection, truth: &Truth, tolerance: f64) -> Result<()> {
    let figures = [
        (
            "allocated",
            connection.committed_allocated_bytes,
            truth.allocated_bytes,
        ),
        ("live", connection.committed_live_bytes, truth.live_bytes),
    ];
    for (what, told, counted) in figures {
        let most = truth.allocated_bytes as f64 * tolerance;
        ensure!(
            told.abs_diff(counted) as f64 <= most,
            "{what}: told {told} bytes, taken {counted}"
        );
    }
    Ok(())
}

/// Fails unless it is over, and ended like this.
pub fn ended(connection: &Connection, end: ConnectionEnd) -> Result<()> {
    ensure!(
        connection.state() == ConnectionState::Closed && connection.end() == end,
        "{:?} by {:?}, not closed by {end:?}",
        connection.state(),
        connection.end()
    );
    ensure!(connection.closed.is_some(), "it has no time of its end");
    Ok(())
}

/// Fails unless it is open.
pub fn is_open(connection: &Connection) -> Result<()> {
    ensure!(
        connection.state() == ConnectionState::Open
            && connection.end() == ConnectionEnd::Unspecified
            && connection.closed.is_none(),
        "{:?} by {:?}, not open",
        connection.state(),
        connection.end()
    );
    Ok(())
}

/// Those of one side.
pub fn with_role(connections: Vec<Connection>, role: ConnectionRole) -> Vec<Connection> {
    connections
        .into_iter()
        .filter(|connection| connection.role() == role)
        .collect()
}

/// Growth of one process by connection.
pub fn growth(client: &mut Client, pid: u32) -> Result<Vec<GrowthRow>> {
    let request = TopRequest {
        selector: Some(of_pid(pid)),
        by: GroupBy::Connection.into(),
        limit: LARGEST,
        ..Default::default()
    };
    Ok(client.top(request).context("Top by connection")?.rows)
}

/// Bytes that were demanded on behalf of this kind.
pub fn demanded(rows: &[GrowthRow], behalf: Behalf) -> u64 {
    rows.iter()
        .filter(|row| row.behalf() == behalf)
        .map(|row| row.committed_allocated_bytes)
        .sum()
}

/// Fails unless each pair of two sides agrees: what one has sent, the other has received.
pub fn sides_agree(servers: &[Connection], clients: &[Connection]) -> Result<()> {
    for server in servers {
        let Some(client) = clients
            .iter()
            .find(|it| it.local == server.peer && it.peer == server.local)
        else {
            bail!(
                "nobody is at the other side of {} <- {}",
                server.local,
                server.peer
            );
        };
        ensure!(
            server.received_bytes == client.sent_bytes
                && server.sent_bytes == client.received_bytes,
            "{} <- {}: the server received {} and sent {} bytes, the client sent {} and received {}",
            server.local,
            server.peer,
            server.received_bytes,
            server.sent_bytes,
            client.sent_bytes,
            client.received_bytes
        );
    }
    Ok(())
}

/// Connections as text, for failures: the first few.
pub fn show(connections: &[Connection]) -> String {
    let mut text = String::new();
    for it in connections.iter().take(30) {
        text += &format!(
            "  {} {} <-> {} {:?} {:?} {:?} {:?} pid {}: received {} in {}, sent {} in {}; \
             allocated {}, live {}, at close {}\n",
            it.cookie,
            it.local,
            it.peer,
            it.role(),
            it.protocol(),
            it.state(),
            it.end(),
            it.pid,
            it.received_bytes,
            it.received_calls,
            it.sent_bytes,
            it.sent_calls,
            it.committed_allocated_bytes,
            it.committed_live_bytes,
            it.live_at_close_bytes
        );
    }
    text
}
