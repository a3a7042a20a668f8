//! Verdicts, the worst first.

use std::cmp::Ordering;

use profiler_proto::v1::{self, VerdictState};
use tonic::Status;

use super::{Scope, is_group};
use crate::{
    answer::{Asked, Filter, NotChosen, bounds::at_most},
    model::TargetInfo,
};

/// Verdicts when none are asked for in particular, and at most.
const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// A question for verdicts that was checked.
#[derive(Debug)]
pub struct ListVerdicts {
    /// What is asked about.
    pub filter: Filter,
    /// The moment that the answer stands for; none: now.
    pub at: Asked,
    /// Whether series are asked for too.
    pub with_points: bool,
    states: Vec<VerdictState>,
    containers_only: bool,
    limit: usize,
}

impl ListVerdicts {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn new(request: &v1::ListVerdictsRequest) -> Result<Self, Status> {
        Ok(Self {
            filter: Filter::new(request.selector.as_ref())?,
            at: Asked::new("at", request.at),
            with_points: request.with_points,
            states: states(&request.states)?,
            containers_only: request.containers_only,
            limit: at_most("limit", request.limit, LIMIT_DEFAULT, LIMIT_MAX)? as usize,
        })
    }

    /// The chosen verdicts, the worst first, without accounting and time. `processes`: those that are
    /// known; a pid in a container chooses its container.
    ///
    /// # Errors
    /// What is asked about was never there.
    pub fn answer(
        &self,
        verdicts: Vec<v1::Verdict>,
        processes: &[&TargetInfo],
    ) -> Result<v1::ListVerdictsResponse, NotChosen> {
        let targets = verdicts
            .iter()
            .filter_map(|verdict| verdict.target.as_ref());
        let scope = Scope::checked(&self.filter, targets, processes)?;
        let mut chosen: Vec<v1::Verdict> = verdicts
            .into_iter()
            .filter(|verdict| takes(&scope, &self.states, self.containers_only, verdict))
            .collect();
        let total = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        chosen.sort_by(worst_first);
        chosen.truncate(self.limit);
        if !self.with_points {
            for verdict in &mut chosen {
                verdict.points.clear();
            }
        }
        Ok(v1::ListVerdictsResponse {
            verdicts: chosen,
            total,
            time: None,
            accounting: None,
        })
    }
}

/// Whether it is among those that are asked for.
pub(super) fn takes(
    scope: &Scope<'_>,
    states: &[VerdictState],
    containers_only: bool,
    verdict: &v1::Verdict,
) -> bool {
    let Some(target) = &verdict.target else {
        return false;
    };
    (!containers_only || is_group(target))
        && (states.is_empty() || states.contains(&verdict.state()))
        && scope.takes(target)
}

/// # Errors
/// `INVALID_ARGUMENT`: one of them is no state.
pub(super) fn states(asked: &[i32]) -> Result<Vec<VerdictState>, Status> {
    let check = |number: &i32| match VerdictState::try_from(*number) {
        Ok(VerdictState::Unspecified) | Err(_) => Err(Status::invalid_argument(format!(
            "states: {number} is no state of a verdict"
        ))),
        Ok(state) => Ok(state),
    };
    asked.iter().map(check).collect()
}

/// By state, then by time to the limit, then by slope; what is equal in all of them by its place.
pub fn worst_first(one: &v1::Verdict, other: &v1::Verdict) -> Ordering {
    let time = |verdict: &v1::Verdict| verdict.time_to_limit_seconds.unwrap_or(f64::INFINITY);
    rank(one.state())
        .cmp(&rank(other.state()))
        .then_with(|| time(one).total_cmp(&time(other)))
        .then_with(|| {
            other
                .slope_bytes_per_hour
                .total_cmp(&one.slope_bytes_per_hour)
        })
        .then_with(|| place(one).cmp(&place(other)))
}

/// A state of a newer agent's may be worse than any that is known to be harmless.
fn rank(state: VerdictState) -> u8 {
    match state {
        VerdictState::RestartMaskedLeak => 0,
        VerdictState::SawtoothLeak => 1,
        VerdictState::Leaking => 2,
        VerdictState::Growing => 3,
        VerdictState::Unspecified => 4,
        VerdictState::Undetermined => 5,
        VerdictState::WarmingUp => 6,
        VerdictState::Steady => 7,
    }
}

fn place(verdict: &v1::Verdict) -> Option<(&str, &str, u32)> {
    let target = verdict.target.as_ref()?;
    Some((&verdict.node, &target.cgroup, target.pid))
}
