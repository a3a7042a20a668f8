//! Answers from the board of verdicts.

mod part;
mod resident;
mod watch;

use profiler_proto::v1;
use profiler_query::answer::{
    Selection,
    verdicts::{ListOomKills, ListVerdicts},
};
use tonic::Status;

pub(super) use self::{
    part::{resident_part, verdicts_part},
    resident::resident,
    watch::{Changes, watch},
};
use super::{gather::Gathered, unknown::refusal};
use crate::profile::TargetInfo;

/// # Errors
/// `INVALID_ARGUMENT`: what makes no sense, or can't be asked here.
pub(super) fn question(request: &v1::ListVerdictsRequest) -> Result<ListVerdicts, Status> {
    let question = ListVerdicts::new(request)?;
    if question.at.time.is_some() {
        return Err(Status::invalid_argument(
            "at: an agent knows the verdicts of now alone; ask a collector, or leave it out",
        ));
    }
    Ok(question)
}

pub(super) fn list(
    gathered: &Gathered,
    question: &ListVerdicts,
) -> Result<v1::ListVerdictsResponse, Status> {
    let inner = &gathered.inner;
    let end = gathered.end(None);
    let answer = question.answer(inner.verdicts.verdicts(), &processes(gathered));
    let mut answer = answer.map_err(refusal)?;
    inner.verdicts.reconcile(&mut answer.verdicts);
    if question.with_points {
        let targets = answer.verdicts.iter().map(|one| one.target.as_ref());
        let points = inner.verdicts.points(&targets.collect::<Vec<_>>());
        for (verdict, points) in answer.verdicts.iter_mut().zip(points) {
            verdict.points = points;
        }
    }
    let clocks = inner.clock.read();
    Ok(v1::ListVerdictsResponse {
        time: Some(clocks.to_wall(clocks.now)),
        accounting: Some(end.account(inner, &Selection::All)),
        ..answer
    })
}

pub(super) fn kills(gathered: &Gathered, question: &ListOomKills) -> v1::ListOomKillsResponse {
    let (kills, forgotten) = gathered.inner.verdicts.kills();
    question.answer(kills, &processes(gathered), forgotten)
}

/// All that are known.
fn processes(gathered: &Gathered) -> Vec<&TargetInfo> {
    let processes = gathered.fresh.snapshot.processes.iter();
    processes.map(|entry| &*entry.info).collect()
}
