//! Growth by connection: what becomes of the memory of each class, and the connections.

use std::cmp::Reverse;

use maud::{Markup, html};
use profiler_formats::{
    class::{answer, figures, outcome, subject},
    connection::{pattern, process, protocol, role, state},
    text::{clean, plural, short_container},
    time::seconds_between,
    units::{bytes, count, mean_bytes, seconds, share},
};
use profiler_proto::v1::{
    Connection, ConnectionClass, ConnectionJoin, ConnectionOrder, ListConnectionsRequest,
    ListConnectionsResponse, Pattern, Snapshot,
};

use super::{
    address::{By, View},
    failure::Failure,
    layout::time,
};

/// Connections, classes and joins shown; downloads have more.
const MOST: usize = 20;

/// What a page asks of the connections of its selection.
pub(super) fn request(view: &View, limit: u32) -> ListConnectionsRequest {
    ListConnectionsRequest {
        selector: Some(view.selector.clone()),
        with_growth: true,
        order: ConnectionOrder::Live.into(),
        limit,
        ..ListConnectionsRequest::default()
    }
}

/// Rows of a page.
pub(super) const ROWS: u32 = MOST as u32;

/// The section of a page; connections are those of now, whatever moment the page stands for.
pub(super) fn section(view: &View, answer: &Result<ListConnectionsResponse, Failure>) -> Markup {
    html! {
        section #connections aria-labelledby="connections-title" {
            h2 #connections-title { "On behalf of which connections" }
            @match answer {
                Err(failure) => (failure.part()),
                Ok(answer) => {
                    p.note {
                        "Connections as they are at "
                        (time(answer.snapshot.as_ref().and_then(|one| one.time.as_ref())))
                        "; joined to growth by time on a thread (tier C)."
                    }
                    (joins(&answer.joins))
                    (classes(&answer.classes))
                    (rows(view, answer))
                },
            }
        }
    }
}

/// How much could be joined, and how much could not.
fn joins(joins: &[ConnectionJoin]) -> Markup {
    html! {
        @if !joins.is_empty() {
            ul.plain {
                @for join in joins.iter().take(MOST) {
                    li {
                        b { (share(join.joined_share)) } " of what "
                        (short_container(&join.container_id))
                        @if !join.node.is_empty() { " on " (clean(&join.node)) }
                        " demanded could be joined to a connection ("
                        (bytes(join.joined_bytes)) "); no connection "
                        (bytes(join.no_connection_bytes)) " (" (share(join.no_connection_share))
                        "), helper threads " (bytes(join.helper_thread_bytes))
                        ", io_uring " (bytes(join.io_uring_bytes)) "; "
                        (plural(join.open_connections, "connection", "connections")) " open."
                    }
                }
            }
        }
    }
}

/// Classes by live bytes, those without growth last.
fn classes(classes: &[ConnectionClass]) -> Markup {
    let mut sorted: Vec<_> = classes.iter().collect();
    sorted.sort_by_key(|class| {
        let quiet = class.pattern() == Pattern::NoGrowth;
        (quiet, Reverse(class.committed_live_bytes))
    });
    html! {
        @if !sorted.is_empty() {
            ul.classes {
                @for class in sorted.into_iter().take(MOST) {
                    li {
                        b { (subject(class)) } ": "
                        b class=(tone(class.pattern())) { (outcome(class.pattern())) }
                        " – " (answer(class))
                        p { (clean(&class.reason)) }
                        details { summary { "Figures" } p.note { (figures(class)) } }
                    }
                }
            }
        }
    }
}

/// Whether memory stays.
fn tone(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::RetainedWhileOpen | Pattern::RetainedAfterClose | Pattern::PerRequest => "more",
        _ => "",
    }
}

fn rows(view: &View, answer: &ListConnectionsResponse) -> Markup {
    let snapshot = answer.snapshot.unwrap_or_default();
    html! {
        @if answer.connections.is_empty() {
            p.empty { "No connection with growth matches." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Connections" {
                table.connections {
                    caption {
                        "Connections, largest live first; " (answer.connections.len()) " of "
                        (count(answer.total.into())) " (exact)"
                    }
                    thead { tr {
                        @for title in ["Live", "Allocated", "Per call", "Calls", "Received", "Age"] {
                            th.number scope="col" { (title) }
                        }
                        @for title in ["Connection", "State", "Pattern", "Process"] {
                            th scope="col" { (title) }
                        }
                    } }
                    tbody {
                        @for connection in &answer.connections {
                            (row(view, connection, &snapshot))
                        }
                    }
                }
            }
        }
    }
}

fn row(view: &View, connection: &Connection, snapshot: &Snapshot) -> Markup {
    let mut one = View {
        connection: connection.cookie,
        by: By::Stack,
        ..view.afresh()
    };
    if !connection.node.is_empty() {
        // Cookies are a node's own.
        one.selector.nodes = vec![connection.node.clone()];
    }
    html! {
        tr {
            td.number data-title="Live" { (bytes(connection.committed_live_bytes)) }
            td.number data-title="Allocated" { (bytes(connection.committed_allocated_bytes)) }
            td.number data-title="Per call" { (mean_bytes(connection.live_bytes_per_call)) }
            td.number data-title="Calls" { (count(connection.received_calls)) }
            td.number data-title="Received" { (bytes(connection.received_bytes)) }
            td.number data-title="Age" { (age(connection, snapshot)) }
            td.name {
                @if connection.cookie != 0 {
                    a href=(one.link("/container")) { "#" (connection.cookie) } " "
                }
                (peer(connection))
                " " span.note { (role(connection.role())) " " (protocol(connection.protocol())) }
            }
            td data-title="State" { (state(connection)) }
            td data-title="Pattern" { (pattern(connection.pattern())) }
            td data-title="Process" { (process(&connection.process_name, connection.pid)) }
        }
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
    let peer = match connection.peer.as_str() {
        "" => clean(&connection.local),
        peer => clean(peer),
    };
    if connection.connections > 1 {
        let several = plural(connection.connections, "connection", "connections");
        return format!("{peer}, {several}");
    }
    peer.into_owned()
}
