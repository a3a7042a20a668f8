//! What a connection is called, and growth on behalf of none. Addresses may be Unix paths, which
//! the watched choose.

use profiler_proto::v1::{
    Behalf, Connection, ConnectionEnd, ConnectionKind, ConnectionProtocol, ConnectionRole,
    ConnectionState, GrowthRow, Pattern,
};

use crate::text::{clean, plural};

/// Its side; empty where that is not known.
pub fn role(role: ConnectionRole) -> &'static str {
    match role {
        ConnectionRole::Client => "client",
        ConnectionRole::Server => "server",
        ConnectionRole::Unspecified => "",
    }
}

/// What its first bytes told; empty where they did not.
pub fn protocol(protocol: ConnectionProtocol) -> &'static str {
    match protocol {
        ConnectionProtocol::Http1 => "HTTP/1",
        ConnectionProtocol::Http2 => "HTTP/2",
        ConnectionProtocol::Tls => "TLS",
        ConnectionProtocol::Unspecified => "",
    }
}

/// The sort of socket, where the addresses do not tell it: TCP is what is expected, and addresses
/// of Unix sockets say so themselves.
pub fn kind(kind: ConnectionKind, has_address: bool) -> &'static str {
    match kind {
        ConnectionKind::Udp => "UDP",
        ConnectionKind::Unix if !has_address => "Unix",
        ConnectionKind::Tcp if !has_address => "TCP",
        ConnectionKind::Unspecified | ConnectionKind::Tcp | ConnectionKind::Unix => "",
    }
}

/// Whether it is open, or how it ended.
pub fn state(connection: &Connection) -> &'static str {
    match (connection.state(), connection.end()) {
        (ConnectionState::Open, _) => "open",
        (ConnectionState::Unspecified, _) => "",
        (ConnectionState::Closed, ConnectionEnd::Closed) => "closed here",
        (ConnectionState::Closed, ConnectionEnd::PeerClosed) => "peer closed",
        (ConnectionState::Closed, ConnectionEnd::Reset) => "reset",
        (ConnectionState::Closed, ConnectionEnd::ProcessExit) => "exited",
        (ConnectionState::Closed, ConnectionEnd::Timeout) => "timed out",
        (ConnectionState::Closed, ConnectionEnd::Unspecified) => "closed",
    }
}

/// What becomes of the memory, short enough for a column.
pub fn pattern(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::RetainedWhileOpen => "while open",
        Pattern::BoundedPerConnection => "bounded",
        Pattern::RetainedAfterClose => "after close",
        Pattern::PerRequest => "per request",
        Pattern::NoGrowth => "no growth",
        Pattern::Undetermined => "undetermined",
        Pattern::Unspecified => "",
    }
}

/// A process in few columns.
pub fn process(name: &str, pid: u32) -> String {
    match (name, pid) {
        ("", 0) => String::new(),
        ("", pid) => format!("pid {pid}"),
        (name, 0) => clean(name).into_owned(),
        (name, pid) => format!("{} ({pid})", clean(name)),
    }
}

/// A connection in one line, without its cookie: "server from 10.0.0.7:51234 HTTP/2".
pub fn describe(connection: &Connection) -> String {
    let (peer, local) = (clean(&connection.peer), clean(&connection.local));
    let way = match (connection.role(), peer.is_empty()) {
        (_, true) if local.is_empty() => String::new(),
        (_, true) => format!("at {local}"),
        (ConnectionRole::Server, false) => format!("from {peer}"),
        (ConnectionRole::Client, false) => format!("to {peer}"),
        (ConnectionRole::Unspecified, false) => format!("with {peer}"),
    };
    spaced(&[
        role(connection.role()),
        kind(connection.kind(), !way.is_empty()),
        &way,
        protocol(connection.protocol()),
    ])
}

/// What a row by connection stands for.
pub fn on_behalf(row: &GrowthRow) -> String {
    match (row.behalf(), &row.connection) {
        (Behalf::Peer, Some(connection)) => {
            let connections = plural(connection.connections, "connection", "connections");
            format!("(peer {}, {connections})", clean(&connection.peer))
        }
        (_, Some(connection)) => describe(connection),
        (other, None) => behalf(other).into(),
    }
}

/// What stands for growth whose connection is not named.
pub fn behalf(behalf: Behalf) -> &'static str {
    match behalf {
        Behalf::Unspecified => "(unknown)",
        Behalf::Connection => "(a connection)",
        Behalf::NoConnection => "(no connection)",
        Behalf::HelperThread => "(helper threads)",
        Behalf::IoUring => "(io_uring)",
        Behalf::Folded => "(folded)",
        Behalf::Peer => "(peer)",
        Behalf::NoEvent => "(no event)",
    }
}

/// Words that are there, apart by spaces.
pub fn spaced(words: &[&str]) -> String {
    let there = words.iter().filter(|word| !word.is_empty());
    there.copied().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(role: ConnectionRole, local: &str, peer: &str) -> Connection {
        Connection {
            role: role.into(),
            local: local.into(),
            peer: peer.into(),
            ..Connection::default()
        }
    }

    #[test]
    fn a_connection_is_described_from_this_side() {
        use ConnectionRole::{Client, Server, Unspecified};
        let http2 = Connection {
            protocol: ConnectionProtocol::Http2.into(),
            ..connection(Server, "10.0.0.1:8080", "10.0.0.7:51234")
        };
        assert_eq!(describe(&http2), "server from 10.0.0.7:51234 HTTP/2");
        let client = connection(Client, "", "[fd00::1]:443");
        assert_eq!(describe(&client), "client to [fd00::1]:443");
        let unknown = connection(Unspecified, "a:1", "b:2");
        assert_eq!(describe(&unknown), "with b:2");
        let path = connection(Server, "unix:/run/app\n\x1b[2J", "");
        assert_eq!(
            describe(&path),
            "server at unix:/run/app\u{fffd}\u{fffd}[2J"
        );
        let nameless = Connection {
            kind: ConnectionKind::Unix.into(),
            ..connection(Client, "", "")
        };
        assert_eq!(describe(&nameless), "client Unix");
        let udp = Connection {
            kind: ConnectionKind::Udp.into(),
            ..connection(Unspecified, "0.0.0.0:53", "")
        };
        assert_eq!(describe(&udp), "UDP at 0.0.0.0:53");
    }

    #[test]
    fn growth_of_no_connection_has_a_name() {
        let row = |behalf: Behalf, connection| GrowthRow {
            behalf: behalf.into(),
            connection,
            ..GrowthRow::default()
        };
        for (behalf, name) in [
            (Behalf::NoConnection, "(no connection)"),
            (Behalf::HelperThread, "(helper threads)"),
            (Behalf::IoUring, "(io_uring)"),
            (Behalf::Folded, "(folded)"),
            (Behalf::NoEvent, "(no event)"),
        ] {
            assert_eq!(on_behalf(&row(behalf, None)), name);
        }
        let peer = Connection {
            connections: 312,
            ..connection(ConnectionRole::Server, "", "10.0.0.1")
        };
        assert_eq!(
            on_behalf(&row(Behalf::Peer, Some(peer))),
            "(peer 10.0.0.1, 312 connections)"
        );
    }

    #[test]
    fn the_end_of_a_connection_is_told() {
        let ended = |end: ConnectionEnd| Connection {
            state: ConnectionState::Closed.into(),
            end: end.into(),
            ..Connection::default()
        };
        let told = [
            ConnectionEnd::Unspecified,
            ConnectionEnd::Closed,
            ConnectionEnd::PeerClosed,
            ConnectionEnd::Reset,
            ConnectionEnd::ProcessExit,
            ConnectionEnd::Timeout,
        ]
        .map(|end| state(&ended(end)));
        let expected = [
            "closed",
            "closed here",
            "peer closed",
            "reset",
            "exited",
            "timed out",
        ];
        assert_eq!(told, expected);
    }
}
