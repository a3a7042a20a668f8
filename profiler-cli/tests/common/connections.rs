//! Canned connections: two of one server, one of them closed, and one peer's that are over.

use profiler_proto::v1::{
    Behalf, Connection, ConnectionClass, ConnectionEnd, ConnectionGroup, ConnectionJoin,
    ConnectionPoint, ConnectionProtocol, ConnectionRole, ConnectionState, GrowthRow,
    ListConnectionsRequest, ListConnectionsResponse, Pattern, ReleaseBasis, Snapshot, TopResponse,
};
use tonic::{Response, Status};

use super::{MIB, OLDEST, accounting, at, row};

fn connection(cookie: u64, peer: &str) -> Connection {
    Connection {
        cookie,
        local: "10.0.0.1:8080".into(),
        peer: peer.into(),
        role: ConnectionRole::Server.into(),
        protocol: ConnectionProtocol::Http2.into(),
        state: ConnectionState::Open.into(),
        pid: 4711,
        process_name: "app".into(),
        opened: at(OLDEST + 60),
        received_calls: 1_402,
        committed_live_bytes: 2 * MIB,
        committed_allocated_bytes: 3 * MIB,
        live_bytes_per_call: 1_496.0,
        pattern: Pattern::RetainedWhileOpen.into(),
        connections: 1,
        ..Connection::default()
    }
}

fn all() -> Vec<Connection> {
    vec![
        connection(8193, "10.0.0.7:51234"),
        Connection {
            state: ConnectionState::Closed.into(),
            end: ConnectionEnd::Reset.into(),
            closed: at(OLDEST + 120),
            committed_live_bytes: MIB,
            ..connection(8194, "10.0.0.8:51235")
        },
        Connection {
            connections: 312,
            state: ConnectionState::Closed.into(),
            ..connection(0, "10.0.0.9")
        },
    ]
}

fn class() -> ConnectionClass {
    ConnectionClass {
        pid: 4711,
        process_name: "app".into(),
        role: ConnectionRole::Server.into(),
        protocol: ConnectionProtocol::Http2.into(),
        endpoint: ":8080".into(),
        pattern: Pattern::RetainedWhileOpen.into(),
        basis: ReleaseBasis::Committed.into(),
        reason: "live bytes rise with calls and are given back at close".into(),
        connections: 22,
        bytes_per_call: 18_841.6,
        released_share: Some(0.97),
        ..ConnectionClass::default()
    }
}

/// Two pages of connections, one of groups.
pub(super) fn list(request: &ListConnectionsRequest) -> Result<ListConnectionsResponse, Status> {
    let answer = ListConnectionsResponse {
        classes: vec![class()],
        joins: vec![ConnectionJoin {
            container_id: "host".into(),
            joined_bytes: 9 * MIB,
            no_connection_bytes: MIB,
            joined_share: 0.9,
            no_connection_share: 0.1,
            open_connections: 1,
            ..ConnectionJoin::default()
        }],
        snapshot: Some(Snapshot {
            time: at(OLDEST + 600),
            since: at(OLDEST),
        }),
        accounting: Some(accounting()),
        open_connections: 1,
        closed_connections_kept: 41,
        ..ListConnectionsResponse::default()
    };
    if !request.fold.is_empty() {
        return Ok(ListConnectionsResponse {
            groups: vec![ConnectionGroup {
                pid: 4711,
                process_name: "app".into(),
                role: ConnectionRole::Server.into(),
                port: 8080,
                connections: 22,
                committed_live_bytes: 3 * MIB,
                ..ConnectionGroup::default()
            }],
            total: 1,
            ..answer
        });
    }
    let mut connections = match request.page_token.as_str() {
        "" => all(),
        "second" => vec![connection(8195, "10.0.0.10:1")],
        _ => return Err(Status::invalid_argument("no such page")),
    };
    if request.with_points {
        connections[0].points = vec![ConnectionPoint {
            time: at(OLDEST + 90),
            received_calls: 12,
            committed_live_bytes: MIB,
            ..ConnectionPoint::default()
        }];
    }
    let more = request.page_token.is_empty();
    Ok(ListConnectionsResponse {
        connections,
        total: 4,
        next_page_token: if more { "second" } else { "" }.into(),
        ..answer
    })
}

/// Stacks of one connection. That of 8194 has been folded in the meantime.
pub(super) fn top_of(cookie: u64) -> Result<Response<TopResponse>, Status> {
    if cookie != 8193 {
        return Err(Status::not_found(format!("no connection {cookie}")));
    }
    let cache = GrowthRow {
        committed_live_bytes: 2 * MIB,
        committed_allocated_bytes: 2 * MIB,
        committed_freed_bytes: 0,
        events: 2,
        ..row(0, "cache_put")
    };
    Ok(Response::new(TopResponse {
        rows: vec![cache],
        total_rows: 1,
        accounting: Some(accounting()),
        ..TopResponse::default()
    }))
}

/// Growth by connection.
pub(super) fn rows() -> Vec<GrowthRow> {
    let of = |behalf: Behalf, connection| GrowthRow {
        frames: Vec::new(),
        behalf: behalf.into(),
        connection,
        ..row(2 * MIB, "")
    };
    let mut rows: Vec<_> = [Behalf::Connection, Behalf::Connection, Behalf::Peer]
        .into_iter()
        .zip(all())
        .map(|(behalf, connection)| of(behalf, Some(connection)))
        .collect();
    rows.push(of(Behalf::HelperThread, None));
    rows
}
