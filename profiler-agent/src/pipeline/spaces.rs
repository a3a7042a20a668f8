//! The ledgers of all address spaces, and the growth that their changes make. One process answers
//! for a space, also while a vfork child uses it too.

use std::collections::HashMap;

use super::books::{Books, Moment};
use crate::{
    event::{Backing, Operation, Served},
    ids::{BootTime, ProcessHandle},
    ledger::{AddressSpace, Cause, Change, Drift, Outcome, Owner},
    process::{SpaceId, maps::Mapping},
    profile::ProcessFold,
    touch::{Pages, Room, TouchChange, Toucher},
};

/// The largest ledger that a fork copies, in ranges. A larger one is read from the child's maps if
/// the child lives on: copying is cheap for the kernel and dear here.
const COPY_MAX: usize = 8192;
/// Reading the maps of a process may take this part of the time at the most: one in so many.
const RECONCILE_SHARE: u64 = 50;

/// A ledger and who answers for it.
#[derive(Debug, Default)]
struct Space {
    ledger: AddressSpace,
    /// A child has none of its parent's.
    pages: Pages,
    process: Option<ProcessHandle>,
    operations: u64,
    lost: u64,
    /// Its maps are not read again before.
    reconcile_after: BootTime,
}

/// All ledgers.
#[derive(Debug, Default)]
pub struct Spaces {
    spaces: HashMap<SpaceId, Space>,
    by_process: HashMap<ProcessHandle, SpaceId>,
    changes: Vec<Change>,
    /// For sampled pages of all spaces.
    room: Room,
    touches: Vec<TouchChange>,
}

impl Spaces {
    /// An empty ledger; of a `fresh` space it is known that nothing is in it but what execve put
    /// there, so that its first brk starts at the start of the heap.
    pub fn create(&mut self, id: SpaceId, fresh: bool) {
        let mut space = Space::default();
        if fresh {
            space.ledger.clear(&mut self.changes);
        }
        self.spaces.insert(id, space);
    }

    /// A fork's copy; `false` if it was too large to be copied, and the child starts with nothing.
    pub fn copy(&mut self, from: SpaceId, to: SpaceId) -> bool {
        let ledger = self.spaces.get(&from).map(|space| &space.ledger);
        let small = ledger.filter(|ledger| ledger.len() <= COPY_MAX).cloned();
        let copied = small.is_some() || ledger.is_none();
        let copy = Space {
            ledger: small.unwrap_or_default(),
            ..Space::default()
        };
        self.spaces.insert(to, copy);
        copied
    }

    /// When the maps of a space may be read.
    pub fn reconcile_after(&self, id: SpaceId) -> BootTime {
        let space = self.spaces.get(&id);
        space.map_or(BootTime(0), |space| space.reconcile_after)
    }

    /// Notes that reading the maps took until `now`.
    pub fn reconciled(&mut self, id: SpaceId, began: BootTime, now: BootTime) {
        if let Some(space) = self.spaces.get_mut(&id) {
            let cost = now.0.saturating_sub(began.0);
            space.reconcile_after = BootTime(now.0.saturating_add(cost * RECONCILE_SHARE));
        }
    }

    /// Who answers for a space; nobody yet for a new one.
    pub fn answers(&self, space: SpaceId) -> Option<ProcessHandle> {
        self.spaces.get(&space)?.process
    }

    /// Makes a process answer for a space that has nobody: what is live in it is the process's.
    pub fn bind(&mut self, id: SpaceId, process: ProcessHandle, books: &mut Books) {
        let Some(space) = self
            .spaces
            .get_mut(&id)
            .filter(|space| space.process.is_none())
        else {
            return;
        };
        space.process = Some(process);
        self.by_process.insert(process, id);
        books.inherit(process, &space.ledger);
    }

    /// A process ends. If others use its space still, one of them will answer for it.
    pub fn unbind(&mut self, process: ProcessHandle, books: &mut Books) {
        let Some(space) = self.by_process.remove(&process) else {
            return;
        };
        let Some(space) = self.spaces.get_mut(&space) else {
            return;
        };
        space.process = None;
        space.pages.clear(&mut self.room, &mut self.touches);
        settle_touches(&mut self.touches, Some(process), books);
        books.connections.process_ends(process);
        for (owner, live) in space.ledger.live_by_owner() {
            let change = Change {
                owner,
                committed: 0,
                freed: live.bytes,
            };
            books.apply(process, &change, &Moment::default());
        }
        books.connections.process_ended(process);
    }

    /// Nobody uses the space any more.
    pub fn drop_space(&mut self, id: SpaceId, books: &mut Books) {
        let Some(mut space) = self.spaces.remove(&id) else {
            return;
        };
        space.ledger.clear(&mut self.changes);
        space.pages.clear(&mut self.room, &mut self.touches);
        settle_touches(&mut self.touches, space.process, books);
        if let Some(process) = space.process {
            self.by_process.remove(&process);
        }
        settle(&mut self.changes, space.process, books, &Moment::default());
    }

    /// Plays an operation.
    pub fn apply(
        &mut self,
        id: SpaceId,
        operation: &Operation,
        cause: Cause,
        served: Served,
        books: &mut Books,
    ) -> Outcome {
        let moment = Moment {
            served,
            time: cause.time,
        };
        let Some(space) = self.spaces.get_mut(&id) else {
            return Outcome::Settled;
        };
        space.operations += 1;
        let outcome = space.ledger.apply(operation, cause, &mut self.changes);
        settle(&mut self.changes, space.process, books, &moment);
        if !space.pages.is_empty() {
            let (room, touches) = (&mut self.room, &mut self.touches);
            space.pages.play(operation, room, touches);
            if let Operation::Break { end, .. } = *operation {
                let is_mapped = |address| space.ledger.is_mapped_at(address);
                space.pages.end_heap(end, is_mapped, room, touches);
            }
            settle_touches(touches, space.process, books);
        }
        outcome
    }

    /// Brings a ledger in line with maps whose reading began at `time`.
    pub fn reconcile(
        &mut self,
        id: SpaceId,
        mappings: &[Mapping<'_>],
        owner: Owner,
        time: BootTime,
        books: &mut Books,
    ) -> Drift {
        let Some(space) = self.spaces.get_mut(&id) else {
            return Drift::default();
        };
        let drift = space
            .ledger
            .reconcile(mappings, owner, time, &mut self.changes);
        settle(&mut self.changes, space.process, books, &Moment::default());
        if !space.pages.is_empty() {
            let ranges = space.ledger.ranges();
            let anonymous = ranges.filter(|range| range.backing == Backing::Anonymous);
            let anonymous = anonymous.map(|range| (range.start, range.end));
            let (room, touches) = (&mut self.room, &mut self.touches);
            space.pages.keep(anonymous, room, touches);
            settle_touches(touches, space.process, books);
        }
        drift
    }

    /// Whether memory at an address would count as touched: it is committed, given back or not.
    pub fn counts_touches_at(&self, id: SpaceId, address: u64) -> bool {
        let space = self.spaces.get(&id);
        space.is_some_and(|space| space.ledger.is_committed_at(address))
    }

    /// Pages of a space were touched. Whether that was the first time, as far as is known.
    pub fn touch(
        &mut self,
        id: SpaceId,
        range: (u64, u64),
        toucher: Toucher,
        books: &mut Books,
    ) -> bool {
        let Some(space) = self.spaces.get_mut(&id) else {
            return false;
        };
        let (room, touches) = (&mut self.room, &mut self.touches);
        let first = space.pages.touch(range, toucher, room, touches);
        settle_touches(touches, space.process, books);
        first
    }

    /// What was touched at an address got memory together with all of a range.
    pub fn widen(&mut self, id: SpaceId, address: u64, range: (u64, u64), books: &mut Books) {
        if let Some(space) = self.spaces.get_mut(&id) {
            let (room, touches) = (&mut self.room, &mut self.touches);
            space.pages.widen(address, range, room, touches);
            settle_touches(touches, space.process, books);
        }
    }

    /// Gives up what is known of the pages of a space, since it is no longer followed.
    pub fn forget_pages(&mut self, id: SpaceId, books: &mut Books) {
        if let Some(space) = self.spaces.get_mut(&id) {
            space.pages.clear(&mut self.room, &mut self.touches);
            settle_touches(&mut self.touches, space.process, books);
        }
    }

    /// Sampled pages for which there was no room.
    pub fn pages_refused(&self) -> u64 {
        self.room.refused()
    }

    /// Notes that so many more operations of a space were lost.
    pub fn add_lost(&mut self, id: SpaceId, lost: u64) {
        if let Some(space) = self.spaces.get_mut(&id) {
            space.lost = space.lost.saturating_add(lost);
        }
    }

    /// The ledger that a process answers for.
    pub fn ledger_of(&self, process: ProcessHandle) -> Option<&AddressSpace> {
        let space = self.spaces.get(self.by_process.get(&process)?)?;
        Some(&space.ledger)
    }

    /// What a snapshot takes from a process's ledger.
    pub fn fold(&self, process: ProcessHandle) -> Option<ProcessFold> {
        let space = self.spaces.get(self.by_process.get(&process)?)?;
        Some(ProcessFold::new(
            &space.ledger,
            space.operations,
            space.lost,
        ))
    }

    /// Gives up what a ledger knows.
    pub fn empty(&mut self, id: SpaceId, books: &mut Books) {
        if let Some(space) = self.spaces.get_mut(&id) {
            if let Some(process) = space.process {
                books.connections.process_ends(process);
            }
            space.pages.clear(&mut self.room, &mut self.touches);
            settle_touches(&mut self.touches, space.process, books);
            space.ledger.clear(&mut self.changes);
            settle(&mut self.changes, space.process, books, &Moment::default());
        }
    }

    /// Ranges in all ledgers.
    pub fn ranges(&self) -> usize {
        self.spaces.values().map(|space| space.ledger.len()).sum()
    }

    /// The largest ledger that somebody answers for.
    pub fn largest(&self) -> Option<(ProcessHandle, SpaceId)> {
        let answered = self
            .spaces
            .iter()
            .filter_map(|(id, space)| Some((space.process?, *id, space.ledger.len())));
        answered
            .max_by_key(|(_, _, ranges)| *ranges)
            .map(|(process, id, _)| (process, id))
    }

    /// Ranges that lost their owner to stay within the bound of their ledger.
    pub fn folded(&self) -> u64 {
        self.spaces
            .values()
            .map(|space| space.ledger.folded().owners)
            .sum()
    }
}

/// The same for first touches.
fn settle_touches(
    touches: &mut Vec<TouchChange>,
    process: Option<ProcessHandle>,
    books: &mut Books,
) {
    if let Some(process) = process {
        for touch in touches.iter() {
            books.growth.touched(process, touch);
        }
    }
    touches.clear();
}

/// Puts changes down to the process that answers.
fn settle(
    changes: &mut Vec<Change>,
    process: Option<ProcessHandle>,
    books: &mut Books,
    moment: &Moment,
) {
    if let Some(process) = process {
        books.apply_all(process, changes, moment);
    }
    changes.clear();
}
