//! Growth by connection, as rows of an answer.

use profiler_analysis::{Figures, sum_by};
use profiler_proto::v1;

use super::{
    Rows,
    row::{put_process, put_user},
    view::View,
};
use crate::{
    answer::connections::{ConnectionFacts, behalf_to_wire},
    ids::{Cookie, ProcessHandle},
    model::{BehalfKey, TargetInfo},
};

/// What a row stands for; none: growth that no event demanded.
type Key = (ProcessHandle, Option<BehalfKey>);

impl View<'_> {
    pub(super) fn by_connection(&self, connections: &dyn ConnectionFacts) -> Rows {
        let (rows, total) = self.largest(self.by_behalf(), |row| &row.1, |row| row.0);
        let rows = rows.iter().map(|((process, behalf), figures)| {
            let mut row = v1::GrowthRow {
                behalf: behalf.map_or(v1::Behalf::NoEvent, behalf_to_wire).into(),
                ..self.aggregate(figures)
            };
            let info = self.processes.get(process).map(|process| &*process.info);
            if let Some(info) = info {
                put_process(&mut row, info);
            }
            row.connection = match behalf {
                Some(BehalfKey::Connection(cookie)) => Some(known(connections, *cookie, info)),
                Some(BehalfKey::Peer(peer)) => connections.peer(*peer).map(growthless),
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
        if !self.shape.include_unattributed {
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
        resident: None,
        resident_delta: 0,
        oldest: whole.oldest,
        newest: whole.newest,
    }
}

/// What is known of a connection.
fn known(
    connections: &dyn ConnectionFacts,
    cookie: Cookie,
    info: Option<&TargetInfo>,
) -> v1::Connection {
    let node = info.map_or("", |info| &info.node.name);
    let Some(mut connection) = connections.connection(node, cookie) else {
        return v1::Connection {
            cookie: cookie.0,
            ..v1::Connection::default()
        };
    };
    if let Some(info) = info {
        put_user(&mut connection, info);
    }
    growthless(connection)
}

/// The growth is the row's.
fn growthless(connection: v1::Connection) -> v1::Connection {
    v1::Connection {
        committed_allocated_bytes: 0,
        committed_freed_bytes: 0,
        committed_live_bytes: 0,
        pattern: v1::Pattern::Unspecified.into(),
        points: Vec::new(),
        ..connection
    }
}
