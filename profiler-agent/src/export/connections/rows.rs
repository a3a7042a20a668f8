//! Growth by connection, as rows of an answer.

use std::collections::HashMap;

use profiler_analysis::{Figures, sum_by};
use profiler_proto::v1;

use super::wire;
use crate::{
    connection::{Connection, Connections, Peer},
    export::{
        time::Moment,
        top::{Rows, View, put_process},
    },
    ids::{Cookie, ProcessHandle},
    profile::BehalfKey,
};

/// What a row stands for; none: growth that no event demanded.
type Key = (ProcessHandle, Option<BehalfKey>);

impl View<'_> {
    pub(in crate::export) fn by_connection(
        &self,
        connections: &Connections,
        clocks: Moment,
    ) -> Rows {
        let (rows, total) = self.largest(self.by_behalf(), |row| &row.1, |row| row.0);
        let known = connections.connections.iter();
        let known: HashMap<Cookie, &Connection> = known.map(|one| (one.cookie, one)).collect();
        let rows = rows.iter().map(|((process, behalf), figures)| {
            let mut row = v1::GrowthRow {
                behalf: behalf
                    .map_or(v1::Behalf::NoEvent, wire::behalf_to_wire)
                    .into(),
                ..self.aggregate(figures)
            };
            let info = self.processes.get(process).map(|process| &*process.info);
            if let Some(info) = info {
                put_process(&mut row, info);
            }
            row.connection = match behalf {
                Some(BehalfKey::Connection(cookie)) => Some(match known.get(cookie) {
                    Some(one) => growthless(wire::connection(
                        one,
                        info,
                        v1::Pattern::Unspecified,
                        clocks,
                    )),
                    None => v1::Connection {
                        cookie: cookie.0,
                        ..v1::Connection::default()
                    },
                }),
                Some(BehalfKey::Peer(peer)) => connections.peers.get(peer).map(peer_to_wire),
                _ => None,
            };
            row
        });
        Rows {
            rows: rows.collect(),
            total,
        }
    }

    /// Figures by on whose behalf; with what no event demanded, if that is asked for.
    fn by_behalf(&self) -> Vec<(Key, Figures)> {
        let rows = self.behalves.iter();
        let mut rows: Vec<(Key, Figures)> = rows
            .map(|(key, behalf, figures)| ((key.process, Some(*behalf)), *figures))
            .collect();
        if !self.shape.includes_unattributed() {
            return rows;
        }
        let sums = sum_by(
            rows.iter()
                .map(|((process, _), figures)| (*process, *figures)),
        );
        for process in self.processes.values() {
            let joined = sums.get(&process.handle).copied().unwrap_or_default();
            let rest = rest(&process.figures, &joined);
            if !rest.is_still() {
                rows.push(((process.handle, None), rest));
            }
        }
        rows
    }
}

/// What is left of `whole` without `part`.
fn rest(whole: &Figures, part: &Figures) -> Figures {
    Figures {
        allocated: whole.allocated.saturating_sub(part.allocated),
        freed: whole.freed.saturating_sub(part.freed),
        live: whole.live.saturating_sub(part.live),
        live_delta: whole.live_delta.saturating_sub(part.live_delta),
        events: 0,
        oldest: whole.oldest,
        newest: whole.newest,
    }
}

/// The growth is the row's.
fn growthless(connection: v1::Connection) -> v1::Connection {
    v1::Connection {
        committed_allocated_bytes: 0,
        committed_freed_bytes: 0,
        committed_live_bytes: 0,
        ..connection
    }
}

fn peer_to_wire(peer: &Peer) -> v1::Connection {
    v1::Connection {
        peer: peer.key.address.to_string(),
        kind: wire::kind(peer.key.kind).into(),
        role: wire::role(peer.key.role).into(),
        state: v1::ConnectionState::Closed.into(),
        received_bytes: peer.traffic.received_bytes,
        received_calls: peer.traffic.received_calls,
        sent_bytes: peer.traffic.sent_bytes,
        sent_calls: peer.traffic.sent_calls,
        connections: peer.connections,
        ..v1::Connection::default()
    }
}
