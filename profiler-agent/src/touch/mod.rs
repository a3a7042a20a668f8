//! Which sampled pages of an address space are resident, and who touched them first. Pure.
//!
//! A page is here from its first touch until its memory goes back: with an unmapping, a mapping over
//! it, `madvise`, the end of the program. That it is swapped out does not end it. A touch of a page
//! that is here already is none: it is copied after a fork, or swapped in again, or the kernel wants
//! to know which node uses it. What a child has from its parent is nobody's until the child writes to it.

mod pages;
#[cfg(test)]
mod tests;

use profiler_query::model::OwnerKey;

pub use pages::{Pages, Room};

/// Who touched a page first, and with which chance it was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Toucher {
    /// The row that it is booked in.
    pub owner: OwnerKey,
    /// The chance, in units of 2^-32.
    pub inclusion: u32,
}

/// Sampled bytes that became resident, or are no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TouchChange {
    /// Whose.
    pub toucher: Toucher,
    /// They became resident.
    pub came: bool,
    /// Not weighted.
    pub bytes: u64,
}
