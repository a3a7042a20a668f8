//! Operations of two threads that were recorded in the other order than they took effect.
//!
//! An event is written when its call returns, a little after it took effect. Thread A unmaps X and
//! is preempted on its way out; thread B is given X by mmap, and its event is written first. Played
//! in the order of the ring, A's munmap would tear down what B has just made, and the ledger would
//! be wrong for as long as B keeps it.
//!
//! The kernel never places a mapping over another one unless it is told to (`MAP_FIXED`). So a
//! mapping that arrives where the ledger still has one is a sign: an operation that emptied the
//! place may still be on its way. It is noted here, and if within [`WINDOW`] *another* thread
//! unmaps (or moves away) that place, its operation is taken for the one that was missing, that
//! is, for the earlier one: what lies there stays. The sign outlives the mapping that gave it: if
//! B unmaps X and maps it again before A's event comes, that second mapping must stay as well.
//!
//! The guess is wrong for a program in which one thread maps over a place with `MAP_FIXED` and
//! another unmaps it within the window. Therefore it is reported as [`super::Outcome::Ambiguous`],
//! and `/proc/PID/maps` settles it. It is the better guess, since such programs hand the place
//! from thread to thread in less time than they use it for, while an allocator's munmap and mmap
//! race for the same hole all the time.
//!
//! mprotect and madvise need no such care: to reuse a place somebody must unmap it first, and a
//! program that unmaps what another thread has a call under way for does not know itself what it
//! gets.

use super::Cause;
use crate::ids::BootTime;

/// How late an event may be, in nanoseconds: a few time slices of a busy machine.
pub(super) const WINDOW: u64 = 20_000_000;

/// Places remembered. The oldest gives way; what it would have told is then left to audits.
const PLACES: usize = 16;

/// Mappings that were placed over others.
#[derive(Clone, Debug, Default)]
pub(super) struct Reorder {
    /// In no order.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    end: u64,
    thread: u32,
    time: BootTime,
}

impl Place {
    fn may_be_missed(&self, start: u64, end: u64, cause: Cause) -> bool {
        start < end
            && self.start < end
            && start < self.end
            && self.thread != cause.thread
            && self.time.0.abs_diff(cause.time.0) <= WINDOW
    }
}

impl Reorder {
    /// A mapping was placed over `start..end`, where another one was.
    pub(super) fn note(&mut self, start: u64, end: u64, cause: Cause) {
        let place = Place {
            start,
            end,
            thread: cause.thread,
            time: cause.time,
        };
        if self.places.len() < PLACES {
            self.places.push(place);
        } else if let Some(oldest) = self.places.iter_mut().min_by_key(|place| place.time) {
            *oldest = place;
        }
    }

    /// The lowest part of `start..end` that `cause` may have emptied before another thread mapped
    /// it. Each sign is taken once.
    pub(super) fn take(&mut self, start: u64, end: u64, cause: Cause) -> Option<(u64, u64)> {
        let (at, _) = self
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.may_be_missed(start, end, cause))
            .min_by_key(|(_, place)| place.start)?;
        let place = self.places.swap_remove(at);
        Some((place.start.max(start), place.end.min(end)))
    }
}
