//! The interval map and its sums. Everything that changes a range goes through here, so that the
//! sums and the reported changes cannot drift from the ranges.

use std::collections::{BTreeMap, HashMap};

use super::bound::{Folded, RANGES_MAX};
use super::heap::Heap;
use super::range::{Content, Range, RangeView};
use super::reorder::Reorder;
use super::{Change, Live, Owner};
use crate::ids::BootTime;

/// The memory of one process, range by range.
///
/// A clone is what fork makes: the child has the same ranges with the same owners. Its live bytes
/// were in no [`Change`]; take them from [`Self::live_by_owner`]; what was folded counts on. If the fork's event is older
/// than [`Self::read_at`], the clone knows more than the child was born with: reconcile it.
#[derive(Clone, Debug)]
pub struct AddressSpace {
    /// By first address; disjoint.
    pub(super) ranges: BTreeMap<u64, Range>,
    /// Bytes of live and released ranges.
    committed: u64,
    /// Bytes of released ranges.
    released: u64,
    pub(super) heap: Heap,
    /// The break as the events before `read_at` know it.
    pub(super) replayed_heap: Heap,
    pub(super) reorder: Reorder,
    /// Operations that had returned by then are in the ranges already.
    pub(super) read_at: BootTime,
    /// From how many ranges on they are folded.
    pub(super) fold_above: usize,
    pub(super) folded: Folded,
    /// What mremap takes up; empty between operations.
    pub(super) moving: Vec<(u64, Range)>,
}

impl Default for AddressSpace {
    fn default() -> Self {
        Self::new()
    }
}

impl AddressSpace {
    /// An address space of which nothing is known yet: that of a process which runs already.
    pub fn new() -> Self {
        Self {
            ranges: BTreeMap::new(),
            committed: 0,
            released: 0,
            heap: Heap::Unknown,
            replayed_heap: Heap::Unknown,
            reorder: Reorder::default(),
            read_at: BootTime(0),
            fold_above: RANGES_MAX,
            folded: Folded::default(),
            moving: Vec::new(),
        }
    }

    /// exec and exit: all that is live is freed. After an exec, reconcile: the kernel maps the
    /// program without a system call.
    pub fn clear(&mut self, changes: &mut Vec<Change>) {
        for (owner, live) in self.live_by_owner() {
            note(changes, owner, 0, live.bytes);
        }
        let folded = self.folded;
        let fold_above = self.fold_above;
        *self = Self {
            heap: Heap::Empty,
            replayed_heap: Heap::Empty,
            fold_above,
            folded,
            ..Self::new()
        };
    }

    /// Bytes of private, anonymous, writable memory.
    pub fn committed_bytes(&self) -> u64 {
        self.committed
    }

    /// Those of them that were given back and are nobody's.
    pub fn released_bytes(&self) -> u64 {
        self.released
    }

    /// Ranges held.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// When the last reconcile's reading of `/proc/PID/maps` began.
    pub fn read_at(&self) -> BootTime {
        self.read_at
    }

    /// What had to be folded.
    pub fn folded(&self) -> Folded {
        self.folded
    }

    /// The ranges, by address.
    pub fn ranges(&self) -> impl Iterator<Item = RangeView> {
        self.ranges
            .iter()
            .map(|(&start, &range)| RangeView::new(start, range))
    }

    /// Whether an address is committed, given back or not.
    pub fn is_committed_at(&self, address: u64) -> bool {
        self.at(address).is_some_and(Content::is_committed)
    }

    /// Whether anything is mapped at an address.
    pub fn is_mapped_at(&self, address: u64) -> bool {
        self.at(address).is_some()
    }

    /// What each owner has live.
    pub fn live_by_owner(&self) -> HashMap<Owner, Live> {
        let mut owners = HashMap::new();
        for (start, range) in &self.ranges {
            let Content::Live { owner, since } = range.content else {
                continue;
            };
            let live = owners.entry(owner).or_insert(Live {
                bytes: 0,
                oldest: since,
                newest: since,
            });
            live.bytes += range.end - start;
            live.oldest = live.oldest.min(since);
            live.newest = live.newest.max(since);
        }
        owners
    }

    /// The ranges that have a byte in `start..end`, with their whole extent.
    pub(super) fn overlapping(
        &self,
        start: u64,
        end: u64,
    ) -> impl Iterator<Item = (u64, Range)> + '_ {
        let first = match self.ranges.range(..=start).next_back() {
            Some((&below, range)) if range.end > start => below,
            _ => start,
        };
        let ranges = (first < end).then(|| self.ranges.range(first..end));
        ranges
            .into_iter()
            .flatten()
            .map(|(&at, &range)| (at, range))
    }

    /// What lies at an address.
    pub(super) fn at(&self, address: u64) -> Option<Content> {
        let (_, range) = self.ranges.range(..=address).next_back()?;
        (range.end > address).then_some(range.content)
    }

    /// Unmaps `start..end`. Returns the hull of what was there.
    pub(super) fn remove(
        &mut self,
        start: u64,
        end: u64,
        changes: &mut Vec<Change>,
    ) -> Option<(u64, u64)> {
        let mut hull = None;
        while let Some((at, range)) = self.take_last(start, end) {
            self.account(range.end - at, Some(range.content), None, changes);
            let (_, last) = hull.unwrap_or((at, range.end));
            hull = Some((at, last));
        }
        hull
    }

    /// Takes the uppermost range out of `start..end`, cut to it. The sums keep what is taken:
    /// the caller accounts for it or puts it back.
    pub(super) fn take_last(&mut self, start: u64, end: u64) -> Option<(u64, Range)> {
        if start >= end {
            return None;
        }
        let (&at, range) = self.ranges.range_mut(..end).next_back()?;
        let whole = *range;
        if whole.end <= start {
            return None;
        }
        if at < start {
            range.end = start;
        } else {
            self.ranges.remove(&at);
        }
        if whole.end > end {
            self.ranges.insert(end, whole);
        }
        let taken = Range {
            end: whole.end.min(end),
            content: whole.content,
        };
        Some((at.max(start), taken))
    }

    /// Maps `start..end`, which is free, and tells of it.
    pub(super) fn insert(
        &mut self,
        start: u64,
        end: u64,
        content: Content,
        changes: &mut Vec<Change>,
    ) {
        if start < end {
            self.account(end - start, None, Some(content), changes);
            self.put(start, Range { end, content });
        }
    }

    /// Puts a range into a free place; the sums know it already.
    pub(super) fn put(&mut self, start: u64, range: Range) {
        let mut end = range.end;
        if let Some(next) = self.ranges.get(&end)
            && next.content == range.content
        {
            let after = next.end;
            self.ranges.remove(&end);
            end = after;
        }
        if let Some((_, below)) = self.ranges.range_mut(..start).next_back()
            && below.end == start
            && below.content == range.content
        {
            below.end = end;
            return;
        }
        self.ranges.insert(
            start,
            Range {
                end,
                content: range.content,
            },
        );
    }

    /// Replaces what the mapped parts of `start..end` hold.
    pub(super) fn update(
        &mut self,
        start: u64,
        end: u64,
        changes: &mut Vec<Change>,
        becomes: impl Fn(Content) -> Content,
    ) {
        let alters = |(_, range): (u64, Range)| becomes(range.content) != range.content;
        if start >= end || !self.overlapping(start, end).any(alters) {
            return;
        }
        self.split(start);
        self.split(end);
        let mut cursor = start;
        while let Some((&at, range)) = self.ranges.range_mut(cursor..end).next() {
            let (before, after) = (range.content, becomes(range.content));
            range.content = after;
            cursor = range.end;
            self.account(cursor - at, Some(before), Some(after), changes);
        }
        self.join(start, end);
    }

    /// Makes `address` a boundary, if it lies inside a range.
    fn split(&mut self, address: u64) {
        if let Some((_, range)) = self.ranges.range_mut(..address).next_back()
            && range.end > address
        {
            let upper = *range;
            range.end = address;
            self.ranges.insert(address, upper);
        }
    }

    /// Joins neighbours that are alike from the range before `start` to the one from `end` on.
    fn join(&mut self, start: u64, end: u64) {
        let below = self.ranges.range(..start).next_back();
        let Some(mut at) = below.map(|(&at, _)| at).or_else(|| {
            let first = self.ranges.range(start..).next();
            first.map(|(&at, _)| at)
        }) else {
            return;
        };
        while at < end
            && let Some((&next_at, &next)) = self.ranges.range(at + 1..=end).next()
        {
            match self.ranges.get_mut(&at) {
                Some(range) if range.end == next_at && range.content == next.content => {
                    range.end = next.end;
                    self.ranges.remove(&next_at);
                }
                _ => at = next_at,
            }
        }
    }

    /// Books `bytes` that were `before` and are `after` now, and tells for whom; `None` is not
    /// mapped.
    pub(super) fn account(
        &mut self,
        bytes: u64,
        before: Option<Content>,
        after: Option<Content>,
        changes: &mut Vec<Change>,
    ) {
        self.book(bytes, before, after);
        let owner = before.and_then(Content::owner);
        let heir = after.and_then(Content::owner);
        if owner != heir {
            if let Some(owner) = owner {
                note(changes, owner, 0, bytes);
            }
            if let Some(heir) = heir {
                note(changes, heir, bytes, 0);
            }
        }
    }

    /// The sums alone.
    pub(super) fn book(&mut self, bytes: u64, before: Option<Content>, after: Option<Content>) {
        if before.is_some_and(Content::is_committed) {
            self.committed -= bytes;
        }
        if after.is_some_and(Content::is_committed) {
            self.committed += bytes;
        }
        if before == Some(Content::Released) {
            self.released -= bytes;
        }
        if after == Some(Content::Released) {
            self.released += bytes;
        }
    }
}

/// Adds to the last change if that is the same owner's: an operation on many ranges of one owner
/// is one change.
fn note(changes: &mut Vec<Change>, owner: Owner, committed: u64, freed: u64) {
    match changes.last_mut() {
        Some(last) if last.owner == owner => {
            last.committed += committed;
            last.freed += freed;
        }
        _ => changes.push(Change {
            owner,
            committed,
            freed,
        }),
    }
}
