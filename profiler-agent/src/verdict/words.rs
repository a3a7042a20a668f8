//! States as they are on the wire, and figures in words.

use profiler_analysis::verdict::{GateOutcome, LifeEnd, State};
use profiler_proto::v1;

pub(super) fn state(state: State) -> v1::VerdictState {
    match state {
        State::WarmingUp => v1::VerdictState::WarmingUp,
        State::Steady => v1::VerdictState::Steady,
        State::Growing => v1::VerdictState::Growing,
        State::Leaking => v1::VerdictState::Leaking,
        State::SawtoothLeak => v1::VerdictState::SawtoothLeak,
        State::RestartMaskedLeak => v1::VerdictState::RestartMaskedLeak,
        State::Undetermined => v1::VerdictState::Undetermined,
    }
}

/// It grows, as far as is known: worth a closer look.
pub(super) fn grows(state: State) -> bool {
    matches!(
        state,
        State::Growing | State::Leaking | State::SawtoothLeak | State::RestartMaskedLeak
    )
}

pub(super) fn outcome(outcome: GateOutcome) -> v1::gate::Outcome {
    match outcome {
        GateOutcome::Passed => v1::gate::Outcome::Passed,
        GateOutcome::Failed => v1::gate::Outcome::Failed,
        GateOutcome::NotJudged => v1::gate::Outcome::NotJudged,
    }
}

pub(super) fn life_end(end: LifeEnd) -> v1::LifeEnd {
    match end {
        LifeEnd::OomKilled => v1::LifeEnd::OomKilled,
        LifeEnd::Ended => v1::LifeEnd::Ended,
    }
}

/// Bytes for people, with their sign if they have one.
pub(super) fn size(bytes: f64) -> String {
    let units = [("GiB", 3), ("MiB", 2), ("KiB", 1)];
    let fits = |&(_, power): &(&str, i32)| bytes.abs() >= 1024_f64.powi(power);
    match units.into_iter().find(fits) {
        Some((unit, power)) => format!("{:.1} {unit}", bytes / 1024_f64.powi(power)),
        None => format!("{bytes:.0} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (0.0, "0 bytes"),
            (1023.0, "1023 bytes"),
            (-1536.0, "-1.5 KiB"),
            (2_097_152.0, "2.0 MiB"),
            (1e12, "931.3 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
