//! One connection: what is known of its socket, and the memory that was demanded on its behalf.

use profiler_analysis::pattern::{Evidence, Point};

use super::{
    curve::{Curve, CurvePoint},
    facts::{End, Role, SocketFacts},
};
use crate::{
    event::Served,
    ids::{BootTime, Cookie, ProcessHandle},
};

/// Processes that can have demanded memory on behalf of one connection.
const HOLDERS: usize = 64;

/// A connection. Memory is committed bytes, exact.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The kernel's name for its socket.
    pub cookie: Cookie,
    /// The socket, as it was looked at last; none as long as that was not possible.
    pub facts: Option<SocketFacts>,
    /// The process that used it last, if it is known.
    pub process: Option<ProcessHandle>,
    /// When the agent learned of it.
    pub seen: BootTime,
    /// When it closed.
    pub closed: Option<BootTime>,
    /// How.
    pub end: End,
    /// Demanded by threads that served it.
    pub allocated: u64,
    /// Of that, given back.
    pub freed: u64,
    /// The most that was there at any time.
    pub peak: u64,
    /// What was there when it closed.
    pub live_at_close: u64,
    /// What was there 30 s after that; none before.
    pub live_after_close: Option<u64>,
    /// Live bytes of its process's closed connections when the agent learned of it.
    pub pool: u64,
    /// What was there when a process ended that held some of it: what goes with the process says
    /// nothing about close.
    pub(super) cut: Option<u64>,
    pub(super) curve: Curve,
    /// Processes that demanded memory while they served it, and what of it is there. Seldom more
    /// than one.
    pub(super) holders: Vec<(ProcessHandle, u64)>,
    /// Passes over all descriptors that did not find it.
    pub(super) missed: u8,
    /// Bytes and calls of its traffic that were added to what its process received.
    received: (u64, u64),
}

impl Connection {
    pub(super) fn new(cookie: Cookie, seen: BootTime) -> Self {
        Self {
            cookie,
            facts: None,
            process: None,
            seen,
            closed: None,
            end: End::Unknown,
            allocated: 0,
            freed: 0,
            peak: 0,
            live_at_close: 0,
            live_after_close: None,
            pool: 0,
            cut: None,
            curve: Curve::default(),
            holders: Vec::new(),
            missed: 0,
            received: (0, 0),
        }
    }

    /// Bytes that are still there.
    pub fn live(&self) -> u64 {
        self.allocated.saturating_sub(self.freed)
    }

    /// When it opened, or was first seen.
    pub fn opened(&self) -> BootTime {
        self.facts.as_ref().map_or(self.seen, |facts| facts.opened)
    }

    /// Its curve, oldest first.
    pub fn points(&self) -> impl Iterator<Item = CurvePoint> {
        self.curve.points()
    }

    /// Takes over bytes that a process demanded and gave back. Returns what of the latter was not
    /// another's: a child's copy of its parent's memory was not demanded by the child. None if
    /// there is no room for one more process.
    pub(super) fn charge(
        &mut self,
        process: ProcessHandle,
        committed: u64,
        freed: u64,
    ) -> Option<u64> {
        let place = match self.holder(process) {
            Some(place) => place,
            None if committed == 0 => return Some(0),
            None if self.holders.len() >= HOLDERS => return None,
            None => {
                self.holders.push((process, 0));
                self.holders.len() - 1
            }
        };
        let held = &mut self.holders[place].1;
        let taken = freed.min(held.saturating_add(committed));
        *held = held.saturating_add(committed) - taken;
        self.allocated = self.allocated.saturating_add(committed);
        self.freed = self.freed.saturating_add(taken);
        self.peak = self.peak.max(self.live());
        Some(taken)
    }

    fn holder(&self, process: ProcessHandle) -> Option<usize> {
        let mut holders = self.holders.iter();
        holders.position(|(holder, _)| *holder == process)
    }

    /// What goes from now on says nothing about close.
    pub(super) fn cut(&mut self) {
        let live = self.live();
        self.cut.get_or_insert(live);
    }

    /// Takes over what the kernel's table says of its socket.
    pub(super) fn learn(&mut self, facts: SocketFacts, process: Option<ProcessHandle>) {
        let before = self.facts.as_ref();
        let user = before.map(|before| before.pid);
        // A pid that another process has now does not make the connection that one's.
        if self.process.is_none() || user != Some(facts.pid) {
            self.process = process.or(self.process);
        }
        // A role that was found out later is not taken back.
        let role = match facts.role {
            Role::Unknown => before.map(|before| before.role).unwrap_or_default(),
            known => known,
        };
        self.facts = Some(SocketFacts { role, ..facts });
    }

    /// Bytes and calls that it received since this was asked last.
    pub(super) fn take_received(&mut self) -> (u64, u64) {
        let traffic = self
            .facts
            .as_ref()
            .map(|facts| facts.traffic)
            .unwrap_or_default();
        let (bytes, calls) = self.received;
        let now = (
            traffic.received_bytes.max(bytes),
            traffic.received_calls.max(calls),
        );
        self.received = now;
        (now.0 - bytes, now.1 - calls)
    }

    /// Calls by the last point of its curve.
    pub(super) fn last_calls(&self) -> u64 {
        self.curve.last().map_or(u64::MAX, |point| point.calls)
    }

    /// Adds a point to its curve, from before so much was given back. `room`: for one more than
    /// it has.
    pub(super) fn add_point(&mut self, served: &Served, time: BootTime, freed: u64, room: bool) {
        let point = CurvePoint {
            time,
            calls: served.calls,
            bytes: served.bytes,
            allocated: self.allocated,
            live: self.live().saturating_add(freed),
        };
        self.curve.add(point, room);
    }

    /// As patterns are judged from it.
    pub(super) fn evidence(&self) -> Evidence {
        let calls = self
            .facts
            .as_ref()
            .map_or(0, |facts| facts.traffic.received_calls);
        let says_of_close = self.cut.is_none() || self.live_after_close.is_some();
        Evidence {
            opened: self.opened().0,
            found: self.facts.as_ref().is_none_or(|facts| facts.found),
            closed: self.closed.filter(|_| says_of_close).map(|time| time.0),
            calls,
            allocated: self.allocated,
            live: self.cut.unwrap_or(self.live()),
            peak: self.peak,
            live_at_close: self.live_at_close,
            live_after_close: self.live_after_close,
            curve: self
                .points()
                .map(|point| Point {
                    calls: point.calls,
                    allocated: point.allocated,
                    live: point.live,
                })
                .collect(),
            pool: self.pool,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_a_child_is_not_the_childs_demand() {
        let (parent, child) = (ProcessHandle(1), ProcessHandle(2));
        let mut connection = Connection::new(Cookie(1), BootTime(1));
        assert_eq!(connection.charge(parent, 100, 0), Some(0));
        assert_eq!(connection.charge(child, 0, 100), Some(0));
        assert_eq!(connection.live(), 100);
        connection.charge(child, 10, 0);
        assert_eq!(connection.charge(child, 0, 50), Some(10));
        assert_eq!(connection.charge(parent, 0, 100), Some(100));
        assert_eq!((connection.live(), connection.peak), (0, 110));
    }
}
