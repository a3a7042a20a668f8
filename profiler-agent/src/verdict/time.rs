//! The clock of series: the boot clock, moved by what makes it the wall clock's when series began to
//! be kept on this boot. It goes on steadily within a boot, and from one boot to the next its times
//! stay in order.

use pbjson_types::Timestamp;
use profiler_query::answer::Clocks;
use serde::{Deserialize, Serialize};

use crate::ids::BootTime;

/// Series time less boot time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base(i64);

impl Base {
    /// For a boot on which nothing was kept before.
    pub(super) fn new(clocks: Clocks) -> Self {
        Self(i64::try_from(clocks.offset).unwrap_or(0))
    }

    pub(super) fn to_series(self, time: BootTime) -> u64 {
        time.0.saturating_add_signed(self.0)
    }

    /// Of this boot; earlier ones come out before its beginning, as far as that can be said.
    pub(super) fn to_wall(self, time: u64, clocks: Clocks) -> Timestamp {
        let of_boot = Clocks {
            offset: clocks.offset - i128::from(self.0),
            ..clocks
        };
        of_boot.to_wall(BootTime(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_boot_before_stay_before_and_become_wall_clock_time() {
        let clocks = |boot: u64, offset| Clocks {
            now: BootTime(boot),
            offset,
        };
        let before = Base::new(clocks(900, 1_000));
        let after = Base::new(clocks(5, 2_000));
        let old = before.to_series(BootTime(900));
        let new = after.to_series(BootTime(5));
        assert!(old < new);
        // The wall clock is set meanwhile: what is of this boot moves with it.
        let wall = after.to_wall(new, clocks(6, 2_500));
        assert_eq!((wall.seconds, wall.nanos), (0, 2_505));
    }
}
