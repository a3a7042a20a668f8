//! The sampled pages of one address space.

use std::collections::BTreeMap;

use profiler_common::sampling::PAGE;

use super::{TouchChange, Toucher};
use crate::event::Operation;

/// Sampled pages of all address spaces together; at one in 64 they stand for 64 GiB.
const PAGES_MAX: usize = 262_144;

/// How many pages may still be kept, over all address spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub(super) left: usize,
    refused: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self::new(PAGES_MAX)
    }
}

impl Room {
    /// Room for so many.
    pub fn new(left: usize) -> Self {
        Self { left, refused: 0 }
    }

    /// Pages that were not kept for want of room.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn take(&mut self) -> bool {
        let any = self.left > 0;
        self.left -= usize::from(any);
        self.refused += u64::from(!any);
        any
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    end: u64,
    toucher: Toucher,
}

/// By first address; disjoint. A huge page is one, and several when parts of it went away.
#[derive(Debug, Default)]
pub struct Pages {
    pub(super) pages: BTreeMap<u64, Page>,
}

impl Pages {
    /// None are known.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// `start..end` got memory, unless it has some already. Whether it is kept as such.
    pub fn touch(
        &mut self,
        (start, end): (u64, u64),
        toucher: Toucher,
        room: &mut Room,
        changes: &mut Vec<TouchChange>,
    ) -> bool {
        if self.at(start).is_some_and(|page| page.end >= end) {
            return false;
        }
        // A huge page takes the place of what was known of parts of it.
        self.remove(start, end, room, changes);
        let kept = room.take();
        if kept {
            self.pages.insert(start, Page { end, toucher });
            changes.push(change(toucher, true, end - start));
        }
        kept
    }

    /// What was touched at `address` got memory together with all of `start..end`, as it turns out.
    pub fn widen(
        &mut self,
        address: u64,
        range: (u64, u64),
        room: &mut Room,
        changes: &mut Vec<TouchChange>,
    ) {
        if let Some(toucher) = self.at(address).map(|page| page.toucher) {
            self.touch(range, toucher, room, changes);
        }
    }

    fn at(&self, address: u64) -> Option<Page> {
        let (_, page) = self.pages.range(..=address).next_back()?;
        (page.end > address).then_some(*page)
    }

    /// Plays an operation on the address space. Of brk see [`Self::end_heap`].
    pub fn play(&mut self, operation: &Operation, room: &mut Room, changes: &mut Vec<TouchChange>) {
        match *operation {
            Operation::Map { start, length, .. }
            | Operation::Unmap { start, length }
            | Operation::Release { start, length } => {
                self.remove(start, start.saturating_add(length), room, changes);
            }
            Operation::Remap {
                old_start,
                old_length,
                new_start,
                new_length,
                ..
            } => {
                let kept = old_length.min(new_length);
                let old_end = old_start.saturating_add(old_length);
                let kept_end = old_start.saturating_add(kept);
                self.remove(kept_end, old_end, room, changes);
                if new_start != old_start {
                    let new_end = new_start.saturating_add(new_length);
                    self.shift((old_start, kept_end), (new_start, new_end), room, changes);
                }
            }
            // What is mapped stays so, and shared memory is not here.
            Operation::Protect { .. }
            | Operation::Detach { .. }
            | Operation::Break { .. }
            | Operation::Suspect { .. } => {}
        }
    }

    /// The heap ends at `end` now: what is above it and is not mapped is gone.
    pub fn end_heap(
        &mut self,
        end: u64,
        is_mapped: impl Fn(u64) -> bool,
        room: &mut Room,
        changes: &mut Vec<TouchChange>,
    ) {
        let below = self.pages.range(..end).next_back();
        let across = below.filter(|(_, page)| page.end > end);
        let known = across.into_iter().chain(self.pages.range(end..));
        let until = known
            .flat_map(|(&at, page)| (at.max(end)..page.end).step_by(PAGE as usize))
            .take_while(|&address| !is_mapped(address))
            .last()
            .map_or(end, |address| address + PAGE);
        self.remove(end, until, room, changes);
    }

    /// Only what lies in these ranges, which ascend, can be there.
    pub fn keep(
        &mut self,
        ranges: impl Iterator<Item = (u64, u64)>,
        room: &mut Room,
        changes: &mut Vec<TouchChange>,
    ) {
        let mut cursor = 0;
        for (start, end) in ranges {
            self.remove(cursor, start, room, changes);
            cursor = end;
        }
        self.remove(cursor, u64::MAX, room, changes);
    }

    /// The address space is gone, or nothing is known of it any more.
    pub fn clear(&mut self, room: &mut Room, changes: &mut Vec<TouchChange>) {
        self.remove(0, u64::MAX, room, changes);
    }

    fn shift(
        &mut self,
        from: (u64, u64),
        to: (u64, u64),
        room: &mut Room,
        changes: &mut Vec<TouchChange>,
    ) {
        let mut moving = Vec::new();
        while let Some(piece) = self.take_last(from.0, from.1, room, changes) {
            moving.push(piece);
        }
        self.remove(to.0, to.1, room, changes);
        let distance = to.0.wrapping_sub(from.0);
        for (at, mut page) in moving {
            if room.take() {
                page.end = page.end.wrapping_add(distance);
                self.pages.insert(at.wrapping_add(distance), page);
            } else {
                changes.push(change(page.toucher, false, page.end - at));
            }
        }
    }

    fn remove(&mut self, start: u64, end: u64, room: &mut Room, changes: &mut Vec<TouchChange>) {
        while let Some((at, page)) = self.take_last(start, end, room, changes) {
            changes.push(change(page.toucher, false, page.end - at));
        }
    }

    /// Takes the uppermost page out of `start..end`, cut to it.
    fn take_last(
        &mut self,
        start: u64,
        end: u64,
        room: &mut Room,
        changes: &mut Vec<TouchChange>,
    ) -> Option<(u64, Page)> {
        if start >= end {
            return None;
        }
        let (&at, page) = self.pages.range_mut(..end).next_back()?;
        let whole = *page;
        if whole.end <= start {
            return None;
        }
        if at < start {
            page.end = start;
        } else {
            self.pages.remove(&at);
            room.left += 1;
        }
        if whole.end > end {
            if room.take() {
                self.pages.insert(end, whole);
            } else {
                changes.push(change(whole.toucher, false, whole.end - end));
            }
        }
        let end = whole.end.min(end);
        Some((at.max(start), Page { end, ..whole }))
    }
}

fn change(toucher: Toucher, came: bool, bytes: u64) -> TouchChange {
    TouchChange {
        toucher,
        came,
        bytes,
    }
}
