//! Keeps the table of connections in step with the kernel's: by the ends that it tells, and by
//! looking at what is there.

use std::collections::HashSet;

use profiler_common::socket as abi;
use tracing::warn;

use super::{Pipeline, SECOND, clock};
use crate::{
    connection::{End, Kind, Role, SocketFacts},
    event::SocketEnd,
    ids::{BootTime, Cookie, ProcessHandle},
    profile::BehalfKey,
};

/// With more open sockets than these, they are looked at less often.
const MANY: usize = 8_192;
/// From one look at many sockets to the next.
const SELDOM: u64 = 10 * SECOND;
/// From one pass over all descriptors to the next.
const PASS: u64 = 10 * SECOND;
/// Passes may take this part of the time at the most: one in so many.
const PASS_SHARE: u64 = 200;

/// What a program receives from a socket after both sides have finished counts for so long.
const LATE_READS: u64 = 5 * SECOND;

/// When sockets are looked at again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sweeps {
    sweep_due: BootTime,
    pass_due: BootTime,
    /// The last try of a pass failed, and that was said.
    pass_failed: bool,
}

impl Pipeline {
    /// The kernel tells of the end of a socket.
    pub(super) fn socket_closed(&mut self, closed: &SocketEnd) {
        let Some((facts, process)) = self.socket_facts(closed.cookie, &closed.entry) else {
            self.losses.records_rejected += 1;
            return;
        };
        let connections = &mut self.books.connections;
        connections.close(closed.cookie, facts, process, closed.time);
    }

    /// Looks up sockets that were first heard of by growth.
    pub(super) fn look_up_sockets(&mut self) {
        for cookie in self.books.connections.take_unknown() {
            if let Some(entry) = self.kernel.sockets.get(cookie.0) {
                self.learn(cookie, &entry);
            }
        }
    }

    /// Once a second.
    pub(super) fn look_at_sockets(&mut self, now: BootTime) {
        if now >= self.sweeps.pass_due {
            self.pass_over_sockets(now);
        } else if now >= self.sweeps.sweep_due {
            self.sweep();
            let many = self.books.connections.open() > MANY;
            let wait = if many { SELDOM } else { 0 };
            self.sweeps.sweep_due = BootTime(now.0 + wait);
        }
        for fold in self.books.connections.tick(now) {
            let into = fold.into.map_or(BehalfKey::Folded, BehalfKey::Peer);
            for process in fold.processes {
                self.books
                    .growth
                    .fold_connection(process, fold.cookie, into);
            }
        }
    }

    /// Takes over the kernel's table.
    pub(super) fn sweep(&mut self) {
        let began = clock::now();
        let mut there = HashSet::new();
        let mut entries = Vec::new();
        let read = self.kernel.sockets.each(|cookie, entry| {
            there.insert(Cookie(cookie));
            entries.push((Cookie(cookie), *entry));
        });
        let stateless = entries
            .iter()
            .filter(|(_, entry)| entry.kind != abi::SOCKET_TCP);
        if let Err(error) = self
            .kernel
            .sockets
            .count_stateless(stateless.count() as u64)
        {
            warn!(%error, "the number of UDP and Unix sockets cannot be set right");
        }
        for (cookie, entry) in entries {
            self.learn(cookie, &entry);
        }
        if let Err(error) = read {
            warn!(%error, "the kernel's table of sockets cannot be read");
            return;
        }
        // A socket leaves the table after its end was told: what is missing and was not told by
        // now was lost.
        while self.drain() && self.newest < began {}
        let connections = &mut self.books.connections;
        connections.absent(|cookie| there.contains(&cookie), began);
    }

    /// Has the kernel look for sockets in all descriptors.
    pub(super) fn pass_over_sockets(&mut self, now: BootTime) {
        let pass = match self.kernel.pass_over_sockets() {
            Ok(pass) => pass,
            Err(error) => {
                if !std::mem::replace(&mut self.sweeps.pass_failed, true) {
                    warn!("sockets are not looked for: {error:#}");
                }
                None
            }
        };
        let cost = clock::now().0.saturating_sub(now.0);
        tracing::debug!(milliseconds = cost / 1_000_000, "went over all descriptors");
        self.sweeps.pass_due = BootTime(now.0 + PASS.max(cost.saturating_mul(PASS_SHARE)));
        let Some(pass) = pass else {
            return;
        };
        self.sweep();
        let table = &self.table;
        let lives = |process: ProcessHandle| table.by_handle(process).is_some();
        for cookie in self.books.connections.passed(pass, now, lives) {
            self.kernel.sockets.forget(cookie.0);
        }
    }

    fn learn(&mut self, cookie: Cookie, entry: &abi::SocketEntry) {
        let Some((facts, process)) = self.socket_facts(cookie, entry) else {
            return;
        };
        let (connections, now) = (&mut self.books.connections, clock::now());
        if facts.end == End::Unknown {
            connections.update(cookie, facts, process, now);
            return;
        }
        // It is over, and its program was not done reading.
        if connections.knows(cookie) {
            connections.close(cookie, facts, process, now);
        }
        let closed = connections.closed(cookie);
        if closed.is_none_or(|closed| now.0 > closed.0 + LATE_READS) {
            self.kernel.sockets.forget(cookie.0);
        }
    }

    /// An entry, checked, and the process that used the socket last.
    fn socket_facts(
        &self,
        cookie: Cookie,
        entry: &abi::SocketEntry,
    ) -> Option<(SocketFacts, Option<ProcessHandle>)> {
        let mut facts = SocketFacts::new(entry)?;
        let process = self.table.get(facts.pid).map(|process| process.handle);
        let process = process.or_else(|| self.recently_ended.get(facts.pid));
        let tells = facts.found && facts.kind == Kind::Tcp && facts.role == Role::Unknown;
        if tells && !self.books.connections.has_role(cookie) {
            let sockets = &self.kernel.sockets;
            let port = facts.local.port();
            facts.role = match sockets.is_listened_on(facts.network_namespace, port) {
                Some(true) => Role::Server,
                Some(false) => Role::Client,
                None => Role::Unknown,
            };
        }
        Some((facts, process))
    }
}
