//! Brings an address space in line with what `/proc/PID/maps` says.

use std::collections::btree_map;

use super::heap::Heap;
use super::range::{Content, Range};
use super::space::AddressSpace;
use super::{Change, Owner};
use crate::ids::BootTime;
use crate::process::maps::Mapping;

/// No user mapping ends above this; `[vsyscall]` is the kernel's.
const USER_END: u64 = 1 << 56;

/// How far the ledger was from the maps, in bytes.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Mapped, and not known.
    pub added: u64,
    /// Known, and not mapped.
    pub removed: u64,
    /// Mapped and known, with another backing or protection.
    pub changed: u64,
    /// Of added and changed: committed, and not known to be.
    pub committed: u64,
    /// Of removed and changed: taken for committed, and not so.
    pub decommitted: u64,
}

impl AddressSpace {
    /// Takes over what the maps say. Where they agree that memory is committed, its owner, its age
    /// and that it was given back are kept; what is committed and was not known is `owner`'s.
    ///
    /// `time` is when the reading *began*: what had returned by then is in the maps for sure.
    pub fn reconcile(
        &mut self,
        mappings: &[Mapping<'_>],
        owner: Owner,
        time: BootTime,
        changes: &mut Vec<Change>,
    ) -> Drift {
        let mut drift = Drift::default();
        let mut known = Known {
            ranges: std::mem::take(&mut self.ranges).into_iter(),
            rest: None,
        };
        let mut cursor = 0;
        for mapping in mappings {
            // A text read in several pieces may show a mapping twice that changed in between.
            let (start, end) = (mapping.start.max(cursor), mapping.end.min(USER_END));
            if start >= end {
                continue;
            }
            self.drop_below(&mut known, start, &mut drift, changes);
            let truth = content(mapping, owner, time);
            self.take_over(&mut known, (start, end), truth, &mut drift, changes);
            cursor = end;
        }
        self.drop_below(&mut known, u64::MAX, &mut drift, changes);
        self.replayed_heap = self.heap;
        self.heap = heap(mappings);
        self.read_at = time;
        self.bound(changes);
        drift
    }

    /// What is known below `limit` is not mapped.
    fn drop_below(
        &mut self,
        known: &mut Known,
        limit: u64,
        drift: &mut Drift,
        changes: &mut Vec<Change>,
    ) {
        while let Some((start, range)) = known.next_below(limit) {
            let bytes = range.end - start;
            drift.note(bytes, Some(range.content), None);
            self.account(bytes, Some(range.content), None, changes);
        }
    }

    /// `start..end` is `truth`; nothing below `start` is left in `known`.
    fn take_over(
        &mut self,
        known: &mut Known,
        (start, end): (u64, u64),
        truth: Content,
        drift: &mut Drift,
        changes: &mut Vec<Change>,
    ) {
        let mut cursor = start;
        let mut settle = |start, end, before, after| {
            if start < end {
                drift.note(end - start, before, Some(after));
                self.account(end - start, before, Some(after), changes);
                let content = after;
                self.put(start, Range { end, content });
            }
        };
        while let Some((at, range)) = known.next_below(end) {
            settle(cursor, at, None, truth);
            let before = range.content;
            let keeps = before.is_committed() && truth.is_committed();
            let after = if keeps { before } else { truth };
            settle(at, range.end, Some(before), after);
            cursor = range.end;
        }
        settle(cursor, end, None, truth);
    }
}

impl Drift {
    fn note(&mut self, bytes: u64, before: Option<Content>, after: Option<Content>) {
        let kind = |content: Content| (content.backing(), content.is_writable());
        match (before.map(kind), after.map(kind)) {
            (None, Some(_)) => self.added += bytes,
            (Some(_), None) => self.removed += bytes,
            (before, after) if before != after => self.changed += bytes,
            _ => {}
        }
        let was = before.is_some_and(Content::is_committed);
        let is = after.is_some_and(Content::is_committed);
        if is && !was {
            self.committed += bytes;
        }
        if was && !is {
            self.decommitted += bytes;
        }
    }
}

/// The ledger's ranges, cut where the maps have a boundary.
struct Known {
    ranges: btree_map::IntoIter<u64, Range>,
    /// The upper part of a range that was cut, or a range that was not reached yet.
    rest: Option<(u64, Range)>,
}

impl Known {
    /// The next range that starts below `limit`, cut there.
    fn next_below(&mut self, limit: u64) -> Option<(u64, Range)> {
        let (start, mut range) = self.rest.take().or_else(|| self.ranges.next())?;
        if start >= limit {
            self.rest = Some((start, range));
            return None;
        }
        if range.end > limit {
            self.rest = Some((limit, range));
            range.end = limit;
        }
        Some((start, range))
    }
}

fn content(mapping: &Mapping<'_>, owner: Owner, time: BootTime) -> Content {
    let base = mapping.start.wrapping_sub(mapping.offset);
    Content::fresh(
        mapping.backing(),
        mapping.permissions.write,
        base,
        owner,
        time,
    )
}

/// An empty heap is no mapping.
fn heap(mappings: &[Mapping<'_>]) -> Heap {
    let last = mappings.iter().rev().find(|mapping| mapping.is_heap());
    last.map_or(Heap::Empty, |mapping| Heap::Ends {
        start: None,
        end: mapping.end,
    })
}
