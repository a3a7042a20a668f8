//! What the owner of the ledgers has to do about an event. Plain values, in order.

use super::life::{Policy, Process, SpaceId};
use crate::ids::ProcessHandle;

/// Why a ledger has to be brought in line with `/proc/PID/maps`, which tells who owns what is
/// found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The process was there before it was observed.
    PreExisting,
    /// execve has set the space up.
    ExecImage,
    /// Events were lost.
    Unattributed,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Start an empty ledger.
    NewSpace {
        /// Its name.
        space: SpaceId,
        /// An execve has just made it: nothing was mapped in it by system calls yet.
        fresh: bool,
    },
    /// The child of a fork starts with what its parent has at this point of the event stream.
    CloneSpace {
        /// The parent's.
        from: SpaceId,
        /// The child's.
        to: SpaceId,
    },
    /// Read `/proc/PID/maps` and bring the ledger in line; then call `ProcessTable::reconciled`.
    Reconcile {
        /// Whose maps.
        pid: u32,
        /// Its life.
        process: ProcessHandle,
        /// The ledger.
        space: SpaceId,
        /// Who owns what is found.
        why: Why,
    },
    /// Nobody uses this address space any more: everything in it is freed.
    DropSpace {
        /// Its name.
        space: SpaceId,
    },
    /// Tell the kernel programs.
    SetPolicy {
        /// The process.
        pid: u32,
        /// What to do with its operations.
        policy: Policy,
    },
    /// What the process belongs to is known now, or has changed.
    Moved {
        /// The process.
        process: ProcessHandle,
    },
    /// This life is over, by exec or exit. Follows the `DropSpace` of its space.
    Ended(Box<Process>),
    /// No process has this pid any more: forget its policy.
    Gone {
        /// The pid.
        pid: u32,
    },
}
