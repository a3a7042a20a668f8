//! Counting, by CPU.

use crate::maps::COUNTERS;

/// Adds one to a counter of `profiler_common::counter`.
#[inline(always)]
pub fn count(index: u32) {
    if let Some(value) = COUNTERS.get_ptr_mut(index) {
        // SAFETY: a pointer into this CPU's copy, which only this CPU writes.
        unsafe { *value += 1 };
    }
}
