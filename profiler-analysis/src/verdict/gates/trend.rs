//! Do the floors rise?

use super::super::look::Line;
use super::super::{Gate, GateOutcome};
use super::{gate, judged};

/// Windows that are needed.
pub(in super::super) const WINDOWS: usize = 8;
/// Standard deviations: one in two hundred series without a trend.
const Z: f64 = 2.58;

/// Mann-Kendall, and the lower end of the slope's band above zero.
pub(in super::super) fn trend(line: &Line, windows: usize, needed: usize) -> Gate {
    let z = line.kendall.z;
    if windows < needed {
        let meaning = format!("{windows} windows are too few to tell a trend: {needed} are needed");
        return judged("trend", GateOutcome::NotJudged, z, Z, "sigma", meaning);
    }
    let passed = is_trend(line);
    let meaning = if passed {
        "the lowest readings of each window rise, by more than chance makes them"
    } else {
        "the lowest readings of each window do not rise by more than chance makes them"
    };
    gate("trend", passed, z, Z, "sigma", meaning.to_owned())
}

/// Whether it rises by more than chance makes floors rise.
pub(super) fn is_trend(line: &Line) -> bool {
    line.kendall.z > Z && line.lower > 0.0
}
