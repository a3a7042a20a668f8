//! When a series fell: how long and how deep its cycles are.

use serde::{Deserialize, Serialize};

use super::pyramid::{KEPT, LEVELS, Pyramid};

/// A fall by more than this share of the height before it counts; a rise by as much ends it.
const SHARE: f64 = 0.04;
/// Drops of about the same length that make a cycle: one that comes alone is none.
const FEW: usize = 3;
/// How often a window has to hold a cycle, which is twice as long as its upper half.
const HELD: f64 = 1.2 * 2.0;
/// The length is sought again when a drop has become deeper by this factor.
const DEEPER: f64 = 1.25;

/// The drops of a series, reading by reading.
///
/// What counts is not how far drops lie apart but how long the series stayed up before each: a spike
/// of some requests is gone in minutes though the next comes hours later, while a collector's cycle
/// stays up for all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Drops {
    /// The largest reading since the last drop; the smallest of this drop.
    peak: u64,
    valley: u64,
    falling: bool,
    /// When it fell, in nanoseconds, and how long it had stayed in its upper half.
    fell: u64,
    stayed: u64,
    /// Depth at which that was sought.
    sought: u64,
    /// By the level whose windows hold them: when the last began and their depth, oldest first. A
    /// depth of 0 is none.
    last: [[(u64, u64); FEW]; LEVELS],
}

impl Drops {
    /// Takes in a reading. `pyramid` has it already.
    pub(super) fn push(&mut self, time: u64, bytes: u64, pyramid: &Pyramid) {
        if self.falling {
            if bytes as f64 > self.valley as f64 * (1.0 + SHARE) {
                self.keep(pyramid);
                self.falling = false;
                self.peak = bytes;
            } else if bytes < self.valley {
                self.valley = bytes;
                self.seek(pyramid);
            }
        } else if (bytes as f64) < self.peak as f64 * (1.0 - SHARE) {
            self.falling = true;
            self.fell = time;
            self.valley = bytes;
            self.sought = 0;
            self.seek(pyramid);
        } else {
            self.peak = self.peak.max(bytes);
        }
    }

    fn depth(&self) -> u64 {
        self.peak.saturating_sub(self.valley)
    }

    /// How long before it fell the series was last in its lower half.
    fn seek(&mut self, pyramid: &Pyramid) {
        if (self.depth() as f64) < self.sought as f64 * DEEPER {
            return;
        }
        self.sought = self.depth();
        let half = self.valley + self.depth() / 2;
        let ends = (0..LEVELS).filter_map(|level| {
            let length = pyramid.length(level);
            let mut windows = pyramid.windows(level).rev();
            let below =
                windows.find(|window| window.index < self.fell / length && window.min <= half)?;
            Some((below.index + 1).saturating_mul(length))
        });
        let since = ends.into_iter().next().unwrap_or(0);
        self.stayed = self.fell.saturating_sub(since);
    }

    fn keep(&mut self, pyramid: &Pyramid) {
        let long = self.stayed as f64 * HELD;
        let level = (0..LEVELS).find(|level| pyramid.length(*level) as f64 >= long);
        let drop = (self.fell, self.depth());
        let last = &mut self.last[level.unwrap_or(LEVELS - 1)];
        last.rotate_left(1);
        last[FEW - 1] = drop;
    }

    /// Levels with a cycle that goes on at `now`, the depth of its deepest drop beside it.
    fn cycles(&self, now: u64, pyramid: &Pyramid) -> impl DoubleEndedIterator<Item = (usize, u64)> {
        let levels = self.last.iter().enumerate();
        levels.filter_map(move |(level, last)| {
            let kept = pyramid.length(level).saturating_mul(KEPT as u64);
            let all = last
                .iter()
                .all(|(time, depth)| *depth > 0 && now.saturating_sub(*time) <= kept);
            let deepest = last.iter().map(|(_, depth)| *depth).max();
            all.then_some((level, deepest?))
        })
    }

    /// The lowest level whose windows hold all cycles that go on at `now`.
    pub(super) fn least_level(&self, now: u64, pyramid: &Pyramid) -> usize {
        self.cycles(now, pyramid)
            .next_back()
            .map_or(0, |(level, _)| level)
    }

    /// Depth of the deepest cycle that windows of a level do not hold.
    pub(super) fn deepest_above(&self, level: usize, now: u64, pyramid: &Pyramid) -> u64 {
        self.cycles(now, pyramid)
            .filter(|(held, _)| *held > level)
            .map(|(_, depth)| depth)
            .max()
            .unwrap_or(0)
    }

    /// Drops since a time, of those that are remembered.
    pub(super) fn since(&self, time: u64) -> usize {
        self.last
            .iter()
            .flatten()
            .filter(|(at, depth)| *depth > 0 && *at >= time)
            .count()
    }
}
