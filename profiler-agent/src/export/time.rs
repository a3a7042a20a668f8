//! The agent counts in boot time, which no one can set; answers are in wall clock time. The offset
//! between the two is read anew for each answer, since people and NTP do set the wall clock.

use std::time::Duration;

use pbjson_types::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::ids::BootTime;

const SECOND: i128 = 1_000_000_000;

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

/// The clocks as one answer sees them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// When the question came.
    pub(super) now: BootTime,
    offset: i128,
}

impl Clock {
    pub(super) fn read(self) -> Moment {
        match self {
            Self::Fixed { now, offset } => Moment { now, offset },
            Self::System => {
                let boot = nanoseconds(ClockId::Boottime);
                Moment {
                    now: BootTime(u64::try_from(boot).unwrap_or(0)),
                    offset: nanoseconds(ClockId::Realtime) - boot,
                }
            }
        }
    }
}

impl Moment {
    pub(super) fn to_wall(self, time: BootTime) -> Timestamp {
        let wall = i128::from(time.0) + self.offset;
        Timestamp {
            seconds: wall.div_euclid(SECOND).try_into().unwrap_or(i64::MAX),
            nanos: wall.rem_euclid(SECOND) as i32,
        }
    }

    /// Times before boot come out as boot.
    pub(super) fn to_boot(self, wall: &Timestamp) -> BootTime {
        let wall = i128::from(wall.seconds) * SECOND + i128::from(wall.nanos);
        let boot = (wall - self.offset).clamp(0, u64::MAX.into());
        BootTime(boot as u64)
    }
}

/// From `earlier` to `later`, in seconds; 0 if they are the other way round.
pub(super) fn seconds_between(earlier: BootTime, later: BootTime) -> f64 {
    Duration::from_nanos(later.0.saturating_sub(earlier.0)).as_secs_f64()
}

/// For messages: RFC 3339 with milliseconds.
pub(super) fn display(wall: &Timestamp) -> String {
    // The JSON mapping of a timestamp is RFC 3339.
    let nanos = wall.nanos / 1_000_000 * 1_000_000;
    let rounded = Timestamp {
        seconds: wall.seconds,
        nanos,
    };
    match serde_json::to_value(rounded) {
        Ok(serde_json::Value::String(text)) => text.replace("+00:00", "Z"),
        _ => format!("second {} of the Unix era", wall.seconds),
    }
}

fn nanoseconds(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * SECOND + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_and_back() {
        let moment = Clock::Fixed {
            now: BootTime(0),
            offset: 1_700_000_000 * SECOND + 5,
        }
        .read();
        for nanoseconds in [0, 1, 999_999_999, 12_345_678_901_234] {
            let time = BootTime(nanoseconds);
            assert_eq!(moment.to_boot(&moment.to_wall(time)), time);
        }
        let before_boot = Timestamp {
            seconds: -5,
            nanos: 0,
        };
        assert_eq!(moment.to_boot(&before_boot), BootTime(0));
        let far = Timestamp {
            seconds: i64::MAX,
            nanos: i32::MAX,
        };
        assert_eq!(moment.to_boot(&far), BootTime(u64::MAX));
        let time = moment.to_wall(BootTime(1_500_000_000));
        assert_eq!(display(&time), "2023-11-14T22:13:21.500Z");
        display(&far);
    }

    #[test]
    fn the_machine_has_been_up_for_a_while() {
        let moment = Clock::System.read();
        assert!(moment.now > BootTime(0));
        assert!(moment.to_wall(moment.now).seconds > 1_600_000_000);
    }
}
