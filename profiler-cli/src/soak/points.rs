//! Readings for a plot, within a bound.

use std::time::Duration;

use serde::Serialize;

/// Points of a plot.
const MOST: u32 = 480;

/// Readings of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Point {
    /// The last of them, in seconds since the soak began.
    pub(crate) seconds: f64,
    pub(crate) min_bytes: u64,
    pub(crate) max_bytes: u64,
    /// 0: none.
    pub(crate) limit_bytes: u64,
}

/// All of them, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Points {
    stretch: Duration,
    all: Vec<Point>,
}

impl Points {
    pub(super) fn over(duration: Duration) -> Self {
        Self {
            stretch: duration / MOST,
            all: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, at: Duration, bytes: u64, limit: u64) {
        let seconds = at.as_secs_f64();
        let stretch = self.stretch.as_secs_f64().max(1e-3);
        match self.all.last_mut() {
            Some(last) if (last.seconds / stretch) as u64 == (seconds / stretch) as u64 => {
                last.seconds = seconds;
                last.min_bytes = last.min_bytes.min(bytes);
                last.max_bytes = last.max_bytes.max(bytes);
                last.limit_bytes = limit;
            }
            _ => self.all.push(Point {
                seconds,
                min_bytes: bytes,
                max_bytes: bytes,
                limit_bytes: limit,
            }),
        }
    }

    pub(super) fn all(&self) -> &[Point] {
        &self.all
    }
}
