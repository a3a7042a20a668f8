//! A series seen through the windows of one level.

use super::pyramid::{Pyramid, Window};
use super::stats::{Floor, Kendall, Slopes, kendall};

/// Standard deviations from the middle to the ends of a band of 99%, with half a percent beyond each,
/// and to those of one of 90%, with 5% beyond each.
const Z99: f64 = 2.576;
const Z90: f64 = 1.645;

/// Floors of one level, oldest first. Times are in shortest windows since the first reading's.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) level: usize,
    pub(super) windows: Vec<Window>,
    pub(super) floors: Vec<Floor>,
}

impl Look {
    /// Leaves out windows that are covered by less than half, and the one in which its life began:
    /// its smallest reading is that of a program that has hardly started.
    pub(super) fn at(pyramid: &Pyramid, level: usize, began: u64) -> Self {
        let length = pyramid.length(level);
        let least = (1_u16 << level).div_ceil(2);
        let kept = pyramid
            .windows(level)
            .filter(|window| window.covered >= least && window.index > began / length);
        let windows: Vec<Window> = kept.copied().collect();
        let first = pyramid.first(0).unwrap_or(0);
        let floors = windows.iter().map(|window| {
            let end = (window.index + 1) << level;
            (end.saturating_sub(first) as f64, window.min as f64)
        });
        Self {
            level,
            floors: floors.collect(),
            windows,
        }
    }
}

/// The line through floors. Bytes per shortest window.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) slope: f64,
    /// Ends of the band of 99%, and the upper end of the one of 90%, of which 5% lie above. Infinite
    /// where there are too few floors for an end.
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) upper95: f64,
    pub(super) kendall: Kendall,
    /// From the first floor to the last.
    pub(super) span: f64,
}

impl Line {
    pub(super) fn through(floors: &[Floor]) -> Self {
        let slopes = Slopes::of(floors);
        let slope = slopes.median();
        let kendall = kendall(floors, slope);
        let (lower, upper) = slopes.band(Z99, kendall.deviation);
        let (_, upper95) = slopes.band(Z90, kendall.deviation);
        let span = match (floors.first(), floors.last()) {
            (Some(first), Some(last)) => last.0 - first.0,
            _ => 0.0,
        };
        Self {
            slope,
            lower,
            upper,
            upper95,
            kendall,
            span,
        }
    }

    /// By how much its floors rise over its span.
    pub(super) fn rise(&self) -> f64 {
        self.slope * self.span
    }
}
