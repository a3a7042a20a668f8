//! The report of a soak: the same keys in every release.

use std::time::Duration;

use pbjson_types::Timestamp;
use profiler_analysis::verdict::{Gate, GateOutcome};
use serde::Serialize;

use super::{
    points::Point,
    test::{Finding, Note, Outcome, Soak},
    watched::Watched,
};
use crate::{
    failure::exit,
    render::verdict::words::{judged, state},
};

/// Why it was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EndedBy {
    /// All of the time had passed.
    Duration,
    /// The answer was certain.
    Certain,
    /// Somebody did not want to wait.
    Interrupt,
}

/// All that is told at the end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) outcome: Outcome,
    /// None: undecided.
    pub(crate) passed: Option<bool>,
    pub(crate) exit_code: u8,
    /// RFC 3339.
    pub(crate) started: String,
    pub(crate) duration_seconds: f64,
    pub(crate) asked_seconds: f64,
    pub(crate) warmup_seconds: f64,
    pub(crate) interval_seconds: f64,
    pub(crate) ended_by: EndedBy,
    /// Of the target that decided; there is one, since a soak of nothing does not begin.
    #[serde(flatten)]
    pub(crate) worst: Option<TargetReport>,
    /// All of them, that one included.
    pub(crate) targets: Vec<TargetReport>,
    pub(crate) notes: Vec<Note>,
}

impl TargetReport {
    pub(crate) fn slope_band(&self) -> (Option<f64>, Option<f64>) {
        (
            self.slope_lower_bytes_per_hour,
            self.slope_upper_bytes_per_hour,
        )
    }
}

/// One target.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TargetReport {
    pub(crate) target: String,
    pub(crate) target_outcome: Outcome,
    pub(crate) state: &'static str,
    pub(crate) reason: String,
    pub(crate) readings: u64,
    pub(crate) slope_bytes_per_hour: f64,
    /// None: too few floors bound it.
    pub(crate) slope_lower_bytes_per_hour: Option<f64>,
    pub(crate) slope_upper_bytes_per_hour: Option<f64>,
    pub(crate) floor_bytes: f64,
    pub(crate) last_bytes: u64,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) max_growth_bytes_per_hour: Option<f64>,
    pub(crate) bytes_per_request: Option<f64>,
    pub(crate) gap_seconds: f64,
    pub(crate) gates: Vec<GateReport>,
    pub(crate) not_excluded: Vec<String>,
    pub(crate) points: Vec<Point>,
}

/// One test.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GateReport {
    pub(crate) name: String,
    pub(crate) outcome: &'static str,
    pub(crate) figure: f64,
    pub(crate) threshold: f64,
    pub(crate) unit: String,
    pub(crate) meaning: String,
}

impl Soak {
    /// What is told after `at`.
    pub(crate) fn report(&self, started: &Timestamp, at: Duration, ended_by: EndedBy) -> Report {
        let targets: Vec<_> = self
            .targets
            .iter()
            .map(|target| self.target_report(target, at, ended_by))
            .collect();
        let worst = targets.iter().max_by_key(|one| one.target_outcome).cloned();
        let outcome = worst
            .as_ref()
            .map_or(Outcome::Undecided, |one| one.target_outcome);
        Report {
            outcome,
            passed: match outcome {
                Outcome::Pass => Some(true),
                Outcome::Fail => Some(false),
                Outcome::Undecided => None,
            },
            exit_code: match outcome {
                Outcome::Pass => exit::FINE,
                Outcome::Fail => exit::FAILED,
                Outcome::Undecided => exit::UNDECIDED,
            },
            started: rfc3339(started),
            duration_seconds: at.as_secs_f64(),
            asked_seconds: self.plan.duration.as_secs_f64(),
            warmup_seconds: self.plan.warmup.as_secs_f64(),
            interval_seconds: self.plan.interval.as_secs_f64(),
            ended_by,
            worst,
            targets,
            notes: self.notes.clone(),
        }
    }

    fn target_report(&self, target: &Watched, at: Duration, ended_by: EndedBy) -> TargetReport {
        let Finding {
            outcome,
            reason,
            certain,
        } = self.finding(target, at);
        // Half a test passes nobody, and fails only what no more time would let pass.
        let (target_outcome, reason) = match ended_by {
            EndedBy::Interrupt if !certain => (
                Outcome::Undecided,
                format!("it was interrupted; until then {reason}"),
            ),
            _ => (outcome, reason),
        };
        let judgement = &target.judgement;
        TargetReport {
            target: target.name.clone(),
            target_outcome,
            state: state(judged(judgement.state)),
            reason,
            readings: target.readings,
            slope_bytes_per_hour: judgement.slope.value,
            slope_lower_bytes_per_hour: judgement.slope.ends().0,
            slope_upper_bytes_per_hour: judgement.slope.ends().1,
            floor_bytes: judgement.floor,
            last_bytes: target.bytes,
            limit_bytes: target.limit,
            max_growth_bytes_per_hour: self
                .plan
                .max_growth
                .filter(|_| target.floor < u64::MAX)
                .map(|rate| rate.of(target.floor as f64)),
            bytes_per_request: judgement.bytes_per_call,
            gap_seconds: target.gaps.as_secs_f64(),
            gates: judgement.gates.iter().map(gate).collect(),
            not_excluded: judgement.not_excluded.clone(),
            points: target.points.all().to_vec(),
        }
    }
}

fn gate(gate: &Gate) -> GateReport {
    GateReport {
        name: gate.name.clone(),
        outcome: match gate.outcome {
            GateOutcome::Passed => "passed",
            GateOutcome::Failed => "failed",
            GateOutcome::NotJudged => "not-judged",
        },
        figure: gate.figure,
        threshold: gate.threshold,
        unit: gate.unit.clone(),
        meaning: gate.meaning.clone(),
    }
}

fn rfc3339(moment: &Timestamp) -> String {
    let moment = chrono::DateTime::<chrono::Utc>::try_from(*moment);
    moment.map_or_else(|_| String::new(), |moment| moment.to_rfc3339())
}
