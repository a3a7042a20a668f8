//! Windows of readings, level by level, each level's twice as long as those of the level below.
//!
//! Windows are aligned to the clock, so that two of a level make exactly one of the next. A window
//! without readings is not there.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Load, Sample};

/// Levels; with a shortest window of a minute the longest is 256 minutes.
pub(super) const LEVELS: usize = 9;
/// Windows that are kept of each level.
pub(super) const KEPT: usize = 24;

/// The shortest length of a window, in nanoseconds: their numbers can then be added to.
const SHORTEST: u64 = 1_000;

/// Smallest and largest reading of a stretch of time, and what was asked in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    /// Its start over its length.
    pub(super) index: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    /// At its last reading; 0: none.
    pub(super) limit: u64,
    /// Shortest windows in it that have readings.
    pub(super) covered: u16,
    /// Means; per second.
    pub(super) bytes: f32,
    pub(super) calls: f32,
    pub(super) open: f32,
}

impl Window {
    /// Takes in the window of a level below that follows.
    fn absorb(&mut self, later: &Self) {
        let (before, after) = (f32::from(self.covered), f32::from(later.covered));
        let mean = |old: f32, new: f32| (old * before + new * after) / (before + after).max(1.0);
        self.bytes = mean(self.bytes, later.bytes);
        self.calls = mean(self.calls, later.calls);
        self.open = mean(self.open, later.open);
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.limit = later.limit;
        self.covered = self.covered.saturating_add(later.covered);
    }

    fn is_sound(&self) -> bool {
        let load = [self.bytes, self.calls, self.open];
        self.min <= self.max
            && self.covered > 0
            && load.iter().all(|mean| mean.is_finite() && *mean >= 0.0)
    }
}

/// The shortest window, while readings come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Filling {
    index: u64,
    min: u64,
    max: u64,
    limit: u64,
    readings: u32,
    /// Received since the reading before each of its readings, and how long that was.
    bytes: f64,
    calls: f64,
    seconds: f64,
    /// Sum over the readings.
    open: f64,
}

impl Filling {
    fn take(&mut self, sample: &Sample, before: Option<&Sample>) {
        self.min = if self.readings == 0 {
            sample.bytes
        } else {
            self.min.min(sample.bytes)
        };
        self.max = self.max.max(sample.bytes);
        self.limit = sample.limit.unwrap_or(0);
        self.readings = self.readings.saturating_add(1);
        self.open += sample.load.open_connections as f64;
        if let Some(before) = before {
            let grown =
                |of: fn(&Load) -> u64| of(&sample.load).saturating_sub(of(&before.load)) as f64;
            self.bytes += grown(|load| load.received_bytes);
            self.calls += grown(|load| load.received_calls);
            self.seconds += sample.time.saturating_sub(before.time) as f64 / 1e9;
        }
    }

    fn window(&self) -> Window {
        let rate = |sum: f64| {
            if self.seconds > 0.0 {
                (sum / self.seconds) as f32
            } else {
                0.0
            }
        };
        Window {
            index: self.index,
            min: self.min,
            max: self.max,
            limit: self.limit,
            covered: 1,
            bytes: rate(self.bytes),
            calls: rate(self.calls),
            open: (self.open / f64::from(self.readings.max(1))) as f32,
        }
    }

    fn is_sound(&self) -> bool {
        let sums = [self.bytes, self.calls, self.seconds, self.open];
        self.min <= self.max && sums.iter().all(|sum| sum.is_finite() && *sum >= 0.0)
    }
}

/// Windows of one length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Level {
    /// Oldest first.
    closed: VecDeque<Window>,
    /// Of two, the first is there.
    half: Option<Window>,
}

/// All levels. The shortest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Pyramid {
    /// Length of the shortest window, in nanoseconds.
    length: u64,
    /// Number of the first window.
    first: Option<u64>,
    filling: Filling,
    levels: Vec<Level>,
}

impl Pyramid {
    pub(super) fn new(length: u64) -> Self {
        Self {
            length: length.max(SHORTEST),
            levels: vec![Level::default(); LEVELS],
            ..Self::default()
        }
    }

    /// Takes in a reading that is later than `before`.
    pub(super) fn push(&mut self, sample: &Sample, before: Option<&Sample>) {
        let index = sample.time / self.length.max(SHORTEST);
        if self.first.is_some() && index != self.filling.index {
            self.close(0, self.filling.window());
        }
        if self.first.is_none() || index != self.filling.index {
            self.filling = Filling {
                index,
                ..Filling::default()
            };
        }
        self.first.get_or_insert(index);
        self.filling.take(sample, before);
    }

    /// Keeps a window that is complete, and hands it to the level above.
    fn close(&mut self, level: usize, window: Window) {
        let Some(here) = self.levels.get_mut(level) else {
            return;
        };
        if here.closed.len() >= KEPT {
            here.closed.pop_front();
        }
        here.closed.push_back(window);
        let above = level + 1;
        let mut up = Window {
            index: window.index / 2,
            ..window
        };
        if let Some(mut half) = self
            .levels
            .get_mut(above)
            .and_then(|level| level.half.take())
        {
            if half.index == up.index {
                half.absorb(&window);
                up = half;
            } else {
                self.close(above, half);
            }
        }
        if window.index % 2 == 1 {
            self.close(above, up);
        } else if let Some(waits) = self.levels.get_mut(above) {
            waits.half = Some(up);
        }
    }

    /// Length of a level's windows, in nanoseconds.
    pub(super) fn length(&self, level: usize) -> u64 {
        self.length
            .max(SHORTEST)
            .saturating_mul(1 << level.min(LEVELS))
    }

    /// Windows of a level that are complete, oldest first.
    pub(super) fn windows(&self, level: usize) -> impl DoubleEndedIterator<Item = &Window> + Clone {
        self.levels
            .get(level)
            .into_iter()
            .flat_map(|level| &level.closed)
    }

    /// The shortest window, which is not complete; none before the first reading.
    pub(super) fn filling(&self) -> Option<Window> {
        self.first.map(|_| self.filling.window())
    }

    /// Number of the first window of a level; none before the first reading.
    pub(super) fn first(&self, level: usize) -> Option<u64> {
        self.first.map(|first| first >> level.min(LEVELS))
    }

    /// The lowest level that still has its first window.
    pub(super) fn whole(&self) -> usize {
        (0..LEVELS)
            .find(|level| {
                self.windows(*level)
                    .next()
                    .is_none_or(|oldest| Some(oldest.index) == self.first(*level))
            })
            .unwrap_or(LEVELS - 1)
    }

    /// The windows that are kept, with their levels, oldest first, without overlap: of each time the
    /// shortest that are left.
    pub(super) fn without_overlap(&self) -> Vec<(usize, Window)> {
        let mut points: Vec<_> = self
            .filling()
            .map(|window| (0, window))
            .into_iter()
            .collect();
        let mut until = self.filling.index;
        for level in 0..LEVELS {
            let oldest = self.windows(level).next().map(|window| window.index);
            // The second of two whose first is gone: the window above has both.
            let torn = oldest.filter(|index| index % 2 == 1 && Some(*index) != self.first(level));
            for window in self.windows(level).rev() {
                let end = (window.index + 1) << level;
                if end <= until && (torn != Some(window.index) || level + 1 == LEVELS) {
                    points.push((level, *window));
                    until = window.index << level;
                }
            }
        }
        points.reverse();
        points
    }

    /// Whether it is one that readings can have made.
    pub(super) fn is_sound(&self) -> bool {
        let bound = self.levels.len() == LEVELS && self.length >= SHORTEST;
        let within = bound && self.filling.index <= u64::MAX / self.length;
        within
            && self.filling.is_sound()
            && self.levels.iter().all(|level| {
                let closed = &level.closed;
                let ordered = closed
                    .iter()
                    .zip(closed.iter().skip(1))
                    .all(|(a, b)| a.index < b.index);
                ordered
                    && closed.len() <= KEPT
                    && closed
                        .iter()
                        .chain(&level.half)
                        .all(|window| window.is_sound() && window.index <= self.filling.index)
            })
    }
}
