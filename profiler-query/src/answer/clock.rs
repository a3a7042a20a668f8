//! Snapshots count in one clock, answers are in wall clock time. On an agent the offset between the
//! two is read anew for each answer, since people and NTP do set the wall clock; a collector's
//! snapshots are in wall clock time already.

use std::time::Duration;

use pbjson_types::Timestamp;

use crate::ids::BootTime;

const SECOND: i128 = 1_000_000_000;

/// The clocks as one answer sees them.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// When the question came, on the clock of the snapshots.
    pub now: BootTime,
    /// Wall clock less that clock, in nanoseconds.
    pub offset: i128,
}

impl Clocks {
    /// For snapshots whose times are nanoseconds since 1970.
    pub fn wall(now: BootTime) -> Self {
        Self { now, offset: 0 }
    }

    /// On the wall clock.
    pub fn to_wall(self, time: BootTime) -> Timestamp {
        let wall = i128::from(time.0) + self.offset;
        Timestamp {
            seconds: wall.div_euclid(SECOND).try_into().unwrap_or(i64::MAX),
            nanos: wall.rem_euclid(SECOND) as i32,
        }
    }

    /// On the clock of the snapshots. Times before its zero come out as zero.
    pub fn to_boot(self, wall: &Timestamp) -> BootTime {
        let wall = i128::from(wall.seconds) * SECOND + i128::from(wall.nanos);
        let boot = (wall - self.offset).clamp(0, u64::MAX.into());
        BootTime(boot as u64)
    }
}

/// From `earlier` to `later`, in seconds; 0 if they are the other way round.
pub fn seconds_between(earlier: BootTime, later: BootTime) -> f64 {
    Duration::from_nanos(later.0.saturating_sub(earlier.0)).as_secs_f64()
}

/// For messages: RFC 3339 with milliseconds.
pub fn display(wall: &Timestamp) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_and_back() {
        let clocks = Clocks {
            now: BootTime(0),
            offset: 1_700_000_000 * SECOND + 5,
        };
        for nanoseconds in [0, 1, 999_999_999, 12_345_678_901_234] {
            let time = BootTime(nanoseconds);
            assert_eq!(clocks.to_boot(&clocks.to_wall(time)), time);
        }
        let before_boot = Timestamp {
            seconds: -5,
            nanos: 0,
        };
        assert_eq!(clocks.to_boot(&before_boot), BootTime(0));
        let far = Timestamp {
            seconds: i64::MAX,
            nanos: i32::MAX,
        };
        assert_eq!(clocks.to_boot(&far), BootTime(u64::MAX));
        let time = clocks.to_wall(BootTime(1_500_000_000));
        assert_eq!(display(&time), "2023-11-14T22:13:21.500Z");
        display(&far);
    }

    #[test]
    fn without_an_offset_snapshots_are_in_wall_clock_time() {
        let clocks = Clocks::wall(BootTime(0));
        let wall = clocks.to_wall(BootTime(1_700_000_000_250_000_000));
        assert_eq!((wall.seconds, wall.nanos), (1_700_000_000, 250_000_000));
    }
}
