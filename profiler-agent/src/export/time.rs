//! The agent counts in boot time, which no one can set; answers are in wall clock time.

use profiler_query::answer::Clocks;
use rustix::time::{ClockId, clock_gettime};

use crate::ids::BootTime;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine.
    System,
    /// A test: now, and what to add to boot time to get wall clock time, in nanoseconds.
    Fixed {
        /// Now.
        now: BootTime,
        /// Wall clock less boot time.
        offset: i128,
    },
}

impl Clock {
    pub(crate) fn read(self) -> Clocks {
        match self {
            Self::Fixed { now, offset } => Clocks { now, offset },
            Self::System => {
                let boot = nanoseconds(ClockId::Boottime);
                Clocks {
                    now: BootTime(u64::try_from(boot).unwrap_or(0)),
                    offset: nanoseconds(ClockId::Realtime) - boot,
                }
            }
        }
    }
}

fn nanoseconds(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_been_up_for_a_while() {
        let clocks = Clock::System.read();
        assert!(clocks.now > BootTime(0));
        assert!(clocks.to_wall(clocks.now).seconds > 1_600_000_000);
    }
}
