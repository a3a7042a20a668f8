//! Is it enough to matter?

use super::super::Gate;
use super::super::look::Line;
use super::{gate, judged};
use crate::verdict::GateOutcome;

/// The rise, over the limit, over the floor, and in bytes.
const OF_LIMIT: f64 = 0.01;
const OF_FLOOR: f64 = 0.02;
const BYTES: f64 = 2.0 * 1024.0 * 1024.0;
/// The limit is reached within this many shortest windows: seven days of minutes.
const DEADLINE: f64 = 7.0 * 24.0 * 60.0;

/// The rise against the largest of three bounds. A limit of 0 is none.
pub(in super::super) fn size(line: &Line, floor: f64, limit: f64) -> Gate {
    let least = BYTES.max(limit * OF_LIMIT).max(floor * OF_FLOOR);
    let rise = line.rise();
    let passed = rise >= least;
    let meaning = if passed {
        "the growth is large beside the floor and the limit"
    } else {
        "the growth is small beside the floor or the limit"
    };
    gate("size", passed, rise, least, "bytes", meaning.to_owned())
}

/// Seconds; what is farther is never.
const CENTURY: f64 = 100.0 * 365.25 * 86_400.0;

/// Whether the limit is near at this pace. `seconds` is the length of a shortest window.
pub(in super::super) fn deadline(line: &Line, top: f64, limit: f64, seconds: f64) -> Gate {
    let unit = "s";
    let most = DEADLINE * seconds;
    if limit <= 0.0 {
        let meaning = "there is no limit to be reached".to_owned();
        return judged("deadline", GateOutcome::NotJudged, 0.0, most, unit, meaning);
    }
    let left = (limit - top).max(0.0);
    let windows = if line.slope > 0.0 {
        left / line.slope
    } else {
        f64::MAX
    };
    let passed = windows <= DEADLINE;
    let meaning = if passed {
        "at this pace the limit is reached within a week"
    } else {
        "at this pace the limit is not reached within a week"
    };
    gate(
        "deadline",
        passed,
        (windows * seconds).min(CENTURY),
        most,
        unit,
        meaning.to_owned(),
    )
}
