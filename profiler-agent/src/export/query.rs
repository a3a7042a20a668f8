//! `profiler.v1.Query` on the agent.

use std::sync::{Arc, Mutex, PoisonError};

use pbjson_types::Timestamp;
use profiler_proto::v1::{self, query_server::Query};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Request, Response, Status};

use super::{
    accounting::{Basis, StatusFacts},
    connections::Listing,
    live::{Ask, Fresh, Live},
    moments,
    names::NameStacks,
    node::Node,
    ranges,
    selector::{Filter, Selection, unknown_pid},
    status, targets,
    time::{Clock, Moment},
    top::{Rows, Shape},
};
use crate::{
    connection::Connections,
    ids::BootTime,
    profile::{Growth, History, HistoryStatus, Recall, Snapshot},
};

/// Questions that are answered at one time; the next ones are refused and can be asked again.
const CONCURRENT: usize = 32;

/// Of those, answers that are put together at one time: it takes memory. The others wait.
const WORKING: usize = 4;

/// Where answers come from.
pub struct Sources {
    /// To the pipeline's thread.
    pub asks: mpsc::Sender<Ask>,
    /// Past snapshots. The pipeline adds to it.
    pub history: Arc<Mutex<History>>,
    /// Names of frames.
    pub names: Arc<dyn NameStacks>,
    /// Wall clock and boot clock.
    pub clock: Clock,
}

/// Answers questions. Clones share everything.
#[derive(Clone)]
pub struct QueryService {
    inner: Arc<Inner>,
}

struct Inner {
    live: Live,
    history: Arc<Mutex<History>>,
    names: Arc<dyn NameStacks>,
    clock: Clock,
    node: Node,
    permits: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

impl QueryService {
    /// A service over these sources.
    pub fn new(sources: Sources) -> Self {
        Self {
            inner: Arc::new(Inner {
                live: Live::new(sources.asks),
                history: sources.history,
                names: sources.names,
                clock: sources.clock,
                node: Node::read(),
                permits: Arc::new(Semaphore::new(CONCURRENT)),
                working: Arc::new(Semaphore::new(WORKING)),
            }),
        }
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permits = Arc::clone(&self.inner.permits);
        permits.try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "the agent answers {CONCURRENT} questions at once and has as many; ask again in a \
                 moment"
            ))
        })
    }

    /// Runs what may take long or block away from the threads that serve connections. The permits
    /// are held until it is done, even if the asker gives up.
    async fn work<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce() -> Result<T, Status> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let working = Arc::clone(&self.inner.working).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop((working, permit));
            answer
        });
        let answer = done
            .await
            .map_err(|error| Status::internal(format!("answering failed: {error}")))?;
        answer.map(Response::new)
    }
}

impl Inner {
    fn history_status(&self) -> HistoryStatus {
        let history = self.history.lock();
        history.unwrap_or_else(PoisonError::into_inner).status()
    }

    async fn connections_for(&self, shape: Shape) -> Result<Arc<Connections>, Status> {
        if shape.needs_connections() {
            return self.live.connections().await;
        }
        Ok(Arc::default())
    }

    fn recall(
        &self,
        field: &str,
        wall: Option<&Timestamp>,
        clocks: Moment,
    ) -> Result<Option<Recall>, Status> {
        wall.map(|wall| moments::recall(&self.history, field, wall, clocks))
            .transpose()
    }
}

/// A question about growth, checked.
struct Question {
    inner: Arc<Inner>,
    filter: Filter,
    shape: Shape,
    since: Option<Recall>,
    at: Option<Recall>,
    fresh: Fresh,
    /// Empty where they are not needed.
    connections: Arc<Connections>,
    clocks: Moment,
}

/// What Top and Diff have in common.
struct Answer {
    rows: Rows,
    from: Option<BootTime>,
    time: BootTime,
    accounting: v1::Accounting,
}

impl Question {
    /// Blocks.
    fn answer(self) -> Result<Answer, Status> {
        let end = End::new(self.at.as_ref(), &self.fresh);
        let since = self.since.as_ref().map(Recall::snapshot);
        let growth = match &since {
            Some(since) => Growth::between(since, &end.snapshot, &self.connections.folded),
            None => Growth::since_start(&end.snapshot),
        };
        let selection = self.filter.choose(&growth.processes)?;
        self.shape.check_connection(&growth, &self.connections)?;
        let rows = self.shape.rows(
            &growth,
            &selection,
            &*self.inner.names,
            &self.connections,
            self.clocks,
        );
        Ok(Answer {
            rows,
            from: growth.from,
            time: growth.time,
            accounting: end.account(&self.inner, &selection),
        })
    }
}

/// The moment that an answer stands for.
struct End {
    snapshot: Arc<Snapshot>,
    facts: Arc<StatusFacts>,
    is_now: bool,
}

impl End {
    fn new(at: Option<&Recall>, fresh: &Fresh) -> Self {
        Self {
            snapshot: match at {
                Some(recall) => Arc::new(recall.snapshot()),
                None => Arc::clone(&fresh.snapshot),
            },
            facts: Arc::clone(&fresh.facts),
            is_now: at.is_none(),
        }
    }

    fn basis(&self, inner: &Inner) -> Basis<'_> {
        Basis {
            facts: &self.facts,
            history: inner.history_status(),
            snapshot: &self.snapshot,
            is_now: self.is_now,
        }
    }

    fn account(&self, inner: &Inner, selection: &Selection) -> v1::Accounting {
        self.basis(inner).account(selection)
    }
}

fn in_order(
    names: [&str; 2],
    since: Option<&Recall>,
    at: Option<&Recall>,
    now: BootTime,
) -> Result<(), Status> {
    let end = at.map_or(now, Recall::time);
    match since {
        Some(since) if since.time() > end => Err(Status::invalid_argument(format!(
            "{} lies after {}",
            names[0], names[1]
        ))),
        _ => Ok(()),
    }
}

#[tonic::async_trait]
impl Query for QueryService {
    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let permit = self.admit()?;
        let fresh = self.inner.live.fresh().await?;
        let inner = Arc::clone(&self.inner);
        self.work(permit, move || {
            let end = End::new(None, &fresh);
            let clocks = inner.clock.read();
            Ok(status::answer(&end.basis(&inner), &inner.node, clocks))
        })
        .await
    }

    async fn list_targets(
        &self,
        request: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsResponse>, Status> {
        let request = request.into_inner();
        let filter = Filter::new(request.selector.as_ref())?;
        let permit = self.admit()?;
        let fresh = self.inner.live.fresh().await?;
        let inner = Arc::clone(&self.inner);
        self.work(permit, move || {
            let clocks = inner.clock.read();
            let end = End::new(None, &fresh);
            let growth = Growth::since_start(&end.snapshot);
            let selection = filter.choose(&growth.processes)?;
            let (targets, total) = targets::targets(
                &end.snapshot,
                &selection,
                request.include_exited,
                request.limit,
                clocks,
            );
            Ok(v1::ListTargetsResponse {
                targets,
                total,
                snapshot: Some(moment(end.snapshot.time, None, &end.facts, clocks)),
                accounting: Some(end.account(&inner, &selection)),
            })
        })
        .await
    }

    async fn top(
        &self,
        request: Request<v1::TopRequest>,
    ) -> Result<Response<v1::TopResponse>, Status> {
        let request = request.into_inner();
        let clocks = self.inner.clock.read();
        let since = self.inner.recall("since", request.since.as_ref(), clocks)?;
        let at = self.inner.recall("at", request.at.as_ref(), clocks)?;
        in_order(["since", "at"], since.as_ref(), at.as_ref(), clocks.now)?;
        let shape = Shape::new(
            request.by,
            request.order,
            request.limit,
            request.include_unattributed,
            since.is_some(),
        )?;
        let shape = shape.of_connection(request.connection);
        let filter = Filter::new(request.selector.as_ref())?;
        let permit = self.admit()?;
        let question = Question {
            inner: Arc::clone(&self.inner),
            filter,
            shape,
            since,
            at,
            fresh: self.inner.live.fresh().await?,
            connections: self.inner.connections_for(shape).await?,
            clocks,
        };
        self.work(permit, move || {
            let facts = Arc::clone(&question.fresh.facts);
            let answer = question.answer()?;
            Ok(v1::TopResponse {
                rows: answer.rows.rows,
                total_rows: answer.rows.total,
                snapshot: Some(moment(answer.time, answer.from, &facts, clocks)),
                accounting: Some(answer.accounting),
            })
        })
        .await
    }

    async fn diff(
        &self,
        request: Request<v1::DiffRequest>,
    ) -> Result<Response<v1::DiffResponse>, Status> {
        let request = request.into_inner();
        let clocks = self.inner.clock.read();
        if request.from.is_none() {
            return Err(Status::invalid_argument(
                "from: a diff needs the moment that it begins with",
            ));
        }
        let since = self.inner.recall("from", request.from.as_ref(), clocks)?;
        let at = self.inner.recall("to", request.to.as_ref(), clocks)?;
        in_order(["from", "to"], since.as_ref(), at.as_ref(), clocks.now)?;
        let shape = Shape::new(
            request.by,
            request.order,
            request.limit,
            request.include_unattributed,
            true,
        )?;
        let shape = shape.of_connection(request.connection);
        let filter = Filter::new(request.selector.as_ref())?;
        let permit = self.admit()?;
        let question = Question {
            inner: Arc::clone(&self.inner),
            filter,
            shape,
            since,
            at,
            fresh: self.inner.live.fresh().await?,
            connections: self.inner.connections_for(shape).await?,
            clocks,
        };
        self.work(permit, move || {
            let answer = question.answer()?;
            Ok(v1::DiffResponse {
                rows: answer.rows.rows,
                total_rows: answer.rows.total,
                from: answer.from.map(|from| clocks.to_wall(from)),
                to: Some(clocks.to_wall(answer.time)),
                accounting: Some(answer.accounting),
            })
        })
        .await
    }

    async fn list_connections(
        &self,
        request: Request<v1::ListConnectionsRequest>,
    ) -> Result<Response<v1::ListConnectionsResponse>, Status> {
        let request = request.into_inner();
        let filter = Filter::new(request.selector.as_ref())?;
        let listing = Listing::new(request)?;
        let permit = self.admit()?;
        let fresh = self.inner.live.fresh().await?;
        let connections = self.inner.live.connections().await?;
        let inner = Arc::clone(&self.inner);
        self.work(permit, move || {
            let clocks = inner.clock.read();
            let end = End::new(None, &fresh);
            let growth = Growth::since_start(&end.snapshot);
            let selection = filter.choose(&growth.processes)?;
            let mut answer = listing.answer(&connections, &growth, &selection, clocks)?;
            answer.snapshot = Some(moment(connections.time, None, &end.facts, clocks));
            answer.accounting = Some(end.account(&inner, &selection));
            Ok(answer)
        })
        .await
    }

    async fn list_ranges(
        &self,
        request: Request<v1::ListRangesRequest>,
    ) -> Result<Response<v1::ListRangesResponse>, Status> {
        let v1::ListRangesRequest { pid, with_frames } = request.into_inner();
        let permit = self.admit()?;
        let ledger = self.inner.live.ranges(pid).await?;
        let ledger = ledger.ok_or_else(|| unknown_pid(pid))?;
        let inner = Arc::clone(&self.inner);
        self.work(permit, move || {
            let names = with_frames.then_some(&*inner.names);
            Ok(ranges::answer(&ledger, names, inner.clock.read()))
        })
        .await
    }
}

fn moment(
    time: BootTime,
    from: Option<BootTime>,
    facts: &StatusFacts,
    clocks: Moment,
) -> v1::Snapshot {
    v1::Snapshot {
        time: Some(clocks.to_wall(time)),
        since: Some(clocks.to_wall(from.unwrap_or(facts.started))),
    }
}
