//! All connections that are kept: open ones, and closed ones as long as memory is charged to them.

use std::collections::{BTreeMap, HashMap, VecDeque};

mod closing;
mod folding;
mod load;
#[cfg(test)]
mod tests;

use profiler_analysis::verdict::Load;

use super::{
    class::Retired,
    facts::{End, Role, SocketFacts},
    peer::{Peer, PeerId, PeerKey},
    record::Connection,
};
use crate::{
    event::Served,
    ids::{BootTime, Cookie, ProcessHandle},
};

/// Bounds of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are open.
    pub open: usize,
    /// Closed ones with growth, in their first half minute; and as many again to which memory is
    /// charged after that.
    pub charged: usize,
    /// Closed ones without memory: kept for half a minute, and fewer if they come fast.
    pub idle: usize,
    /// Points of all curves.
    pub points: usize,
    /// Totals by peer; the oldest go.
    pub peers: usize,
    /// Cookies of folded connections of which it is remembered where they went.
    pub folded: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: 65_536,
            charged: 32_768,
            idle: 8_192,
            points: 131_072,
            peers: 8_192,
            folded: 65_536,
        }
    }
}

/// What the table could not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Connections that were folded into totals by peer.
    pub folded: u64,
    /// Of those, folded while memory was charged to them, to stay within the bound.
    pub folded_charged: u64,
    /// Connections beyond the bound that were not taken in.
    pub refused: u64,
    /// Ends that were noticed late: the socket was found gone.
    pub ends_unseen: u64,
    /// Points of curves for which there was no room.
    pub points_dropped: u64,
    /// Totals by peer that went to make room.
    pub peers_dropped: u64,
    /// Connections that were folded and belong to no totals: the process was not known.
    pub without_peer: u64,
    /// Folded connections of which it is forgotten where they went.
    pub folds_forgotten: u64,
}

/// A connection that is no longer kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Which.
    pub cookie: Cookie,
    /// Processes with growth on its behalf.
    pub processes: Vec<ProcessHandle>,
    /// Where it went; none if it held memory.
    pub into: Option<PeerId>,
}

/// The connections of this host. See the module.
#[derive(Debug, Default)]
pub struct ConnectionTable {
    limits: Limits,
    pub(super) connections: HashMap<Cookie, Connection>,
    open: usize,
    /// Of all curves.
    points: usize,
    /// Closed ones without growth, in the order of closing, until half a minute has gone by.
    idle: VecDeque<(BootTime, Cookie)>,
    /// The same with growth.
    waiting: VecDeque<(BootTime, Cookie)>,
    /// Closed ones with memory, after that.
    charged: VecDeque<Cookie>,
    /// Closed ones whose memory has just gone.
    emptied: Vec<Cookie>,
    /// Those that were folded since the last tick.
    folds: Vec<Fold>,
    /// Live bytes of closed connections, by process.
    closed_live: HashMap<ProcessHandle, u64>,
    /// Connections on whose behalf a process demanded memory.
    held: HashMap<ProcessHandle, usize>,
    /// What processes received on connections, also on those that are no longer kept.
    received: HashMap<ProcessHandle, Load>,
    peer_ids: HashMap<PeerKey, PeerId>,
    pub(super) peers: BTreeMap<PeerId, Peer>,
    last_peer: u32,
    /// Where folded ones went; none: to those that are not kept apart.
    pub(super) folded: HashMap<Cookie, Option<PeerId>>,
    folded_order: VecDeque<Cookie>,
    pub(super) retired: Retired,
    /// Connections of whose socket nothing is known yet.
    unknown: Vec<Cookie>,
    pub(super) counters: TableCounters,
}

impl ConnectionTable {
    /// An empty table.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// What it could not keep.
    pub fn counters(&self) -> TableCounters {
        self.counters
    }

    /// It is kept.
    pub fn knows(&self, cookie: Cookie) -> bool {
        self.connections.contains_key(&cookie)
    }

    /// When it closed; none if it has not, or is not kept.
    pub fn closed(&self, cookie: Cookie) -> Option<BootTime> {
        self.connections.get(&cookie)?.closed
    }

    /// Its side is known.
    pub fn has_role(&self, cookie: Cookie) -> bool {
        let known = self.connections.get(&cookie);
        let facts = known.and_then(|one| one.facts.as_ref());
        facts.is_some_and(|facts| facts.role != Role::Unknown)
    }

    /// Connections whose socket has to be looked up; each is given once.
    pub fn take_unknown(&mut self) -> Vec<Cookie> {
        std::mem::take(&mut self.unknown)
    }

    /// Takes over bytes that `process` demanded and gave back on behalf of a connection. `served`:
    /// of the event, if its thread served this very connection. False if there is no room for what
    /// was demanded: it belongs to those that are not kept apart.
    #[must_use]
    pub fn charge(
        &mut self,
        process: ProcessHandle,
        cookie: Cookie,
        (committed, freed): (u64, u64),
        served: Option<&Served>,
        time: BootTime,
    ) -> bool {
        if committed == 0 && !self.connections.contains_key(&cookie) {
            return true;
        }
        let pool = self.pool(process);
        let room = self.points < self.limits.points;
        let Some(connection) = self.entry(cookie, time) else {
            return false;
        };
        let first = connection.allocated == 0;
        let (points, holders) = (connection.curve.len(), connection.holders.len());
        let Some(taken) = connection.charge(process, committed, freed) else {
            self.counters.refused += 1;
            return false;
        };
        connection.process.get_or_insert(process);
        if first {
            connection.pool = pool;
        }
        match served {
            Some(served) if committed > 0 => connection.add_point(served, time, 0, room),
            // What is given back in a later call was there until then.
            Some(served) if connection.last_calls() < served.calls => {
                connection.add_point(served, time, taken, room);
            }
            _ => {}
        }
        let unknown = first && connection.facts.is_none();
        let more_points = connection.curve.len() - points.min(connection.curve.len());
        let fewer_points = points.saturating_sub(connection.curve.len());
        let holds_now = connection.holders.len() > holders;
        let (closed, live) = (connection.closed.is_some(), connection.live());
        self.points = self.points + more_points - fewer_points;
        self.counters.points_dropped += u64::from(!room && committed > 0);
        if unknown {
            self.unknown.push(cookie);
        }
        if holds_now {
            *self.held.entry(process).or_default() += 1;
        }
        if closed {
            let sum = self.closed_live.entry(process).or_default();
            *sum = sum.saturating_add(committed).saturating_sub(taken);
            if live == 0 && taken > 0 {
                self.emptied.push(cookie);
            }
        }
        true
    }

    /// Takes over what the kernel's table says of an open socket. `process`: the one that used it
    /// last, if it is known.
    pub fn update(
        &mut self,
        cookie: Cookie,
        facts: SocketFacts,
        process: Option<ProcessHandle>,
        now: BootTime,
    ) {
        let pool = process.map_or(0, |process| self.pool(process));
        if let Some(connection) = self.entry(cookie, now) {
            if connection.facts.is_none() && connection.allocated == 0 {
                connection.pool = pool;
            }
            connection.learn(facts, process);
            if let Some(user) = process.or(connection.process) {
                let traffic = connection.take_received();
                self.add_received(user, traffic);
            }
        }
    }

    /// What goes from a connection from now on says nothing about close: its ledger is given up, or
    /// folded.
    pub fn cut(&mut self, cookie: Cookie) {
        if let Some(connection) = self.connections.get_mut(&cookie) {
            connection.cut();
        }
    }

    /// A process is about to give back all that it has, because it ends.
    pub fn process_ends(&mut self, process: ProcessHandle) {
        if self.held.contains_key(&process) {
            let connections = self.connections.values_mut();
            let holds = |one: &Connection| one.holders.iter().any(|(holder, _)| *holder == process);
            connections
                .filter(|one| holds(one))
                .for_each(Connection::cut);
        }
    }

    fn pool(&self, process: ProcessHandle) -> u64 {
        self.closed_live.get(&process).copied().unwrap_or(0)
    }

    /// A connection's record, made if there is room for one.
    fn entry(&mut self, cookie: Cookie, now: BootTime) -> Option<&mut Connection> {
        if !self.connections.contains_key(&cookie) {
            if self.open >= self.limits.open {
                self.counters.refused += 1;
                return None;
            }
            self.open += 1;
            self.connections
                .insert(cookie, Connection::new(cookie, now));
        }
        self.connections.get_mut(&cookie)
    }
}
