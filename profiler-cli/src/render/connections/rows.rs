//! The table of connections.

use profiler_formats::connection::{pattern, process, protocol, role, state};
use profiler_proto::v1::{Connection, ListConnectionsResponse, Snapshot};

use super::Layout;
use crate::{
    args::Sort,
    render::target::add_nodes,
    table::{Align, Table},
    text::{clean, plural},
    time::seconds_between,
    units::{bytes, count, mean_bytes, seconds},
};

/// Columns that give way where it is narrow, the first first.
const GIVE_WAY: [&str; 8] = [
    "LOCAL",
    "PATTERN",
    "SENT",
    "PROTOCOL",
    "RECEIVED",
    "ROLE",
    "ALLOCATED",
    "STATE",
];

pub(super) fn table(response: &ListConnectionsResponse, layout: Layout) -> String {
    if response.connections.is_empty() {
        return "no connection matches\n".into();
    }
    let with_queues = layout.sort == Sort::Queues;
    let mut table = Table::new(titles(with_queues));
    let snapshot = response.snapshot.unwrap_or_default();
    for connection in &response.connections {
        table.push(cells(connection, &snapshot, with_queues));
    }
    let nodes = response.connections.iter().map(|one| one.node.as_str());
    add_nodes(&mut table, "PROCESS", nodes);
    // What the order is by is always shown.
    let sorted_by = match layout.sort {
        Sort::Allocated => "ALLOCATED",
        Sort::Received => "RECEIVED",
        Sort::Sent => "SENT",
        Sort::Live | Sort::Slope | Sort::Calls | Sort::Age | Sort::Queues => "",
    };
    let give_way: Vec<_> = GIVE_WAY
        .into_iter()
        .filter(|title| *title != sorted_by)
        .collect();
    table.render_fitting(&give_way, layout.look)
}

fn titles(with_queues: bool) -> Vec<(&'static str, Align)> {
    let mut titles = [
        "COOKIE",
        "LIVE",
        "ALLOCATED",
        "PER CALL",
        "CALLS",
        "RECEIVED",
        "SENT",
        "AGE",
    ]
    .map(|title| (title, Align::Right))
    .to_vec();
    if with_queues {
        titles.push(("QUEUES", Align::Right));
    }
    // The last is narrowed first.
    let names = [
        "STATE", "ROLE", "PROTOCOL", "PATTERN", "PROCESS", "PEER", "LOCAL",
    ];
    titles.extend(names.map(|title| (title, Align::Left)));
    titles
}

fn cells(connection: &Connection, snapshot: &Snapshot, with_queues: bool) -> Vec<String> {
    let mut cells = vec![
        cookie(connection),
        bytes(connection.committed_live_bytes),
        bytes(connection.committed_allocated_bytes),
        mean_bytes(connection.live_bytes_per_call),
        count(connection.received_calls),
        bytes(connection.received_bytes),
        bytes(connection.sent_bytes),
        age(connection, snapshot),
    ];
    if with_queues {
        let receive = u64::from(connection.receive_queue_bytes);
        cells.push(bytes(receive + u64::from(connection.send_queue_bytes)));
    }
    cells.extend([
        state(connection).into(),
        role(connection.role()).into(),
        protocol(connection.protocol()).into(),
        pattern(connection.pattern()).into(),
        owner(connection),
        peer(connection),
        clean(&connection.local).into_owned(),
    ]);
    cells
}

fn cookie(connection: &Connection) -> String {
    match connection.cookie {
        0 => "-".into(),
        cookie => cookie.to_string(),
    }
}

/// How long it has been open, or was. One that was there before the agent is older than that.
fn age(connection: &Connection, snapshot: &Snapshot) -> String {
    let until = connection.closed.or(snapshot.time);
    if let Some(opened) = &connection.opened {
        return seconds(seconds_between(Some(opened), until.as_ref()));
    }
    let observed = seconds_between(snapshot.since.as_ref(), until.as_ref());
    format!(">{}", seconds(observed))
}

/// The peer, with how many connections a row stands for if there are several.
fn peer(connection: &Connection) -> String {
    let peer = match clean(&connection.peer) {
        none if none.is_empty() => "-".into(),
        peer => peer,
    };
    if connection.connections > 1 {
        let several = plural(connection.connections, "connection", "connections");
        return format!("{peer}, {several}");
    }
    peer.into_owned()
}

fn owner(connection: &Connection) -> String {
    let process = process(&connection.process_name, connection.pid);
    if connection.shared {
        format!("{process}, shared")
    } else {
        process
    }
}
