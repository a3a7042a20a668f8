//! How closed connections leave the table.

use std::collections::VecDeque;

use super::{
    BootTime, Connection, ConnectionTable, Cookie, Fold, Peer, PeerId, PeerKey, ProcessHandle,
};

/// From the close of a connection to the moment that says what stayed.
const AFTER_CLOSE: u64 = 30_000_000_000;

impl ConnectionTable {
    /// Once a second: notes what stayed half a minute after each close, and folds what need not be
    /// kept any more.
    pub fn tick(&mut self, now: BootTime) -> Vec<Fold> {
        self.make_room(now);
        let mut folds = std::mem::take(&mut self.folds);
        for cookie in std::mem::take(&mut self.emptied) {
            let settled = self.connections.get(&cookie);
            if settled.is_some_and(|one| one.live_after_close.is_some() && one.live() == 0) {
                folds.extend(self.fold(cookie));
            }
        }
        if self.charged.len() > self.limits.charged {
            let kept = &self.connections;
            self.charged.retain(|cookie| kept.contains_key(cookie));
        }
        while self.charged.len() > self.limits.charged
            && let Some(oldest) = self.charged.pop_front()
        {
            let fold = self.fold(oldest);
            self.counters.folded_charged += u64::from(fold.is_some());
            folds.extend(fold);
        }
        folds
    }

    /// Settles those whose half minute has gone by, and as many others as are beyond the bounds:
    /// connections may come and go much faster than once a second.
    pub(super) fn make_room(&mut self, now: BootTime) {
        while let Some(cookie) = take_due(&mut self.idle, now, self.limits.idle) {
            self.settle(cookie, now);
        }
        while let Some(cookie) = take_due(&mut self.waiting, now, self.limits.charged) {
            self.settle(cookie, now);
        }
    }

    /// Half a minute after the close, or earlier for lack of room.
    fn settle(&mut self, cookie: Cookie, now: BootTime) {
        let known = self.connections.get_mut(&cookie);
        let Some((connection, closed)) = known.and_then(|one| one.closed.map(|time| (one, time)))
        else {
            return;
        };
        let live = connection.live();
        let early = !is_due(closed, now);
        if !early && connection.cut.is_none() {
            connection.live_after_close = Some(live);
        }
        if live > 0 && !early {
            self.charged.push_back(cookie);
            return;
        }
        self.counters.folded_charged += u64::from(live > 0);
        let fold = self.fold(cookie);
        self.folds.extend(fold);
    }

    fn fold(&mut self, cookie: Cookie) -> Option<Fold> {
        // One may have come back: a thread that goes on demanding memory for it brings it in again.
        self.connections.get(&cookie)?.closed?;
        let connection = self.connections.remove(&cookie)?;
        self.points -= connection.curve.len();
        self.counters.folded += 1;
        let grows = connection
            .process
            .is_some_and(|process| self.held.contains_key(&process));
        for &(holder, live) in &connection.holders {
            self.let_go(holder, live);
        }
        let peer = self.peer_of(&connection);
        self.retired.add(&connection, grows);
        if connection.allocated == 0 {
            return None;
        }
        let into = peer.filter(|_| connection.live() == 0);
        self.remember(cookie, into);
        let processes = connection.holders.iter().map(|(process, _)| *process);
        Some(Fold {
            cookie,
            processes: processes.collect(),
            into,
        })
    }

    /// A closed connection is not kept any more.
    fn let_go(&mut self, holder: ProcessHandle, live: u64) {
        if let Some(sum) = self.closed_live.get_mut(&holder) {
            *sum = sum.saturating_sub(live);
        }
        if let Some(held) = self.held.get_mut(&holder) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&holder);
                self.closed_live.remove(&holder);
            }
        }
    }

    fn remember(&mut self, cookie: Cookie, into: Option<PeerId>) {
        if self.folded.insert(cookie, into).is_some() {
            return;
        }
        self.folded_order.push_back(cookie);
        if self.folded_order.len() > self.limits.folded
            && let Some(oldest) = self.folded_order.pop_front()
        {
            self.folded.remove(&oldest);
            self.counters.folds_forgotten += 1;
        }
    }

    /// Adds a connection to the totals of its peer.
    fn peer_of(&mut self, connection: &Connection) -> Option<PeerId> {
        let Some(key) = PeerKey::of(connection) else {
            self.counters.without_peer += 1;
            return None;
        };
        let id = match self.peer_ids.get(&key) {
            Some(&known) => known,
            None => self.new_peer(key),
        };
        self.peers.get_mut(&id)?.add(connection);
        Some(id)
    }

    fn new_peer(&mut self, key: PeerKey) -> PeerId {
        if self.peers.len() >= self.limits.peers
            && let Some((_, oldest)) = self.peers.pop_first()
        {
            self.peer_ids.remove(&oldest.key);
            self.counters.peers_dropped += 1;
        }
        self.last_peer += 1;
        let id = PeerId(self.last_peer);
        self.peer_ids.insert(key.clone(), id);
        self.peers.insert(id, Peer::new(key));
        id
    }

    /// A process has ended and holds nothing any more.
    pub fn process_ended(&mut self, process: ProcessHandle) {
        if self.held.remove(&process).is_none() {
            return;
        }
        self.closed_live.remove(&process);
        for connection in self.connections.values_mut() {
            connection.holders.retain(|(holder, _)| *holder != process);
        }
    }
}

fn is_due(closed: BootTime, now: BootTime) -> bool {
    now.0 >= closed.0.saturating_add(AFTER_CLOSE)
}

/// The next one whose half minute has gone by, or that is beyond the bound.
fn take_due(
    queue: &mut VecDeque<(BootTime, Cookie)>,
    now: BootTime,
    most: usize,
) -> Option<Cookie> {
    let &(closed, cookie) = queue.front()?;
    if !is_due(closed, now) && queue.len() <= most {
        return None;
    }
    queue.pop_front();
    Some(cookie)
}
