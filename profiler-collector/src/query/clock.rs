//! Where the time comes from.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::store::WallTime;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine.
    System,
    /// A test.
    Fixed(WallTime),
}

impl Clock {
    /// Now.
    pub fn now(self) -> WallTime {
        match self {
            Self::Fixed(now) => now,
            Self::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                WallTime(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
            }
        }
    }
}
