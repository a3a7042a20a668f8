//! Who committed which part of an address space: exact, and pure (operations in, changes out).
//!
//! *Committed* is what `/proc/PID/smaps` shows as private, writable and without a file. *Live* is
//! the part of it that was not given back with `madvise` since; each live byte has one [`Owner`].
//! Memory that was given back stays committed, as the kernel says, and nobody's: that it is
//! touched again is not seen here.
//!
//! For every owner, at any time, the sum of what [`Change`]s said was committed less what they
//! said was freed equals what [`AddressSpace::live_by_owner`] says.
//!
//! What changes without a system call that is an event (a stack that grows, `MADV_DONTFORK`,
//! shadow stacks) comes in with [`AddressSpace::reconcile`].

mod bound;
mod heap;
mod operation;
mod range;
mod reconcile;
mod reorder;
mod replay;
mod space;

pub use bound::Folded;
pub use range::RangeView;
pub use reconcile::Drift;
pub use space::AddressSpace;

use crate::{
    connection::Behalf,
    ids::{BootTime, StackId},
};

/// Who committed memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A captured stack.
    Stack {
        /// The stack.
        stack: StackId,
        /// The chance with which it was captured, in units of 2^-32.
        inclusion: u32,
        /// What its thread served.
        behalf: Behalf,
    },
    /// An operation that was seen and whose stack was not captured.
    Unsampled {
        /// What its thread served.
        behalf: Behalf,
    },
    /// An operation whose stack was to be captured, and was lost.
    Lost {
        /// The chance with which it was to be, in units of 2^-32.
        inclusion: u32,
        /// What its thread served.
        behalf: Behalf,
    },
    /// It was there when the agent came.
    PreExisting,
    /// The kernel, loading a program.
    ExecImage,
    /// An operation that was not seen: found in `/proc/PID/maps` only.
    Unattributed,
    /// Several owners, folded to keep the ledger within its bound.
    Folded,
}

impl Owner {
    /// What the thread served that demanded the memory; none where no event did.
    pub fn behalf(self) -> Option<Behalf> {
        match self {
            Self::Stack { behalf, .. } | Self::Unsampled { behalf } | Self::Lost { behalf, .. } => {
                Some(behalf)
            }
            Self::PreExisting | Self::ExecImage | Self::Unattributed | Self::Folded => None,
        }
    }
}

impl Owner {
    /// The same on another's behalf, if it is an event's.
    #[must_use]
    pub fn on_behalf_of(self, behalf: Behalf) -> Self {
        match self {
            Self::Stack {
                stack, inclusion, ..
            } => Self::Stack {
                stack,
                inclusion,
                behalf,
            },
            Self::Unsampled { .. } => Self::Unsampled { behalf },
            Self::Lost { inclusion, .. } => Self::Lost { inclusion, behalf },
            same => same,
        }
    }
}

/// Who does an operation, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Thread id.
    pub thread: u32,
    /// To whom it is put down if it commits memory.
    pub owner: Owner,
    /// When it returned.
    pub time: BootTime,
}

/// Bytes that began or ceased to be live for an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// For whom.
    pub owner: Owner,
    /// Bytes that are live now and were not.
    pub committed: u64,
    /// Bytes that were live and are not now.
    pub freed: u64,
}

/// What an owner has live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Bytes.
    pub bytes: u64,
    /// When the oldest of them was committed.
    pub oldest: BootTime,
    /// When the newest of them was committed.
    pub newest: BootTime,
}

/// Whether the ledger is sure of itself after an operation.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is.
    Settled,
    /// Two threads' operations may have been recorded in the other order (see `reorder`): read
    /// `/proc/PID/maps` soon and [`AddressSpace::reconcile`].
    Ambiguous,
    /// What the operation left is not known from it: the same, at once.
    Suspect,
}

impl Outcome {
    /// The address space has to be read again.
    pub fn needs_reconcile(self) -> bool {
        self != Self::Settled
    }
}

#[cfg(test)]
mod tests;
