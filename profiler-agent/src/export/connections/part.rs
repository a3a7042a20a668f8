//! The table of connections as a collector gets it.

use std::collections::HashMap;

use profiler_proto::v1;
use profiler_query::answer::{Clocks, Selection, connections::Listing};

use super::{gather, wire};
use crate::{
    connection::{Connections, Peer},
    ids::PeerId,
    profile::Growth,
};

/// Connections that are sent one by one.
const CONNECTIONS: u32 = 1_000;

/// The answer about all connections with growth, with what a collector needs to answer from it.
/// `growth`: since observation began.
///
/// # Errors
/// None are known; the question is one that anybody could ask.
pub(in crate::export) fn part(
    connections: &Connections,
    growth: &Growth,
    clocks: Clocks,
) -> Result<v1::ConnectionsPart, tonic::Status> {
    let listing = Listing::new(v1::ListConnectionsRequest {
        limit: CONNECTIONS,
        with_growth: true,
        ..v1::ListConnectionsRequest::default()
    })?;
    let answer = gather::answer(&listing, connections, growth, &Selection::All, clocks);
    let table = connections.connections.iter();
    let processes: HashMap<u64, u32> = table
        .filter_map(|one| Some((one.cookie.0, one.process?.0)))
        .collect();
    let process = |one: &v1::Connection| processes.get(&one.cookie).copied().unwrap_or(0);
    Ok(v1::ConnectionsPart {
        process: answer.connections.iter().map(process).collect(),
        connections: answer.connections,
        classes: answer.classes,
        joins: answer.joins,
        peers: connections.peers.iter().map(peer).collect(),
        open_connections: answer.open_connections,
        closed_connections_kept: answer.closed_connections_kept,
        connections_folded: answer.connections_folded,
        total_classes: answer.total_classes,
        total_with_growth: answer.total.into(),
    })
}

/// What was demanded on its behalf is given back, or is no longer known to be its.
fn peer((number, peer): (&PeerId, &Peer)) -> v1::Peer {
    v1::Peer {
        number: number.0,
        process: peer.key.process.0,
        port: peer.key.port.into(),
        connection: Some(v1::Connection {
            committed_allocated_bytes: peer.allocated,
            committed_freed_bytes: peer.allocated,
            ..wire::peer(peer)
        }),
    }
}
