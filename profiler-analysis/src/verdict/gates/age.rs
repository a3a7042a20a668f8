//! Is it old enough?

use super::super::Gate;
use super::gate;

/// Programs fill pools and caches and compile code when they start. All in shortest windows but
/// `seconds`, their length.
pub(in super::super) fn age(age: f64, needed: f64, seconds: f64) -> Gate {
    let passed = age >= needed;
    let meaning = if passed {
        "it has run for longer than its warm-up lasts"
    } else {
        "it may still be warming up"
    };
    gate(
        "age",
        passed,
        age * seconds,
        needed * seconds,
        "s",
        meaning.to_owned(),
    )
}
