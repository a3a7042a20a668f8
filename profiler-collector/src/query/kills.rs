//! `ListOomKills`, from the events that the store keeps.

use std::sync::Arc;

use profiler_proto::v1::{self, event::Kind};
use profiler_query::{
    answer::{Filter, verdicts::ListOomKills},
    model::NodeFacts,
};
use prost::Message as _;
use tonic::Status;

use super::{
    Inner,
    inputs::Inputs,
    moments::{self, Span},
    verdicts::infos,
};
use crate::{
    fleet::{Cost, With, may_be_on, of_store},
    store::{EventKind, EventPlace, EventsOf, PageMost, WallTime},
};

/// Events that are in memory at one time, and bytes of their messages: in memory a hostile one takes
/// some tens of times as much.
const TOGETHER: PageMost = PageMost {
    events: 500,
    bytes: 4 << 20,
};

pub(super) async fn list(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListOomKillsRequest,
) -> Result<v1::ListOomKillsResponse, Status> {
    let asked = ListOomKills::new(&request)?;
    let bound = |field, time: &Option<_>, open| {
        let time = time.as_ref().map(|time| moments::nanoseconds(field, time));
        time.unwrap_or(Ok(WallTime(open)))
    };
    let from = bound("from", &asked.from, 0)?;
    let to = bound("to", &asked.to, i64::MAX)?;
    let mut of = EventsOf::new(EventKind::OomKill, from, to);
    if from > to {
        return Ok(v1::ListOomKillsResponse::default());
    }
    let total = narrow(&inner, &asked.filter, &mut of).await?;
    if is_of_nodes_alone(&request)? {
        let kills = latest(&inner, &cost, &of, asked.limit()).await?;
        let mut answer = asked.answer(kills, &[], 0);
        answer.total = u32::try_from(total).unwrap_or(u32::MAX);
        return Ok(answer);
    }
    let known = processes(&inner, &asked.filter, &cost).await?;
    let processes = infos(&known.gathered.end);
    let mut pages = Pages::new(of);
    let mut answer = v1::ListOomKillsResponse::default();
    while let Some(kills) = pages.next(&inner, &cost, TOGETHER.events).await? {
        let mut page = asked.answer(kills, &processes, 0);
        answer.total = answer.total.saturating_add(page.total);
        // What is over the limit only counts.
        let left = asked.limit().saturating_sub(answer.kills.len());
        page.kills.truncate(left);
        answer.kills.append(&mut page.kills);
    }
    Ok(answer)
}

/// Leaves the nodes that are asked about; how many kills they have.
async fn narrow(inner: &Inner, filter: &Filter, of: &mut EventsOf) -> Result<u64, Status> {
    let mut nodes = inner.store.count_events(of).await.map_err(of_store)?;
    let all = nodes.len();
    nodes.retain(|(name, _)| {
        filter.may_be_on(&NodeFacts {
            name: name.clone(),
            ..NodeFacts::default()
        })
    });
    let total = nodes.iter().map(|(_, count)| count).sum();
    if nodes.len() < all {
        of.nodes = Some(nodes.into_iter().map(|(name, _)| name).collect());
    }
    Ok(total)
}

/// Whether the store can tell which kills are chosen without unpacking them.
fn is_of_nodes_alone(request: &v1::ListOomKillsRequest) -> Result<bool, Status> {
    let mut selector = request.selector.clone().unwrap_or_default();
    selector.nodes.clear();
    Ok(Filter::new(Some(&selector))?.is_empty())
}

async fn latest(
    inner: &Inner,
    cost: &Cost,
    of: &EventsOf,
    limit: usize,
) -> Result<Vec<v1::OomKill>, Status> {
    let mut pages = Pages::new(of.clone());
    let mut latest = Vec::new();
    while latest.len() < limit {
        let left = u32::try_from(limit - latest.len()).unwrap_or(u32::MAX);
        let most = left.min(TOGETHER.events);
        let Some(kills) = pages.next(inner, cost, most).await? else {
            break;
        };
        latest.extend(kills);
    }
    Ok(latest)
}

/// What is there now, to find the containers that processes are in.
async fn processes(inner: &Inner, filter: &Filter, cost: &Arc<Cost>) -> Result<Inputs, Status> {
    let mut runs = inner.fleet.runs().await?;
    runs.retain(|run| may_be_on(filter, run));
    let span = Span::now(inner.clock.now());
    Inputs::read(inner, &runs, &span, With::Targets, cost).await
}

/// Kills, some at a time, the latest first.
struct Pages {
    of: EventsOf,
    after: Option<EventPlace>,
    is_over: bool,
}

impl Pages {
    fn new(of: EventsOf) -> Self {
        Self {
            of,
            after: None,
            is_over: false,
        }
    }

    /// At most so many; none when there are no more.
    async fn next(
        &mut self,
        inner: &Inner,
        cost: &Cost,
        events: u32,
    ) -> Result<Option<Vec<v1::OomKill>>, Status> {
        if self.is_over {
            return Ok(None);
        }
        let most = PageMost { events, ..TOGETHER };
        let page = inner.store.events(&self.of, self.after, most).await;
        let page = page.map_err(of_store)?;
        let sizes = page.events.iter().map(|one| one.event.encoded_len() as u64);
        cost.bytes(sizes.sum())?;
        (self.is_over, self.after) = (page.next.is_none(), page.next);
        let kills = page.events.into_iter();
        let kills = kills.filter_map(|one| match one.event.kind {
            Some(Kind::OomKill(kill)) => Some(kill),
            _ => None,
        });
        Ok(Some(kills.collect()))
    }
}
