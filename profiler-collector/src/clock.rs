//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::store::WallTime;

/// Now.
pub fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = since.map(|since| since.as_nanos()).unwrap_or_default();
    WallTime(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}
