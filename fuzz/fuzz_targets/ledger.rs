//! Any operations in any order: the sums of the ledger stay those of its ranges.
#![no_main]

use std::collections::HashMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use profiler_agent::connection::Behalf;
use profiler_agent::event::{Event, decode};
use profiler_agent::ids::{BootTime, StackId};
use profiler_agent::ledger::{AddressSpace, Cause, Change, Owner};
use profiler_agent::process::maps::{Mapping, Permissions};

/// A place where things meet, or any address.
#[derive(Arbitrary, Debug)]
enum Address {
    Page(u8),
    Any(u64),
}

impl Address {
    fn value(&self) -> u64 {
        match *self {
            Self::Page(page) => u64::from(page) * 4096,
            Self::Any(address) => address,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Record {
    operation: u8,
    address: Address,
    length: Address,
    extra: Address,
    result: Address,
    protection: u32,
    flags: u32,
}

impl Record {
    /// As the kernel programs write it.
    fn bytes(&self, time: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(80);
        bytes.extend(1_u16.to_le_bytes());
        bytes.extend(u16::from(self.operation % 10).to_le_bytes());
        bytes.extend(7_u32.to_le_bytes());
        bytes.extend(time.to_le_bytes());
        bytes.extend([0; 16]);
        for word in [&self.result, &self.address, &self.length, &self.extra] {
            bytes.extend(word.value().to_le_bytes());
        }
        bytes.extend(self.protection.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend([0; 8]);
        bytes
    }
}

#[derive(Arbitrary, Debug)]
struct Line {
    start: Address,
    end: Address,
    write: bool,
    shared: bool,
    file: bool,
    heap: bool,
}

impl Line {
    fn mapping(&self) -> Option<Mapping<'static>> {
        let (start, end) = (self.start.value(), self.end.value());
        (start < end).then_some(Mapping {
            start,
            end,
            permissions: Permissions {
                read: true,
                write: self.write,
                execute: false,
                shared: self.shared,
            },
            offset: 0,
            device: (0, 0),
            inode: u64::from(self.file),
            name: if self.heap { b"[heap]" } else { b"" },
        })
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Event(Record, u8, u8),
    /// Later than the next events' time, perhaps.
    Reconcile(Vec<Line>, u8),
    Clear,
    Fork,
}

fn owner(number: u8) -> Owner {
    match number % 6 {
        0 => Owner::Unsampled {
            behalf: Behalf::NOBODY,
        },
        1 => Owner::PreExisting,
        2 => Owner::Folded,
        stack => Owner::Stack {
            stack: StackId(u32::from(stack)),
            inclusion: u32::MAX,
            behalf: Behalf::NOBODY,
        },
    }
}

#[derive(Default)]
struct Books {
    /// Committed less freed.
    sums: HashMap<Owner, i128>,
}

impl Books {
    fn enter(&mut self, changes: &mut Vec<Change>) {
        for change in changes.drain(..) {
            let sum = self.sums.entry(change.owner).or_default();
            *sum += i128::from(change.committed) - i128::from(change.freed);
        }
    }

    fn check(&self, space: &AddressSpace) {
        let owners = space.live_by_owner();
        for (owner, sum) in &self.sums {
            let live = owners.get(owner).map_or(0, |live| i128::from(live.bytes));
            assert_eq!(*sum, live, "{owner:?}");
        }
        let live: i128 = owners.values().map(|live| i128::from(live.bytes)).sum();
        assert_eq!(self.sums.values().sum::<i128>(), live);
        let (mut committed, mut released, mut below) = (0, 0, 0);
        for range in space.ranges() {
            assert!(below <= range.start && range.start < range.end);
            below = range.end;
            let bytes = range.end - range.start;
            released += if range.released { bytes } else { 0 };
            committed += if range.released || range.live.is_some() {
                bytes
            } else {
                0
            };
        }
        assert_eq!(space.committed_bytes(), committed);
        assert_eq!(space.released_bytes(), released);
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let (mut space, mut books) = (AddressSpace::new(), Books::default());
    let mut changes = Vec::new();
    for (time, step) in steps.iter().enumerate() {
        let time = time as u64 * 10_000_000;
        match step {
            Step::Event(record, number, thread) => {
                let Ok(Event::Vm(event)) = decode(&record.bytes(time)) else {
                    continue;
                };
                let cause = Cause {
                    thread: u32::from(thread % 4),
                    owner: owner(*number),
                    time: event.origin.time,
                };
                let _ = space.apply(&event.operation, cause, &mut changes);
            }
            Step::Reconcile(lines, ahead) => {
                let mappings: Vec<_> = lines.iter().filter_map(Line::mapping).collect();
                let time = BootTime(time + u64::from(*ahead) * 1_000_000);
                let _ = space.reconcile(&mappings, Owner::Unattributed, time, &mut changes);
            }
            Step::Clear => space.clear(&mut changes),
            Step::Fork => space = space.clone(),
        }
        books.enter(&mut changes);
        books.check(&space);
    }
});
