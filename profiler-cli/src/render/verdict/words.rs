//! What parts of a verdict are called.

use profiler_analysis::verdict::State;
use profiler_proto::v1::{EvidenceTier, LifeEnd, Target, Verdict, VerdictState, gate::Outcome};

use crate::{
    render::target::container,
    screen::Look,
    text::clean,
    units::{mean_bytes, seconds},
};

/// The state, as `--state` takes it.
pub fn state(state: VerdictState) -> &'static str {
    match state {
        VerdictState::Unspecified => "unknown",
        VerdictState::WarmingUp => "warming-up",
        VerdictState::Steady => "steady",
        VerdictState::Growing => "growing",
        VerdictState::Leaking => "leaking",
        VerdictState::SawtoothLeak => "sawtooth-leak",
        VerdictState::RestartMaskedLeak => "restart-masked-leak",
        VerdictState::Undetermined => "undetermined",
    }
}

/// A state of the client's own judging, as the wire has it.
pub(crate) fn judged(state: State) -> VerdictState {
    match state {
        State::WarmingUp => VerdictState::WarmingUp,
        State::Steady => VerdictState::Steady,
        State::Growing => VerdictState::Growing,
        State::Leaking => VerdictState::Leaking,
        State::SawtoothLeak => VerdictState::SawtoothLeak,
        State::RestartMaskedLeak => VerdictState::RestartMaskedLeak,
        State::Undetermined => VerdictState::Undetermined,
    }
}

/// Whether it is a leak of any kind.
pub fn leaks(state: VerdictState) -> bool {
    matches!(
        state,
        VerdictState::Leaking | VerdictState::SawtoothLeak | VerdictState::RestartMaskedLeak
    )
}

/// What it means.
pub(super) fn meaning(state: VerdictState) -> &'static str {
    match state {
        VerdictState::Unspecified => "this client does not know the state",
        VerdictState::WarmingUp => "too young to be judged",
        VerdictState::Steady => "shown not to grow by more than a small share of its limit a day",
        VerdictState::Growing => {
            "it grows; whether that ends is not known yet, or it follows its load"
        }
        VerdictState::Leaking => {
            "it grows without an end in sight, and nothing that is known explains it"
        }
        VerdictState::SawtoothLeak => "it falls again and again, but less far each time",
        VerdictState::RestartMaskedLeak => "each of its lives grows until it is ended",
        VerdictState::Undetermined => "neither growth nor its absence was shown",
    }
}

/// The state in its colour.
pub(super) fn coloured(one: VerdictState, look: Look) -> String {
    match one {
        VerdictState::Steady => look.good(state(one)),
        leak if leaks(leak) => look.warn(state(leak)),
        other => state(other).to_owned(),
    }
}

/// The container or unit or, where it is in neither, the process.
pub fn named(target: Option<&Target>) -> String {
    let unknown = Target::default();
    let target = target.unwrap_or(&unknown);
    if target.pid != 0 {
        return format!("{} (pid {})", clean(&target.process_name), target.pid);
    }
    match container(target).as_str() {
        "" => clean(&target.cgroup).into_owned(),
        name => name.to_owned(),
    }
}

/// Bytes per hour with its band.
pub(super) fn slope(verdict: &Verdict) -> String {
    let ends = (
        verdict.slope_lower_bytes_per_hour,
        verdict.slope_upper_bytes_per_hour,
    );
    let says_nothing = matches!(ends, (None, None) | (Some(0.0), Some(0.0)));
    match says_nothing && verdict.slope_bytes_per_hour == 0.0 {
        true => "-".into(),
        false => format!("{} ({})", signed(verdict.slope_bytes_per_hour), band(ends)),
    }
}

/// Both ends of a band in bytes; none is one that nothing bounds.
pub fn band((lower, upper): (Option<f64>, Option<f64>)) -> String {
    let lower = lower.map_or_else(|| "-∞".to_owned(), signed);
    let upper = upper.map_or_else(|| "+∞".to_owned(), signed);
    format!("{lower} to {upper}")
}

/// Bytes with a sign where they grow, too.
pub fn signed(amount: f64) -> String {
    match amount >= 0.5 {
        true => format!("+{}", mean_bytes(amount)),
        false => mean_bytes(amount),
    }
}

/// Time to the limit with its band.
pub(super) fn ahead(verdict: &Verdict) -> String {
    let Some(time) = verdict.time_to_limit_seconds else {
        return "-".into();
    };
    let lower = verdict.time_to_limit_lower_seconds;
    match (lower, verdict.time_to_limit_upper_seconds) {
        (Some(lower), Some(upper)) => format!(
            "{} ({} to {})",
            seconds(time),
            seconds(lower),
            seconds(upper)
        ),
        (Some(lower), None) => format!("{} ({} or more)", seconds(time), seconds(lower)),
        (None, _) => seconds(time),
    }
}

/// A tier as it is written everywhere.
pub(super) fn tier(tier: EvidenceTier) -> &'static str {
    match tier {
        EvidenceTier::Unspecified => "kernel",
        EvidenceTier::A => "tier A",
        EvidenceTier::B => "tier B",
        EvidenceTier::C => "tier C",
    }
}

/// What a gate said.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "speaks for a leak",
        Outcome::Failed => "speaks against one",
        Outcome::NotJudged | Outcome::Unspecified => "not judged",
    }
}

/// How a life ended.
pub(super) fn end(end: LifeEnd) -> &'static str {
    match end {
        LifeEnd::Running => "goes on",
        LifeEnd::OomKilled => "OOM-killed",
        LifeEnd::Ended => "ended",
        LifeEnd::Unspecified => "end not known",
    }
}

/// A figure in its unit.
pub fn figure(amount: f64, unit: &str) -> String {
    match unit {
        "" => format!("{amount:.2}"),
        "bytes" => mean_bytes(amount),
        "bytes/h" => format!("{}/h", signed(amount)),
        "s" | "seconds" => seconds(amount),
        "share" => format!("{:.1}%", amount * 100.0),
        other => format!("{amount:.2} {}", clean(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_band_that_nothing_bounds_are_no_amounts() {
        let mut verdict = Verdict {
            slope_bytes_per_hour: 2_097_152.0,
            slope_lower_bytes_per_hour: None,
            slope_upper_bytes_per_hour: None,
            ..Verdict::default()
        };
        assert_eq!(slope(&verdict), "+2.0 MiB (-∞ to +∞)");
        verdict.slope_bytes_per_hour = 0.0;
        assert_eq!(slope(&verdict), "-");
    }
}
