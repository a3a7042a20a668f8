//! Is it more than one step?

use super::super::Gate;
use super::super::stats::Floor;
use super::gate;

/// The largest increment over the rise.
const SHARE: f64 = 0.4;

/// Something that is loaded once lifts the floor once.
pub(in super::super) fn not_one_step(floors: &[Floor]) -> Gate {
    let increments = floors
        .iter()
        .zip(floors.iter().skip(1))
        .map(|(a, b)| b.1 - a.1);
    let largest = increments.fold(0.0, f64::max);
    let rise = match (floors.first(), floors.last()) {
        (Some(first), Some(last)) => last.1 - first.1,
        _ => 0.0,
    };
    let share = if rise > 0.0 { largest / rise } else { 1.0 };
    let passed = share <= SHARE;
    let meaning = if passed {
        "growth is spread over many windows"
    } else {
        "one window holds most of the growth, as when something is loaded once"
    };
    gate(
        "not_one_step",
        passed,
        share,
        SHARE,
        "share",
        meaning.to_owned(),
    )
}
