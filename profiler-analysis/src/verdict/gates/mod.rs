//! The tests that a leak has to pass, one a file.

mod age;
mod load;
mod persistence;
mod size;
mod step;
mod trend;

pub(super) use age::age;
pub(super) use load::{explain, load};
pub(super) use persistence::persistence;
pub(super) use size::{deadline, size};
pub(super) use step::not_one_step;
pub(super) use trend::{WINDOWS, trend};

use super::{Gate, GateOutcome};

pub(super) fn gate(
    name: &str,
    passed: bool,
    figure: f64,
    threshold: f64,
    unit: &str,
    meaning: String,
) -> Gate {
    let outcome = if passed {
        GateOutcome::Passed
    } else {
        GateOutcome::Failed
    };
    judged(name, outcome, figure, threshold, unit, meaning)
}

fn judged(
    name: &str,
    outcome: GateOutcome,
    figure: f64,
    threshold: f64,
    unit: &str,
    meaning: String,
) -> Gate {
    Gate {
        name: name.to_owned(),
        outcome,
        figure: finite(figure),
        threshold: finite(threshold),
        unit: unit.to_owned(),
        meaning,
    }
}

/// Numbers that leave are numbers.
pub(super) fn finite(figure: f64) -> f64 {
    if figure.is_nan() {
        0.0
    } else {
        figure.clamp(f64::MIN, f64::MAX)
    }
}
