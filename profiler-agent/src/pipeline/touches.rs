//! From a touch of a page to the row of who touched it first.

use std::collections::VecDeque;

use profiler_common::sampling::PAGE;

use super::{
    Pipeline, SECOND, clock,
    folio::{Folios, Mapped},
};
use crate::{
    event::{Captured, TouchEvent},
    ids::BootTime,
    process::{Place, SpaceId},
    profile::OwnerKey,
    touch::Toucher,
};

/// From a fault to the look at what it mapped: a huge page takes a while to be filled with zeros.
const MAPPED_AFTER: u64 = SECOND / 20;
/// Most faults that wait for that look.
const WAITING_MAX: usize = 65_536;
/// Looks in one turn at the most.
const LOOKS_PER_TURN: usize = 128;

/// Faults of which it is not known yet how many pages they mapped.
#[derive(Debug)]
pub(super) struct Unsized {
    folios: Folios,
    waiting: VecDeque<Fault>,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    time: BootTime,
    pid: u32,
    space: SpaceId,
    address: u64,
}

impl Unsized {
    pub(super) fn new() -> Self {
        Self {
            folios: Folios::open(),
            waiting: VecDeque::new(),
        }
    }

    fn next(&mut self, now: BootTime) -> Option<Fault> {
        let first = self.waiting.front()?;
        let due = first.time.0.saturating_add(MAPPED_AFTER) <= now.0;
        due.then(|| self.waiting.pop_front()).flatten()
    }
}

impl Pipeline {
    /// Memory that is not private, anonymous and writable does not count, nor what the ledger knows
    /// nothing of.
    pub(super) fn touch(&mut self, event: &TouchEvent) {
        let place = self.table.locate(&event.origin, &mut self.steps);
        self.carry_out();
        let owner = self.toucher(event);
        let Place::Space { process, space } = place else {
            return;
        };
        if self.spaces.answers(space).is_none() {
            self.introduce(process, space);
        }
        if !self.spaces.counts_touches_at(space, event.address) {
            return;
        }
        let toucher = Toucher {
            owner,
            inclusion: event.inclusion,
        };
        let range = (event.address, event.address + event.bytes.unwrap_or(PAGE));
        let first = self.spaces.touch(space, range, toucher, &mut self.books);
        if first && event.bytes.is_none() {
            self.size_later(event, space);
        }
    }

    fn toucher(&mut self, event: &TouchEvent) -> OwnerKey {
        let Captured::Yes(number) = event.capture else {
            return OwnerKey::Unattributed;
        };
        let stack = self.capture(event.origin.tid, number).flatten();
        stack.map_or(OwnerKey::Unattributed, OwnerKey::Stack)
    }

    fn size_later(&mut self, event: &TouchEvent, space: SpaceId) {
        if self.unsized_faults.waiting.len() >= WAITING_MAX {
            self.losses.touch_sizes_unknown += 1;
            return;
        }
        self.unsized_faults.waiting.push_back(Fault {
            time: event.origin.time,
            pid: event.origin.pid,
            space,
            address: event.address,
        });
    }

    /// Looks at what faults mapped that happened a moment ago.
    pub(super) fn size_touches(&mut self) {
        for _ in 0..LOOKS_PER_TURN {
            let now = clock::now();
            let Some(fault) = self.unsized_faults.next(now) else {
                return;
            };
            match self.unsized_faults.folios.around(fault.pid, fault.address) {
                Mapped::Range(start, end) => {
                    let range = (start, end);
                    let books = &mut self.books;
                    self.spaces.widen(fault.space, fault.address, range, books);
                }
                // What is gone, or swapped out, counts as it does.
                Mapped::Absent => {}
                Mapped::Unknown => self.losses.touch_sizes_unknown += 1,
            }
            self.charge(fault.pid, now);
        }
    }

    /// A process is no longer followed: what becomes of its pages would not be seen.
    pub(super) fn forget_pages(&mut self, pid: u32) {
        let space = self.table.get(pid).and_then(|process| process.space);
        if let Some(space) = space {
            self.spaces.forget_pages(space, &mut self.books);
        }
    }
}
