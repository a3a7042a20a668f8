//! A mount namespace of the agent's own.

use rustix::io::Result;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Leaves the mount namespace of the caller for a copy. Affects this thread and those that it
/// starts.
#[expect(
    unsafe_code,
    reason = "rustix marks every unshare unsafe, for the sake of CLONE_FILES"
)]
pub(super) fn unshare_mounts() -> Result<()> {
    // SAFETY: the danger is in `FILES` alone, with which a thread no longer sees descriptors that
    // others open; `NEWNS` leaves the descriptor table as it is.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
}
