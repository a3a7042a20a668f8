//! OOM kills, the latest first.

use std::cmp::Reverse;

use pbjson_types::Timestamp;
use profiler_proto::v1;
use tonic::Status;

use super::Scope;
use crate::{
    answer::{
        Filter,
        bounds::{at_most, in_order, place},
    },
    model::TargetInfo,
};

/// Kills when none are asked for in particular, and at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 1_000;

/// A question for OOM kills that was checked.
#[derive(Debug)]
pub struct ListOomKills {
    /// What is asked about.
    pub filter: Filter,
    /// Kills at and after this moment; none: as far back as they are kept.
    pub from: Option<Timestamp>,
    /// Kills up to this moment; none: all.
    pub to: Option<Timestamp>,
    limit: usize,
}

impl ListOomKills {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn new(request: &v1::ListOomKillsRequest) -> Result<Self, Status> {
        in_order(request.from.as_ref(), request.to.as_ref())?;
        Ok(Self {
            filter: Filter::new(request.selector.as_ref())?,
            from: request.from,
            to: request.to,
            limit: at_most("limit", request.limit, LIMIT_DEFAULT, LIMIT_MAX)? as usize,
        })
    }

    /// Kills at the most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The chosen kills. What is asked about may be long gone, so that nobody is told that it was
    /// never there. `forgotten`: kills before those.
    pub fn answer(
        &self,
        kills: Vec<v1::OomKill>,
        processes: &[&TargetInfo],
        forgotten: u64,
    ) -> v1::ListOomKillsResponse {
        let scope = Scope::new(&self.filter, processes);
        let mut chosen: Vec<v1::OomKill> = kills
            .into_iter()
            .filter(|kill| self.is_within(kill) && is_of(&scope, kill))
            .collect();
        let total = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        chosen.sort_by_key(|kill| (Reverse(kill.time.as_ref().map(place)), kill.pid));
        chosen.truncate(self.limit);
        v1::ListOomKillsResponse {
            kills: chosen,
            total,
            forgotten,
        }
    }

    fn is_within(&self, kill: &v1::OomKill) -> bool {
        let time = kill.time.as_ref().map(place);
        let from = self.from.as_ref().map(place);
        let to = self.to.as_ref().map(place);
        from.is_none_or(|from| time >= Some(from)) && to.is_none_or(|to| time <= Some(to))
    }
}

fn is_of(scope: &Scope<'_>, kill: &v1::OomKill) -> bool {
    match &kill.target {
        Some(target) => scope.takes(target),
        // Nothing is known of the victim but what the kernel said.
        None => scope.takes(&v1::Target {
            pid: kill.pid,
            process_name: kill.process_name.clone(),
            node: kill.node.clone(),
            ..v1::Target::default()
        }),
    }
}
