//! The kernel's own figures: of the board, or read now.

use std::cmp::Reverse;

use profiler_proto::v1;
use profiler_query::answer::{
    target,
    verdicts::{ListResident, ResidentBy},
};
use tonic::Status;

use super::processes;
use crate::{
    export::{gather::Gathered, unknown::refusal},
    resident::Member,
    verdict::Shared,
};

pub(in crate::export) fn resident(
    gathered: &Gathered,
    question: &ListResident,
) -> Result<v1::ListResidentResponse, Status> {
    let board = &gathered.inner.verdicts;
    let series = match question.by {
        ResidentBy::Container => board.resident(),
        ResidentBy::Process => board.read_processes(&chosen(gathered, question)?),
    };
    let processes = processes(gathered);
    let answer = question.answer(series, &processes).map_err(refusal)?;
    if question.points == 0 || answer.series.is_empty() {
        return Ok(answer);
    }
    // Made for those that are chosen alone, and cut then.
    let with_points = question.answer(with_points(board, answer.series), &processes);
    Ok(v1::ListResidentResponse {
        total: answer.total,
        ..with_points.map_err(refusal)?
    })
}

fn with_points(board: &Shared, mut series: Vec<v1::ResidentSeries>) -> Vec<v1::ResidentSeries> {
    let targets = series.iter().map(|one| one.target.as_ref());
    let points = board.points(&targets.collect::<Vec<_>>());
    for (one, points) in series.iter_mut().zip(points) {
        one.points = points;
    }
    series
}

/// The chosen processes that live, those with the most live bytes first.
fn chosen(
    gathered: &Gathered,
    question: &ListResident,
) -> Result<Vec<(v1::Target, Member)>, Status> {
    let snapshot = &gathered.fresh.snapshot;
    let clocks = gathered.inner.clock.read();
    let selection = question
        .filter
        .choose(snapshot.targets())
        .map_err(refusal)?;
    let lives = snapshot.processes.iter().filter(|one| {
        selection.has(one.handle) && one.info.exited.is_none() && !one.info.is_group()
    });
    let mut lives: Vec<_> = lives.collect();
    lives.sort_by_key(|one| (Reverse(one.totals.live()), one.handle));
    let member = |one: &&crate::profile::ProcessEntry| {
        let member = Member {
            handle: one.handle,
            pid: one.info.pid,
            began: one.info.started,
        };
        (target(&one.info, &one.totals, clocks), member)
    };
    Ok(lives.iter().map(member).collect())
}
