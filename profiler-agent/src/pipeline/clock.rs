//! The clock of the kernel's events.

use rustix::time::{ClockId, clock_gettime};

use crate::ids::BootTime;

/// Now, on `CLOCK_BOOTTIME`.
pub fn now() -> BootTime {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    BootTime(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0))
}
