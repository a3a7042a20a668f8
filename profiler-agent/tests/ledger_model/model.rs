//! The same rules as the ledger's, played page by page: slow, plain, and written apart from it.

use std::fmt::Write as _;

use profiler_agent::event::{Backing, Operation};
use profiler_agent::ledger::{AddressSpace, Cause, Outcome, Owner};

/// Bytes of a page.
pub(crate) const PAGE: u64 = 4096;
/// Pages of the window in which everything happens.
pub(crate) const PAGES: usize = 64;
/// The window's first address.
pub(crate) const BASE: u64 = 0x7f12_3456_0000;

/// One mapped page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) backing: Backing,
    pub(crate) writable: bool,
    pub(crate) released: bool,
    /// Only of what is live.
    pub(crate) owner: Option<Owner>,
    /// Where shmat put the first page of the segment; 0 for all but shared memory.
    pub(crate) base: i64,
}

impl Page {
    fn new(backing: Backing, writable: bool, base: usize, owner: Owner) -> Self {
        let mut page = Self {
            backing,
            writable,
            released: false,
            owner: None,
            base: 0,
        };
        if backing == Backing::Shared {
            page.base = base as i64;
        }
        if page.is_committed() {
            page.owner = Some(owner);
        }
        page
    }

    pub(crate) fn is_committed(&self) -> bool {
        self.backing == Backing::Anonymous && self.writable
    }

    fn protect(&mut self, writable: bool, owner: Owner) {
        let was = self.is_committed();
        self.writable = writable;
        if self.is_committed() && !was {
            self.owner = Some(owner);
        }
        if !self.is_committed() {
            self.owner = None;
            self.released = false;
        }
    }

    fn release(&mut self) {
        if self.is_committed() {
            self.owner = None;
            self.released = true;
        }
    }

    fn grown(mut self, owner: Owner) -> Self {
        if self.is_committed() {
            self.owner = Some(owner);
            self.released = false;
        }
        self
    }

    fn moved(mut self, distance: i64) -> Self {
        if self.backing == Backing::Shared {
            self.base += distance;
        }
        self
    }
}

/// Where the heap is thought to end.
#[derive(Clone, Copy, Debug)]
enum Break {
    Unknown,
    Empty,
    At(Option<usize>, usize),
}

/// An address space of [`PAGES`] pages.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) pages: [Option<Page>; PAGES],
    brk: Break,
}

fn index(address: u64) -> usize {
    ((address - BASE) / PAGE) as usize
}

fn count(length: u64) -> usize {
    (length / PAGE) as usize
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            pages: [None; PAGES],
            brk: Break::Unknown,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.pages = [None; PAGES];
        self.brk = Break::Empty;
    }

    pub(crate) fn apply(&mut self, operation: &Operation, owner: Owner) -> Outcome {
        match *operation {
            Operation::Map {
                start,
                length,
                backing,
                writable,
            } => {
                for at in index(start)..index(start) + count(length) {
                    self.pages[at] = Some(Page::new(backing, writable, index(start), owner));
                }
            }
            Operation::Unmap { start, length } => {
                self.pages[index(start)..index(start) + count(length)].fill(None);
            }
            Operation::Detach { start } => self.detach(index(start)),
            Operation::Remap {
                old_start,
                old_length,
                new_start,
                new_length,
                keep_old,
            } => {
                let old = (index(old_start), count(old_length));
                let new = (index(new_start), count(new_length));
                return self.remap(old, new, keep_old, owner);
            }
            Operation::Break { start, end } => {
                return self.set_break(index(start), index(end), owner);
            }
            Operation::Protect {
                start,
                length,
                writable,
            } => {
                for at in index(start)..index(start) + count(length) {
                    if let Some(page) = &mut self.pages[at] {
                        page.protect(writable, owner);
                    }
                }
            }
            Operation::Release { start, length } => {
                for at in index(start)..index(start) + count(length) {
                    if let Some(page) = &mut self.pages[at] {
                        page.release();
                    }
                }
            }
            Operation::Suspect { .. } => return Outcome::Suspect,
        }
        Outcome::Settled
    }

    fn detach(&mut self, start: usize) {
        for slot in &mut self.pages[start..] {
            match slot {
                None => {}
                Some(page) if page.backing == Backing::Shared && page.base == start as i64 => {
                    *slot = None;
                }
                Some(_) => return,
            }
        }
    }

    fn set_break(&mut self, start: usize, end: usize, owner: Owner) -> Outcome {
        let before = match self.brk {
            Break::Unknown => None,
            Break::Empty => Some(start),
            Break::At(Some(other), _) if other != start => None,
            Break::At(_, end) if end < start => None,
            Break::At(_, end) => Some(end),
        };
        self.brk = Break::At(Some(start), end);
        let Some(before) = before else {
            return Outcome::Suspect;
        };
        if before <= end {
            let page = Page::new(Backing::Anonymous, true, 0, owner);
            self.pages[before..end].fill(Some(page));
        } else {
            self.pages[end..before].fill(None);
        }
        Outcome::Settled
    }

    fn remap(
        &mut self,
        (old, old_count): (usize, usize),
        (new, new_count): (usize, usize),
        keep_old: bool,
        owner: Owner,
    ) -> Outcome {
        let distance = new as i64 - old as i64;
        if old_count == 0 {
            let Some(page) = self.pages[old].filter(|page| page.backing == Backing::Shared) else {
                return Outcome::Suspect;
            };
            self.pages[new..new + new_count].fill(Some(page.moved(distance)));
            return Outcome::Settled;
        }
        let source = self.pages[old..old + old_count].to_vec();
        let last = source.iter().rev().copied().find_map(|page| page);
        let kept = old_count.min(new_count);
        let in_place = old == new;
        if in_place {
            self.pages[old + kept..old + old_count].fill(None);
            if new_count <= old_count {
                return Outcome::Settled;
            }
        }
        let Some(last) = last else {
            return Outcome::Suspect;
        };
        if !in_place {
            for at in old..old + old_count {
                match &mut self.pages[at] {
                    Some(page) if keep_old && at < old + kept => page.release(),
                    slot => *slot = None,
                }
            }
            for (step, page) in source.iter().take(kept).enumerate() {
                // A gap moves nothing.
                if let Some(page) = page {
                    self.pages[new + step] = Some(page.moved(distance));
                }
            }
        }
        let grown = last.grown(owner).moved(distance);
        self.pages[new + kept..new + new_count].fill(Some(grown));
        Outcome::Settled
    }

    /// A reading of `maps`: keeps what is known of pages that are committed on both sides.
    pub(crate) fn reconcile(&mut self, truth: &Self, owner: Owner) {
        for (known, truth) in self.pages.iter_mut().zip(&truth.pages) {
            let both = known.is_some_and(|page| page.is_committed())
                && truth.is_some_and(|page| page.is_committed());
            if !both {
                *known = truth.map(|page| Page {
                    owner: page.is_committed().then_some(owner),
                    released: false,
                    ..page
                });
            }
        }
        let heap = (0..PAGES).rev().find(|&at| truth.is_heap(at));
        self.brk = heap.map_or(Break::Empty, |at| Break::At(None, at + 1));
    }

    fn is_heap(&self, at: usize) -> bool {
        let Break::At(start, end) = self.brk else {
            return false;
        };
        let inside = start.is_none_or(|start| start <= at) && at < end;
        inside && self.pages[at].is_some_and(|page| page.backing == Backing::Anonymous)
    }

    /// As `/proc/PID/maps` shows it, page by page.
    pub(crate) fn maps(&self) -> String {
        let mut text = String::new();
        for (at, page) in self.pages.iter().enumerate() {
            let Some(page) = page else { continue };
            let start = BASE + at as u64 * PAGE;
            let write = if page.writable { 'w' } else { '-' };
            let shared = if page.backing == Backing::Shared {
                's'
            } else {
                'p'
            };
            let (offset, inode, name) = match page.backing {
                Backing::Anonymous if self.is_heap(at) => (0, 0, "[heap]"),
                Backing::Anonymous => (0, 0, ""),
                Backing::File => (0, 77, "/usr/lib/libc.so.6"),
                Backing::Shared => ((at as i64 - page.base) as u64 * PAGE, 9, "/SYSV00000000"),
            };
            writeln!(
                text,
                "{start:x}-{:x} r{write}-{shared} {offset:08x} 00:01 {inode} {name}",
                start + PAGE
            )
            .expect("a string takes everything");
        }
        // Only an anonymous mapping has no file, and that is device 00:00.
        text.replace("00:01 0 ", "00:00 0 ")
    }

    /// What the ledger holds, page by page. Where shared memory is attached it does not tell.
    pub(crate) fn of(space: &AddressSpace) -> [Option<Page>; PAGES] {
        let mut pages = [None; PAGES];
        let mut last_end = 0;
        for range in space.ranges() {
            assert!(range.start >= last_end && range.start < range.end);
            last_end = range.end;
            pages[index(range.start)..index(range.end)].fill(Some(Page {
                backing: range.backing,
                writable: range.writable,
                released: range.released,
                owner: range.live.map(|(owner, _)| owner),
                base: 0,
            }));
        }
        pages
    }

    /// The pages as [`Self::of`] tells them.
    pub(crate) fn visible(&self) -> [Option<Page>; PAGES] {
        self.pages
            .map(|page| page.map(|page| Page { base: 0, ..page }))
    }

    /// Which pages are committed.
    pub(crate) fn committed(pages: &[Option<Page>; PAGES]) -> [bool; PAGES] {
        pages.map(|page| page.is_some_and(|page| page.is_committed()))
    }
}

/// Who does the step `number` of a sequence.
pub(crate) fn cause(owner: Owner, number: usize) -> Cause {
    Cause {
        thread: 7,
        owner,
        time: profiler_agent::ids::BootTime(1_000_000 + number as u64 * 10),
    }
}
