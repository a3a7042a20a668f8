//! One series: a pyramid of windows, each level twice as long as the one below.

use serde::{Deserialize, Serialize};

use super::drops::Drops;
use super::judge::{self, Context};
use super::pyramid::Pyramid;
use super::{Judgement, Rules, Sample};

/// Age from which on a life is judged where nothing was learned of it, in shortest windows.
pub(super) const AGE: f64 = 60.0;

/// Readings of one life, in windows. A few KiB for four days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    began: u64,
    /// None before the first reading.
    first: Option<u64>,
    last: Sample,
    /// After the first window of its life, or at the first reading if that was later.
    settled: u64,
    peak: u64,
    pyramid: Pyramid,
    drops: Drops,
}

/// A window, for plots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Its end, in nanoseconds.
    pub time: u64,
    /// Its length, in nanoseconds.
    pub length: u64,
    /// Smallest and largest reading.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// The limit at its end; 0: none.
    pub limit: u64,
    /// Means over the window.
    pub received_bytes_per_second: f64,
    /// The same.
    pub received_calls_per_second: f64,
    /// The same.
    pub open_connections: f64,
}

impl Series {
    /// Of a life that began at `began`, which may be long before the first reading.
    pub fn new(began: u64, rules: &Rules) -> Self {
        Self {
            began,
            pyramid: Pyramid::new(rules.nanoseconds()),
            ..Self::default()
        }
    }

    /// Takes in a reading. One that is not later than the last is passed over.
    pub fn push(&mut self, sample: Sample) {
        if self.first.is_some() && sample.time <= self.last.time {
            return;
        }
        let before = self.first.map(|_| self.last);
        self.pyramid.push(&sample, before.as_ref());
        self.drops.push(sample.time, sample.bytes, &self.pyramid);
        let running_up = self.last.time.saturating_sub(self.began) < self.pyramid.length(0);
        if self.first.is_none() || running_up {
            self.settled = sample.bytes;
        }
        self.peak = self.peak.max(sample.bytes);
        self.first.get_or_insert(sample.time);
        self.last = sample;
    }

    /// The last reading.
    pub fn last(&self) -> &Sample {
        &self.last
    }

    /// The windows that are kept, oldest first, without overlap: long ones for what is long ago.
    pub fn points(&self) -> Vec<Point> {
        let windows = self.pyramid.without_overlap().into_iter();
        let points = windows.map(|(level, window)| {
            let length = self.pyramid.length(level);
            Point {
                time: (window.index + 1).saturating_mul(length),
                length,
                min: window.min,
                max: window.max,
                limit: window.limit,
                received_bytes_per_second: f64::from(window.bytes),
                received_calls_per_second: f64::from(window.calls),
                open_connections: f64::from(window.open),
            }
        });
        points.collect()
    }

    /// Judges it on its own: without its lineage, without the other series of the host, and without
    /// waiting for a second pass.
    pub fn judge(&self, rules: &Rules) -> Judgement {
        self.judge_after(AGE, rules)
    }

    /// The same, where lives before it took this many shortest windows to warm up.
    pub(super) fn judge_after(&self, warm_up: f64, rules: &Rules) -> Judgement {
        let seconds = rules.nanoseconds() as f64 / 1e9;
        judge::judge(self, Context { seconds, warm_up })
    }

    /// Whether readings can have made it: for one that comes from outside.
    pub fn is_sound(&self) -> bool {
        self.pyramid.is_sound()
    }

    /// Changes when there is a new window that makes judging again worth it: one of the level
    /// below the one that holds all.
    pub(super) fn mark(&self) -> u64 {
        let level = self.pyramid.whole().saturating_sub(1);
        self.last.time / self.pyramid.length(level)
    }

    /// Bytes after the first window of its life, or at the first reading if that was later.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    pub(super) fn began(&self) -> u64 {
        self.began
    }

    pub(super) fn pyramid(&self) -> &Pyramid {
        &self.pyramid
    }

    pub(super) fn drops(&self) -> &Drops {
        &self.drops
    }

    /// The last reading's time, in shortest windows from the start of the first window.
    pub(super) fn now(&self) -> f64 {
        let first = self.pyramid.first(0).unwrap_or(0);
        self.last.time as f64 / self.pyramid.length(0) as f64 - first as f64
    }

    /// Since the first reading, in shortest windows.
    pub(super) fn observed(&self) -> f64 {
        let first = self.first.unwrap_or(self.last.time);
        self.last.time.saturating_sub(first) as f64 / self.pyramid.length(0) as f64
    }

    /// In shortest windows.
    pub(super) fn age(&self) -> f64 {
        self.last.time.saturating_sub(self.began) as f64 / self.pyramid.length(0) as f64
    }

    /// The lowest level whose windows outlast a collector's cycle.
    pub(super) fn least_level(&self) -> usize {
        self.drops.least_level(self.last.time, &self.pyramid)
    }

    /// Depth in bytes of the deepest cycle that outlasts windows of a level.
    pub(super) fn deepest_above(&self, level: usize) -> u64 {
        self.drops
            .deepest_above(level, self.last.time, &self.pyramid)
    }
}
