//! What an answer about connections is made from.

use profiler_proto::v1;
use profiler_query::answer::{
    Clocks, Selection,
    connections::{Listed as _, ListedPeer, Listing, Sockets, Table},
};

use super::{classes::Patterns, wire};
use crate::{
    connection::{Connection, Connections, Peer},
    ids::ProcessHandle,
    profile::{Growth, TargetInfo},
};

/// The answer without snapshot and accounting.
pub(in crate::export) fn answer(
    listing: &Listing,
    connections: &Connections,
    growth: &Growth,
    selection: &Selection,
    clocks: Clocks,
) -> v1::ListConnectionsResponse {
    let infos: std::collections::HashMap<ProcessHandle, &TargetInfo> = growth.targets().collect();
    let patterns = Patterns::new(connections, selection);
    let peers = connections.peers.values().filter(|_| listing.folds());
    let table = Table {
        time: connections.time,
        connections: &connections.connections,
        peers: peers.map(listed_peer).collect(),
        sockets: connections.connections.iter().filter_map(sockets).collect(),
        classes: patterns.classes(|process| infos.get(&process).copied()),
        total_classes: patterns.total(),
        open: connections.open,
        closed_kept: connections.connections.len() as u64 - connections.open,
        folded: connections.counters.folded,
        pinned: &[],
    };
    listing.answer(&table, growth, selection, |one, info| {
        let mut connection = wire::connection(one, info, patterns.of(one), clocks);
        if listing.with_points() {
            connection.points = wire::points(one, clocks);
        }
        connection
    })
}

fn listed_peer(peer: &Peer) -> ListedPeer {
    ListedPeer {
        process: peer.key.process,
        kind: wire::kind(peer.key.kind),
        role: wire::role(peer.key.role),
        address: peer.key.address.clone(),
        port: peer.key.port,
        connections: peer.connections,
        traffic: peer.traffic,
        allocated: peer.allocated,
    }
}

/// Of an open connection.
fn sockets(connection: &Connection) -> Option<Sockets> {
    let socket = connection
        .socket()
        .filter(|_| connection.closed.is_none())?;
    Some(Sockets {
        process: connection.process?,
        open: 1,
        queue_bytes: socket.queue_bytes,
    })
}
