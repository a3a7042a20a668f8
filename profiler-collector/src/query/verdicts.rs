//! `ListVerdicts` and `ListResident`: what agents found and read, as of their last whole batches.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use profiler_proto::v1;
use profiler_query::{
    answer::{
        Asked, Filter, Selection,
        verdicts::{ListResident, ListVerdicts, ResidentBy},
    },
    model::{Snapshot, TargetInfo},
};
use tonic::Status;

use super::{
    Inner,
    inputs::Inputs,
    moments::{self, Span},
};
use crate::{
    fleet::{Cost, Curves, SeriesKey, Verdicts, With, blocking, may_be_on, readings},
    store::{Run, WallTime},
};

/// Points of a verdict's series, and how far they go back: as far as agents judge it by.
const POINTS: u32 = 120;
const BACK_MAX: f64 = 4.0 * 86_400.0;
const SECOND: f64 = 1e9;

pub(super) async fn list(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListVerdictsRequest,
) -> Result<v1::ListVerdictsResponse, Status> {
    let asked = ListVerdicts::new(&request)?;
    let mut runs = inner.fleet.runs().await?;
    let span = Span::new(None, Some(&asked.at), &[], &runs, inner.clock.now())?;
    runs.retain(|run| may_be_on(&asked.filter, run));
    let inputs = Inputs::read(&inner, &runs, &span, With::Targets, &cost).await?;
    let side = inner
        .fleet
        .side(&runs, span.at, span.now, With::Verdicts, &cost);
    let verdicts = Verdicts::new(&side.await?, &cost)?;
    let with_points = asked.with_points;
    let answer = move || answer(&asked, &inputs, &verdicts, &span);
    let mut answer = blocking(&cost, answer).await??;
    if with_points {
        put_points(&inner, &runs, &mut answer.verdicts, span.at, &cost).await?;
    }
    Ok(answer)
}

/// Blocks.
fn answer(
    asked: &ListVerdicts,
    inputs: &Inputs,
    verdicts: &Verdicts,
    span: &Span,
) -> Result<v1::ListVerdictsResponse, Status> {
    let end = &inputs.gathered.end;
    let mut answer = asked.answer(verdicts.outlines(), &infos(end))?;
    verdicts.fill(&mut answer.verdicts);
    let mut accounting = inputs.account(&selection(&asked.filter, end));
    accounting.losses.extend(unknown(verdicts.without()));
    answer.time = Some(span.clocks().to_wall(end.time));
    answer.accounting = Some(accounting);
    Ok(answer)
}

/// Processes that are known.
pub(super) fn infos(table: &Snapshot) -> Vec<&TargetInfo> {
    table.processes.iter().map(|entry| &*entry.info).collect()
}

/// Of the processes that are asked about. There may be none: a verdict can outlive its processes.
fn selection(filter: &Filter, table: &Snapshot) -> Selection {
    if filter.is_empty() {
        return Selection::All;
    }
    let chosen = table
        .processes
        .iter()
        .filter(|entry| filter.takes(&entry.info));
    Selection::Some(chosen.map(|entry| entry.handle).collect())
}

fn unknown(agents: u64) -> Option<v1::Loss> {
    (agents > 0).then(|| v1::Loss {
        cause: "verdicts_unknown".to_owned(),
        count: agents,
        meaning: "agents that sent no verdicts with their last whole batch (before 0.2 they send \
                  none): theirs are left out"
            .to_owned(),
    })
}

async fn put_points(
    inner: &Inner,
    runs: &[Run],
    verdicts: &mut [v1::Verdict],
    at: WallTime,
    cost: &Arc<Cost>,
) -> Result<(), Status> {
    let observed = verdicts.iter().map(|verdict| verdict.observed_seconds);
    let back = observed.fold(60.0, f64::max).min(BACK_MAX);
    let from = WallTime(at.0.saturating_sub((back * SECOND) as i64));
    let targets = verdicts
        .iter()
        .filter_map(|verdict| verdict.target.as_ref());
    let wanted: HashSet<SeriesKey> = targets.map(SeriesKey::of).collect();
    let curves = inner.fleet.curves(runs, wanted, (from, at), POINTS, cost);
    let mut curves = curves.await?;
    for verdict in verdicts {
        verdict.points = curve(&mut curves, verdict.target.as_ref());
    }
    Ok(())
}

fn curve(curves: &mut Curves, target: Option<&v1::Target>) -> Vec<v1::ResidentPoint> {
    let curve = target.and_then(|target| curves.remove(&SeriesKey::of(target)));
    curve.unwrap_or_default()
}

pub(super) async fn resident(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListResidentRequest,
) -> Result<v1::ListResidentResponse, Status> {
    let asked = ListResident::new(&request)?;
    if asked.by == ResidentBy::Process {
        return Err(Status::unimplemented(
            "by: figures by process are read on the node when they are asked for; ask its agent",
        ));
    }
    let mut runs = inner.fleet.runs().await?;
    let moment = |field, time| Asked { field, time };
    let end = moment("to", asked.to);
    let span = Span::new(None, Some(&end), &[], &runs, inner.clock.now())?;
    let from = span.begin(&moment("from", asked.from), moments::kept(&runs))?;
    runs.retain(|run| may_be_on(&asked.filter, run));
    let inputs = Inputs::read(&inner, &runs, &span, With::Targets, &cost).await?;
    let side = inner
        .fleet
        .side(&runs, span.at, span.now, With::Resident, &cost);
    let series = readings(&side.await?, &cost)?;
    let points = asked.points as u32;
    let answer = move || asked.answer(series, &infos(&inputs.gathered.end));
    let mut answer = blocking(&cost, answer).await?.map_err(Status::from)?;
    if points > 0 {
        let targets = answer.series.iter().filter_map(|one| one.target.as_ref());
        let wanted: HashSet<SeriesKey> = targets.map(SeriesKey::of).collect();
        let times = (from, span.at);
        let curves = inner.fleet.curves(&runs, wanted, times, points, &cost);
        let mut curves: HashMap<_, _> = curves.await?;
        for one in &mut answer.series {
            one.points = curve(&mut curves, one.target.as_ref());
        }
    }
    Ok(answer)
}
