//! Where a server's memory comes from.

use std::collections::BTreeMap;

/// Pages of memory that is mapped.
const PAGE: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// Mapped and unmapped.
    Mapped,
    /// By an allocator that keeps what is freed, and grows by so many bytes at least.
    Allocator(u64),
    /// By an allocator that keeps what is freed for blocks of the same class of sizes alone.
    Classes,
}

/// Memory, and what of it is free.
pub(super) struct Heap {
    memory: Memory,
    /// Bytes that any block may have.
    free: u64,
    /// Blocks by class.
    blocks: BTreeMap<u64, u64>,
}

impl Heap {
    pub(super) fn new(memory: Memory, free: u64) -> Self {
        Self {
            memory,
            free,
            blocks: BTreeMap::new(),
        }
    }

    /// Bytes by which the process grows for a block.
    pub(super) fn allocate(&mut self, size: u64) -> u64 {
        match self.memory {
            Memory::Mapped => size.next_multiple_of(PAGE),
            Memory::Allocator(least) => {
                let grown = size.saturating_sub(self.free).next_multiple_of(least);
                self.free = self.free + grown - size;
                grown
            }
            Memory::Classes => match self.blocks.get_mut(&class(size)) {
                Some(free) if *free > 0 => {
                    *free -= 1;
                    0
                }
                _ => class(size),
            },
        }
    }

    /// Takes blocks back. Whether they are gone from the process.
    pub(super) fn free(&mut self, blocks: &[u64]) -> bool {
        match self.memory {
            Memory::Mapped => return true,
            Memory::Allocator(_) => self.free += blocks.iter().sum::<u64>(),
            Memory::Classes => {
                for size in blocks {
                    *self.blocks.entry(class(*size)).or_default() += 1;
                }
            }
        }
        false
    }
}

/// Four sizes from each power of two to the next, as many allocators have them.
fn class(size: u64) -> u64 {
    let step = (size.next_power_of_two() / 8).max(PAGE);
    size.next_multiple_of(step)
}
