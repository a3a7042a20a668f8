//! What each operation does to an address space, as the kernel does it.

use super::range::{Content, Range};
use super::space::AddressSpace;
use super::{Cause, Change, Outcome};
use crate::event::Operation;

/// The arguments of mremap.
#[derive(Clone, Copy)]
pub(super) struct Move {
    pub(super) old_start: u64,
    pub(super) old_length: u64,
    pub(super) new_start: u64,
    pub(super) new_length: u64,
    pub(super) keep_old: bool,
}

impl AddressSpace {
    /// Plays one operation and appends what became and ceased to be live.
    ///
    /// Operations that returned before the maps of the last reconcile were read are in the ledger
    /// already; of them only the owner is taken over (see `replay`). Those that returned later
    /// and took effect before do no harm either: each says all about its pages. mremap alone
    /// does not, and leaves that to the next audit.
    pub fn apply(
        &mut self,
        operation: &Operation,
        cause: Cause,
        changes: &mut Vec<Change>,
    ) -> Outcome {
        let outcome = if cause.time < self.read_at {
            self.replay(operation, cause, changes);
            Outcome::Settled
        } else {
            self.play(operation, cause, changes)
        };
        self.bound(changes);
        outcome
    }

    fn play(&mut self, operation: &Operation, cause: Cause, changes: &mut Vec<Change>) -> Outcome {
        match *operation {
            Operation::Map {
                start,
                length,
                backing,
                writable,
            } => {
                let content = Content::fresh(backing, writable, start, cause.owner, cause.time);
                self.map(start, end(start, length), content, cause, changes);
                Outcome::Settled
            }
            Operation::Unmap { start, length } => {
                self.unmap(start, end(start, length), cause, changes)
            }
            Operation::Detach { start } => {
                self.detach(start, changes);
                Outcome::Settled
            }
            Operation::Remap {
                old_start,
                old_length,
                new_start,
                new_length,
                keep_old,
            } => {
                let asked = Move {
                    old_start,
                    old_length,
                    new_start,
                    new_length,
                    keep_old,
                };
                self.remap(asked, cause, changes)
            }
            Operation::Break { start, end } => self.set_break(start, end, cause, changes),
            Operation::Protect {
                start,
                length,
                writable,
            } => {
                self.update(start, end(start, length), changes, |content| {
                    content.protected(writable, cause.owner, cause.time)
                });
                Outcome::Settled
            }
            Operation::Release { start, length } => {
                self.update(start, end(start, length), changes, Content::released);
                Outcome::Settled
            }
            Operation::Suspect { .. } => Outcome::Suspect,
        }
    }

    /// Maps over whatever is there.
    fn map(
        &mut self,
        start: u64,
        end: u64,
        content: Content,
        cause: Cause,
        changes: &mut Vec<Change>,
    ) {
        self.make_room(start, end, cause, changes);
        self.insert(start, end, content, changes);
    }

    /// Unmaps a place that something is mapped over.
    fn make_room(&mut self, start: u64, end: u64, cause: Cause, changes: &mut Vec<Change>) {
        if let Some((low, high)) = self.remove(start, end, changes) {
            self.reorder.note(low, high, cause);
        }
    }

    /// Unmaps all but what another thread has mapped in the meantime (see `reorder`).
    fn unmap(&mut self, start: u64, end: u64, cause: Cause, changes: &mut Vec<Change>) -> Outcome {
        let mut outcome = Outcome::Settled;
        let mut cursor = start;
        while let Some((low, high)) = self.reorder.take(cursor, end, cause) {
            self.remove(cursor, low, changes);
            if self.overlapping(low, high).next().is_some() {
                outcome = Outcome::Ambiguous;
            }
            cursor = high;
        }
        self.remove(cursor, end, changes);
        outcome
    }

    /// The kernel takes away all pieces of the segment that are still where shmat put them. The
    /// ledger stops at the first foreign mapping, and does not tell a segment from other shared
    /// memory with the same base: what it misses or takes too much of is shared memory, which does
    /// not count, and is put right by the next reconcile.
    fn detach(&mut self, start: u64, changes: &mut Vec<Change>) {
        let attached = |content| matches!(content, Content::Shared { base, .. } if base == start);
        let end = self
            .overlapping(start, u64::MAX)
            .take_while(|(_, range)| attached(range.content))
            .last()
            .map_or(start, |(_, range)| range.end);
        self.remove(start, end, changes);
    }

    /// A heap whose break was not known is left to a reconcile: the event does not say which part
    /// of it is new, and a process can move the start of its heap anywhere.
    fn set_break(
        &mut self,
        start: u64,
        end: u64,
        cause: Cause,
        changes: &mut Vec<Change>,
    ) -> Outcome {
        let end = end.max(start);
        let Some(before) = self.heap.advance(start, end) else {
            return Outcome::Suspect;
        };
        if before < end {
            let content = Content::Live {
                owner: cause.owner,
                since: cause.time,
            };
            self.map(before, end, content, cause, changes);
            return Outcome::Settled;
        }
        self.unmap(end, before, cause, changes)
    }

    fn remap(&mut self, asked: Move, cause: Cause, changes: &mut Vec<Change>) -> Outcome {
        if asked.old_length == 0 {
            return self.duplicate(asked, cause, changes);
        }
        let old_end = end(asked.old_start, asked.old_length);
        let kept = asked.old_length.min(asked.new_length);
        if asked.new_start == asked.old_start {
            let kept_end = end(asked.old_start, kept);
            let outcome = self.unmap(kept_end, old_end, cause, changes);
            if asked.new_length <= asked.old_length {
                return outcome;
            }
            let Some(last) = self.last_content(asked.old_start, old_end) else {
                return Outcome::Suspect;
            };
            let grown = last.grown(cause.owner, cause.time);
            let new_end = end(asked.new_start, asked.new_length);
            self.map(old_end, new_end, grown, cause, changes);
            return Outcome::Settled;
        }
        self.move_away(asked, kept, cause, changes)
    }

    /// Takes up the first `kept` bytes of the old range, unmaps the rest, and puts them down.
    fn move_away(
        &mut self,
        asked: Move,
        kept: u64,
        cause: Cause,
        changes: &mut Vec<Change>,
    ) -> Outcome {
        let old_end = end(asked.old_start, asked.old_length);
        let kept_end = end(asked.old_start, kept);
        if let Some((low, high)) = self.reorder.take(asked.old_start, old_end, cause)
            && self.overlapping(low, high).next().is_some()
        {
            // What was moved is overwritten in the ledger: only the maps know the new place.
            return Outcome::Ambiguous;
        }
        let Some(last) = self.last_content(asked.old_start, old_end) else {
            return Outcome::Suspect;
        };
        let distance = asked.new_start.wrapping_sub(asked.old_start);
        let mut moving = std::mem::take(&mut self.moving);
        while let Some(piece) = self.take_last(asked.old_start, kept_end) {
            moving.push(piece);
        }
        if asked.keep_old {
            self.leave_empty(&moving);
        }
        self.remove(kept_end, old_end, changes);
        // A gap between the old mappings leaves what lies at its new place (Linux 6.17; before,
        // a move with a gap was refused).
        for (at, mut range) in moving.drain(..).rev() {
            let start = at.wrapping_add(distance);
            range.end = range.end.wrapping_add(distance);
            range.content = range.content.moved(distance);
            self.make_room(start, range.end, cause, changes);
            self.put(start, range);
        }
        self.moving = moving;
        let grown = last.grown(cause.owner, cause.time).moved(distance);
        let new_end = end(asked.new_start, asked.new_length);
        self.map(end(asked.new_start, kept), new_end, grown, cause, changes);
        Outcome::Settled
    }

    /// The old mappings stay; their pages go with the move, and the owners with the pages.
    fn leave_empty(&mut self, moving: &[(u64, Range)]) {
        for &(at, mut range) in moving {
            range.content = range.content.released();
            self.book(range.end - at, None, Some(range.content));
            self.put(at, range);
        }
    }

    /// An old length of 0 maps the same shared memory once more.
    fn duplicate(&mut self, asked: Move, cause: Cause, changes: &mut Vec<Change>) -> Outcome {
        let Some(content @ Content::Shared { .. }) = self.at(asked.old_start) else {
            return Outcome::Suspect;
        };
        let content = content.moved(asked.new_start.wrapping_sub(asked.old_start));
        let new_end = end(asked.new_start, asked.new_length);
        self.map(asked.new_start, new_end, content, cause, changes);
        Outcome::Settled
    }

    /// What the last mapped page of `start..end` holds.
    fn last_content(&self, start: u64, end: u64) -> Option<Content> {
        let (_, range) = self.ranges.range(..end).next_back()?;
        (range.end > start).then_some(range.content)
    }
}

/// Decoded ranges do not wrap; one that did would be cut, not turned round.
pub(super) fn end(start: u64, length: u64) -> u64 {
    start.saturating_add(length)
}
