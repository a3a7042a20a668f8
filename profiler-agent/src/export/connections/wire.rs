//! Connections and what they are made of, for the wire.

use profiler_proto::v1;
use profiler_query::answer::{Clocks, connections::share, put_user};

use crate::{
    connection::{Connection, End, Kind, Peer, Protocol, Role, SocketFacts},
    profile::TargetInfo,
};

pub(super) fn kind(kind: Kind) -> v1::ConnectionKind {
    match kind {
        Kind::Tcp => v1::ConnectionKind::Tcp,
        Kind::Udp => v1::ConnectionKind::Udp,
        Kind::Unix => v1::ConnectionKind::Unix,
    }
}

pub(super) fn role(role: Role) -> v1::ConnectionRole {
    match role {
        Role::Unknown => v1::ConnectionRole::Unspecified,
        Role::Client => v1::ConnectionRole::Client,
        Role::Server => v1::ConnectionRole::Server,
    }
}

pub(super) fn protocol(protocol: Protocol) -> v1::ConnectionProtocol {
    match protocol {
        Protocol::Unknown => v1::ConnectionProtocol::Unspecified,
        Protocol::Http1 => v1::ConnectionProtocol::Http1,
        Protocol::Http2 => v1::ConnectionProtocol::Http2,
        Protocol::Tls => v1::ConnectionProtocol::Tls,
    }
}

fn state(connection: &Connection) -> v1::ConnectionState {
    match connection.closed {
        None => v1::ConnectionState::Open,
        Some(_) => v1::ConnectionState::Closed,
    }
}

fn end(end: End) -> v1::ConnectionEnd {
    match end {
        End::Unknown => v1::ConnectionEnd::Unspecified,
        End::Ours => v1::ConnectionEnd::Closed,
        End::Peer => v1::ConnectionEnd::PeerClosed,
        End::Reset => v1::ConnectionEnd::Reset,
        End::Exit => v1::ConnectionEnd::ProcessExit,
        End::Timeout => v1::ConnectionEnd::Timeout,
    }
}

/// A connection without its curve. `info`: of the process that used it last.
pub(super) fn connection(
    connection: &Connection,
    info: Option<&TargetInfo>,
    pattern: v1::Pattern,
    clocks: Clocks,
) -> v1::Connection {
    let live = connection.live();
    let mut wire = v1::Connection {
        cookie: connection.cookie.0,
        state: state(connection).into(),
        end: end(connection.end).into(),
        closed: connection.closed.map(|time| clocks.to_wall(time)),
        committed_allocated_bytes: connection.allocated,
        committed_freed_bytes: connection.freed,
        committed_live_bytes: live,
        live_at_close_bytes: connection.live_at_close,
        pattern: pattern.into(),
        connections: 1,
        ..v1::Connection::default()
    };
    if let Some(facts) = &connection.facts {
        put_facts(&mut wire, facts, live, clocks);
    }
    if let Some(info) = info {
        put_user(&mut wire, info);
    }
    wire
}

fn put_facts(wire: &mut v1::Connection, facts: &SocketFacts, live: u64, clocks: Clocks) {
    let traffic = &facts.traffic;
    wire.local = facts.local.to_string();
    wire.peer = facts.peer.to_string();
    wire.kind = kind(facts.kind).into();
    wire.role = role(facts.role).into();
    wire.protocol = protocol(facts.protocol).into();
    wire.pid = facts.pid;
    wire.opened = (!facts.found).then(|| clocks.to_wall(facts.opened));
    wire.received_bytes = traffic.received_bytes;
    wire.received_calls = traffic.received_calls;
    wire.sent_bytes = traffic.sent_bytes;
    wire.sent_calls = traffic.sent_calls;
    wire.receive_queue_bytes = facts.receive_queue;
    wire.send_queue_bytes = facts.send_queue;
    wire.live_bytes_per_call = share(live, traffic.received_calls);
    wire.live_bytes_per_received_byte = share(live, traffic.received_bytes);
    wire.shared = facts.shared;
    wire.network_namespace = facts.network_namespace;
}

/// Connections to one peer, taken together. The growth is the row's.
pub(super) fn peer(peer: &Peer) -> v1::Connection {
    v1::Connection {
        peer: peer.key.address.to_string(),
        kind: kind(peer.key.kind).into(),
        role: role(peer.key.role).into(),
        state: v1::ConnectionState::Closed.into(),
        received_bytes: peer.traffic.received_bytes,
        received_calls: peer.traffic.received_calls,
        sent_bytes: peer.traffic.sent_bytes,
        sent_calls: peer.traffic.sent_calls,
        connections: peer.connections,
        ..v1::Connection::default()
    }
}

/// A connection's curve.
pub(super) fn points(connection: &Connection, clocks: Clocks) -> Vec<v1::ConnectionPoint> {
    let points = connection.points().map(|point| v1::ConnectionPoint {
        time: Some(clocks.to_wall(point.time)),
        received_calls: point.calls,
        received_bytes: point.bytes,
        committed_allocated_bytes: point.allocated,
        committed_live_bytes: point.live,
    });
    points.collect()
}
