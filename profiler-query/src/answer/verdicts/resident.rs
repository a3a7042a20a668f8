//! The kernel's own figures, the largest first.

use std::cmp::Reverse;

use pbjson_types::Timestamp;
use profiler_proto::v1::{self, SeriesBy};
use tonic::Status;

use super::{Scope, fewer};
use crate::{
    answer::{
        Filter, NotChosen,
        bounds::{at_most, in_order, place},
    },
    model::TargetInfo,
};

/// Series when none are asked for in particular, and at most; points of a series at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 1_000;
const POINTS_MAX: u32 = 2_000;

/// What has a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResidentBy {
    /// Containers, units, and processes in neither.
    Container,
    /// Each process, now.
    Process,
}

/// A question for resident figures that was checked.
#[derive(Debug)]
pub struct ListResident {
    /// What is asked about.
    pub filter: Filter,
    /// What has a series.
    pub by: ResidentBy,
    /// Points at and after this moment; none: all.
    pub from: Option<Timestamp>,
    /// Points up to this moment; none: all.
    pub to: Option<Timestamp>,
    /// Points of a series at the most; 0: none.
    pub points: usize,
    /// Series at the most.
    pub limit: usize,
}

impl ListResident {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn new(request: &v1::ListResidentRequest) -> Result<Self, Status> {
        in_order(request.from.as_ref(), request.to.as_ref())?;
        let by = match SeriesBy::try_from(request.by) {
            Ok(SeriesBy::Unspecified | SeriesBy::Container) => ResidentBy::Container,
            Ok(SeriesBy::Process) => ResidentBy::Process,
            Ok(SeriesBy::Node) => {
                return Err(Status::invalid_argument(
                    "by: resident figures are kept by container, and read by process; not by node",
                ));
            }
            Err(_) => {
                let by = request.by;
                return Err(Status::invalid_argument(format!(
                    "by: {by} is no kind of series"
                )));
            }
        };
        let points = at_most("points", request.points, 0, POINTS_MAX)? as usize;
        let over_time = points > 0 || request.from.is_some() || request.to.is_some();
        if by == ResidentBy::Process && over_time {
            return Err(Status::invalid_argument(
                "by: figures by process are read now and not kept; leave out points, from and to, \
                 or ask by container",
            ));
        }
        Ok(Self {
            filter: Filter::new(request.selector.as_ref())?,
            by,
            from: request.from,
            to: request.to,
            points,
            limit: at_most("limit", request.limit, LIMIT_DEFAULT, LIMIT_MAX)? as usize,
        })
    }

    /// The chosen series. `processes`: those that are known; by container a pid chooses its
    /// container.
    ///
    /// # Errors
    /// What is asked about was never there.
    pub fn answer(
        &self,
        series: Vec<v1::ResidentSeries>,
        processes: &[&TargetInfo],
    ) -> Result<v1::ListResidentResponse, NotChosen> {
        let targets = series.iter().filter_map(|one| one.target.as_ref());
        let scope = Scope::checked(&self.filter, targets, processes)?;
        let mut chosen: Vec<v1::ResidentSeries> = series
            .into_iter()
            .filter(|one| {
                one.target
                    .as_ref()
                    .is_some_and(|target| self.takes(&scope, target))
            })
            .collect();
        let total = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        chosen.sort_by_cached_key(|one| (Reverse(size(one)), place_of(one)));
        chosen.truncate(self.limit);
        for one in &mut chosen {
            one.points = self.cut(std::mem::take(&mut one.points));
        }
        Ok(v1::ListResidentResponse {
            series: chosen,
            total,
        })
    }

    /// By process only what is said of the process itself counts, not what its container has.
    fn takes(&self, scope: &Scope<'_>, target: &v1::Target) -> bool {
        match self.by {
            ResidentBy::Container => scope.takes(target),
            ResidentBy::Process => scope.takes_itself(target),
        }
    }

    fn cut(&self, points: Vec<v1::ResidentPoint>) -> Vec<v1::ResidentPoint> {
        if self.points == 0 {
            return Vec::new();
        }
        let from = self.from.as_ref().map(place);
        let to = self.to.as_ref().map(place);
        let is_within = |point: &v1::ResidentPoint| {
            let time = point.time.as_ref().map(place);
            from.is_none_or(|from| time >= Some(from)) && to.is_none_or(|to| time <= Some(to))
        };
        fewer(points.into_iter().filter(is_within).collect(), self.points)
    }
}

fn size(series: &v1::ResidentSeries) -> u64 {
    let now = series.now.as_ref();
    now.map_or(0, |now| now.anon_bytes.saturating_add(now.swap_bytes))
}

fn place_of(series: &v1::ResidentSeries) -> Option<(String, String, u32)> {
    let target = series.target.as_ref()?;
    Some((target.node.clone(), target.cgroup.clone(), target.pid))
}
