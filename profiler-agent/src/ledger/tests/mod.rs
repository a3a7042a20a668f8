//! One test a rule; `tests/ledger_model` plays them all at random.

mod bound;
mod operations;
mod reconcile;
mod reorder;

use super::*;
use crate::connection::Behalf;
use crate::event::{Backing, Operation};
use crate::process::maps;

const K: u64 = 4096;
const A: Owner = Owner::Stack {
    stack: StackId(1),
    inclusion: u32::MAX,
    behalf: Behalf::NOBODY,
};
const B: Owner = Owner::Stack {
    stack: StackId(2),
    inclusion: 7,
    behalf: Behalf::NOBODY,
};

/// An address space, with what every operation said of it.
struct Play {
    space: AddressSpace,
    thread: u32,
    time: u64,
    changes: Vec<Change>,
}

fn play() -> Play {
    let mut play = Play {
        space: AddressSpace::new(),
        thread: 1,
        time: 1_000_000_000,
        changes: Vec::new(),
    };
    play.space.clear(&mut play.changes);
    play
}

impl Play {
    fn run(&mut self, owner: Owner, operation: Operation) -> Outcome {
        self.changes.clear();
        self.time += 1;
        let cause = Cause {
            thread: self.thread,
            owner,
            time: BootTime(self.time),
        };
        self.space.apply(&operation, cause, &mut self.changes)
    }

    fn settled(&mut self, owner: Owner, operation: Operation) {
        assert_eq!(self.run(owner, operation), Outcome::Settled);
    }

    fn reconcile(&mut self, text: &str) -> Drift {
        self.changes.clear();
        self.time += 1;
        let parsed = maps::parse(text.as_bytes());
        assert_eq!(parsed.rejected, 0);
        self.space.reconcile(
            &parsed.entries,
            Owner::Unattributed,
            BootTime(self.time),
            &mut self.changes,
        )
    }

    /// Pages live for an owner.
    fn live(&self, owner: Owner) -> u64 {
        let owners = self.space.live_by_owner();
        owners.get(&owner).map_or(0, |live| live.bytes / K)
    }

    /// Pages committed and released.
    fn sums(&self) -> (u64, u64) {
        (
            self.space.committed_bytes() / K,
            self.space.released_bytes() / K,
        )
    }

    /// The ranges in pages: start, end, and `L`ive, r`E`leased, r`R`eserved, `F`ile or `S`hared.
    fn layout(&self) -> String {
        let mut text = String::new();
        for range in self.space.ranges() {
            let letter = match (range.backing, range.live, range.released) {
                (Backing::Anonymous, Some(_), _) => 'L',
                (Backing::Anonymous, None, true) => 'E',
                (Backing::Anonymous, None, false) => 'R',
                (Backing::File, ..) => 'F',
                (Backing::Shared, ..) => 'S',
            };
            text += &format!("{letter}{}-{} ", range.start / K, range.end / K);
        }
        text.trim_end().to_owned()
    }
}

fn map(start: u64, pages: u64, backing: Backing, writable: bool) -> Operation {
    Operation::Map {
        start: start * K,
        length: pages * K,
        backing,
        writable,
    }
}

fn anonymous(start: u64, pages: u64) -> Operation {
    map(start, pages, Backing::Anonymous, true)
}

fn unmap(start: u64, pages: u64) -> Operation {
    Operation::Unmap {
        start: start * K,
        length: pages * K,
    }
}

fn protect(start: u64, pages: u64, writable: bool) -> Operation {
    Operation::Protect {
        start: start * K,
        length: pages * K,
        writable,
    }
}

fn release(start: u64, pages: u64) -> Operation {
    Operation::Release {
        start: start * K,
        length: pages * K,
    }
}

fn set_break(start: u64, end: u64) -> Operation {
    Operation::Break {
        start: start * K,
        end: end * K,
    }
}

fn remap((old, old_pages): (u64, u64), (new, new_pages): (u64, u64), keep_old: bool) -> Operation {
    Operation::Remap {
        old_start: old * K,
        old_length: old_pages * K,
        new_start: new * K,
        new_length: new_pages * K,
        keep_old,
    }
}

fn change(owner: Owner, committed: u64, freed: u64) -> Change {
    Change {
        owner,
        committed: committed * K,
        freed: freed * K,
    }
}
