//! Pass, fail or neither, and why.

use super::{Band, Figures, Outcome};

/// The difference is held against the margin as it is and, where both are called, at equal load. What
/// can be judged has to agree; where one alone is called nothing is said of growth by call, and where
/// calls differ and only one of the two speaks, growth by time can't be told from growth by call.
pub(super) fn decide(figures: &Figures) -> (Outcome, String) {
    let margin = figures.margin_bytes_per_hour;
    let plain = judge(figures.slope_difference, margin);
    let (often, rarely) = (
        figures.baseline.calls_per_second,
        figures.canary.calls_per_second,
    );
    if (often > 0.0) != (rarely > 0.0) {
        return (Outcome::Inconclusive, uncalled(often > 0.0));
    }
    let Some(at_equal_load) = figures.slope_difference_at_equal_load else {
        return (plain, reason(plain, figures.slope_difference, margin, ""));
    };
    let loaded = judge(at_equal_load, margin);
    if plain == loaded {
        let worse = match at_equal_load.value > figures.slope_difference.value {
            true => (at_equal_load, " at equal load"),
            false => (figures.slope_difference, ""),
        };
        return (plain, reason(plain, worse.0, margin, worse.1));
    }
    let reason = format!(
        "as it is, the canary {}; called as often as the baseline, it {}: {:.2} calls/s against \
         {:.2}. Growth by time can't be told from growth by call: give both the same load",
        phrase(plain),
        phrase(loaded),
        rarely,
        often,
    );
    (Outcome::Inconclusive, reason)
}

fn uncalled(canary: bool) -> String {
    let (idle, other) = match canary {
        true => ("canary", "baseline"),
        false => ("baseline", "canary"),
    };
    format!(
        "the {idle} was not called, and the {other} was: what a call leaves behind can't be compared. \
         Give both the same load"
    )
}

fn judge(difference: Band, margin: f64) -> Outcome {
    if difference.lower > margin {
        Outcome::Fail
    } else if difference.upper < margin {
        Outcome::Pass
    } else {
        Outcome::Inconclusive
    }
}

fn phrase(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "does not grow faster",
        Outcome::Fail => "grows faster",
        Outcome::Inconclusive => "may or may not grow faster",
    }
}

fn reason(outcome: Outcome, difference: Band, margin: f64, load: &str) -> String {
    let shown = mib(difference.value);
    let (lower, upper) = (mib(difference.lower), mib(difference.upper));
    let margin = mib(margin);
    match outcome {
        Outcome::Pass => format!(
            "the canary does not grow faster by more than {margin} MiB/h{load}: the difference is \
             {shown} MiB/h, with 95% at most {upper}"
        ),
        Outcome::Fail => format!(
            "the canary grows faster{load}: by {shown} MiB/h, with 95% at least {lower}, and \
             {margin} are allowed"
        ),
        Outcome::Inconclusive => format!(
            "the difference{load} is {shown} MiB/h with a band of 95% from {lower} to {upper}, and \
             {margin} lie within it: watch both for longer"
        ),
    }
}

fn mib(bytes: f64) -> String {
    let value = bytes / 1_048_576.0;
    // Two figures that count, whatever the size.
    let decimals = if value.abs() < 0.1 { 4 } else { 2 };
    format!("{value:.decimals$}")
}
