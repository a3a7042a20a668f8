//! How the table learns that connections are over.

use super::{
    super::facts::Kind, BootTime, Connection, ConnectionTable, Cookie, End, ProcessHandle,
    SocketFacts,
};

/// Passes over all descriptors that have to miss a socket before it counts as closed: a descriptor
/// that is on its way to another process is in no table.
const MISSED: u8 = 2;
/// A connection of which only growth is known, since the kernel's table had no room for it, counts
/// as open for so long.
const WITHOUT_SOCKET: u64 = 60_000_000_000;

impl ConnectionTable {
    /// A socket is over.
    pub fn close(
        &mut self,
        cookie: Cookie,
        facts: SocketFacts,
        process: Option<ProcessHandle>,
        time: BootTime,
    ) {
        let end = facts.end;
        self.update(cookie, facts, process, time);
        self.end(cookie, end, time);
    }

    /// Closes what the kernel's table no longer has: `there` says what it has, `began` when that
    /// was read.
    pub fn absent(&mut self, there: impl Fn(Cookie) -> bool, began: BootTime) {
        let known_for = |one: &Connection| match &one.facts {
            Some(_) => 0,
            None => WITHOUT_SOCKET,
        };
        let gone: Vec<Cookie> = self
            .connections
            .values()
            .filter(|one| one.closed.is_none() && !there(one.cookie))
            .filter(|one| one.seen.0.saturating_add(known_for(one)) < began.0)
            .map(|one| one.cookie)
            .collect();
        self.counters.ends_unseen += gone.len() as u64;
        for cookie in gone {
            self.end(cookie, End::Unknown, began);
        }
    }

    /// After a pass over all descriptors that began at `began`: closes sockets that a process has
    /// used and that none has open any more. That is how those without states of their own end
    /// (UDP, Unix); a TCP socket among them is one whose end was lost. Returns them. `lives`: the
    /// process has not ended.
    pub fn passed(
        &mut self,
        pass: u32,
        began: BootTime,
        lives: impl Fn(ProcessHandle) -> bool,
    ) -> Vec<Cookie> {
        let mut gone = Vec::new();
        for connection in self.connections.values_mut() {
            let Some(facts) = &connection.facts else {
                continue;
            };
            if connection.closed.is_some() || facts.pid == 0 || facts.opened >= began {
                continue;
            }
            connection.missed = match facts.pass == pass {
                true => 0,
                false => connection.missed.saturating_add(1),
            };
            if connection.missed >= MISSED {
                let ended = !connection.process.is_some_and(&lives);
                let end = match (facts.kind, ended, facts.peer_finished) {
                    (Kind::Tcp, ..) => facts.end,
                    (_, true, _) => End::Exit,
                    (_, false, true) => End::Peer,
                    (_, false, false) => End::Ours,
                };
                gone.push((connection.cookie, end));
            }
        }
        for &(cookie, end) in &gone {
            self.counters.ends_unseen += u64::from(end == End::Unknown);
            self.end(cookie, end, began);
        }
        gone.into_iter().map(|(cookie, _)| cookie).collect()
    }

    fn end(&mut self, cookie: Cookie, end: End, time: BootTime) {
        let open = self.connections.get_mut(&cookie);
        let Some(connection) = open.filter(|one| one.closed.is_none()) else {
            return;
        };
        connection.closed = Some(time);
        connection.end = end;
        connection.live_at_close = connection.live();
        for &(holder, live) in &connection.holders {
            let sum = self.closed_live.entry(holder).or_default();
            *sum = sum.saturating_add(live);
        }
        let idle = connection.allocated == 0;
        self.open -= 1;
        let queue = if idle {
            &mut self.idle
        } else {
            &mut self.waiting
        };
        queue.push_back((time, cookie));
        self.make_room(time);
    }
}
