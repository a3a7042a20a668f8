//! Does the growth go on as it began?

use super::super::look::Line;
use super::super::stats::{Floor, Slopes};
use super::super::{Gate, GateOutcome};
use super::{gate, judged};

/// The second half's slope over the larger of the first half's and the whole's.
const SHARE: f64 = 0.75;
/// Floors that are needed in each half.
const HALF: usize = 3;

/// A cache that fills slows down; a leak does not.
pub(in super::super) fn persistence(floors: &[Floor], line: &Line) -> Gate {
    let (early, late) = floors.split_at(floors.len() / 2);
    if early.len() < HALF {
        let meaning = "there are too few windows to compare two halves".to_owned();
        return judged(
            "persistence",
            GateOutcome::NotJudged,
            0.0,
            SHARE,
            "share",
            meaning,
        );
    }
    let late = Slopes::of(late).median();
    let most = Slopes::of(early).median().max(line.slope);
    let share = if most > 0.0 { late / most } else { 0.0 };
    let passed = share >= SHARE;
    let meaning = if passed {
        "growth in the second half is as fast as it was"
    } else {
        "growth slows down, as that of a cache that fills does"
    };
    gate(
        "persistence",
        passed,
        share,
        SHARE,
        "share",
        meaning.to_owned(),
    )
}
