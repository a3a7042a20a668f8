//! `profiler.v1.Query` on the agent.

use std::sync::{Arc, Mutex};

use profiler_proto::v1::{self, query_server::Query};
use profiler_query::answer::{
    Filter, NameStacks, Question, Series, Targets,
    connections::Listing,
    verdicts::{ListOomKills, ListResident, WatchVerdicts},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Request, Response, Status};

use super::{
    connections,
    gather::{Gathered, Inner},
    growth::{self, Answered},
    live::{Ask, Live},
    node::Node,
    over_time, ranges, status,
    time::Clock,
    unknown::{refusal, unknown_pid},
    verdicts,
};
use crate::{
    health::Verdicts,
    profile::{Growth, History, NodeFacts},
    verdict::Shared,
};

/// Questions that are answered at one time; the next ones are refused and can be asked again.
const CONCURRENT: usize = 32;

/// Of those, answers that are put together at one time: it takes memory. The others wait.
const WORKING: usize = 4;

/// Those who watch verdicts at one time; more are refused.
const WATCHERS: usize = 32;

/// Where answers come from.
#[derive(Clone)]
pub struct Sources {
    /// To the pipeline's thread.
    pub asks: mpsc::Sender<Ask>,
    /// Past snapshots. The pipeline adds to it.
    pub history: Arc<Mutex<History>>,
    /// Names of frames.
    pub names: Arc<dyn NameStacks>,
    /// Wall clock and boot clock.
    pub clock: Clock,
    /// The node that this agent is on.
    pub node: Arc<NodeFacts>,
    /// The board of verdicts.
    pub verdicts: Arc<Shared>,
}

/// Answers questions. Clones share everything.
#[derive(Clone)]
pub struct QueryService {
    inner: Arc<Inner>,
    permits: Arc<Semaphore>,
    working: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
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
                node: Node::read(Some(&sources.node.name)),
                verdicts: sources.verdicts,
            }),
            permits: Arc::new(Semaphore::new(CONCURRENT)),
            working: Arc::new(Semaphore::new(WORKING)),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
        }
    }

    /// For probes of health.
    pub(super) fn verdicts(&self) -> Arc<dyn Verdicts> {
        Arc::clone(&self.inner.verdicts) as _
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permits = Arc::clone(&self.permits);
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
        let working = Arc::clone(&self.working).acquire_owned().await;
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

    /// The state of things now.
    async fn gather(&self) -> Result<Gathered, Status> {
        Ok(Gathered {
            inner: Arc::clone(&self.inner),
            fresh: self.inner.live.fresh().await?,
        })
    }

    /// What Top and Diff have in common.
    async fn growth(&self, question: Question) -> Result<Response<Answered>, Status> {
        let clocks = self.inner.clock.read();
        let moments = self.inner.moments(&question, clocks)?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        let connections = match question.shape.needs_connections() {
            true => self.inner.live.connections().await?,
            false => Arc::default(),
        };
        self.work(permit, move || {
            growth::answer(&gathered, &question, &moments, &connections, clocks)
        })
        .await
    }
}

#[tonic::async_trait]
impl Query for QueryService {
    async fn list_verdicts(
        &self,
        request: Request<v1::ListVerdictsRequest>,
    ) -> Result<Response<v1::ListVerdictsResponse>, Status> {
        let question = verdicts::question(&request.into_inner())?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || verdicts::list(&gathered, &question))
            .await
    }

    type WatchVerdictsStream = verdicts::Changes;

    async fn watch_verdicts(
        &self,
        request: Request<v1::WatchVerdictsRequest>,
    ) -> Result<Response<verdicts::Changes>, Status> {
        let question = WatchVerdicts::new(&request.into_inner())?;
        let watchers = Arc::clone(&self.watchers).try_acquire_owned();
        let watcher = watchers.map_err(|_| {
            Status::resource_exhausted(format!(
                "{WATCHERS} watch verdicts already; ask again later, or list them now and then"
            ))
        })?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || verdicts::watch(gathered, question, watcher))
            .await
    }

    async fn list_oom_kills(
        &self,
        request: Request<v1::ListOomKillsRequest>,
    ) -> Result<Response<v1::ListOomKillsResponse>, Status> {
        let question = ListOomKills::new(&request.into_inner())?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || Ok(verdicts::kills(&gathered, &question)))
            .await
    }

    async fn list_resident(
        &self,
        request: Request<v1::ListResidentRequest>,
    ) -> Result<Response<v1::ListResidentResponse>, Status> {
        let question = ListResident::new(&request.into_inner())?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || verdicts::resident(&gathered, &question))
            .await
    }

    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || {
            let end = gathered.end(None);
            let inner = &gathered.inner;
            Ok(status::answer(
                &end.basis(inner),
                &inner.node,
                inner.clock.read(),
            ))
        })
        .await
    }

    async fn list_targets(
        &self,
        request: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsResponse>, Status> {
        let targets = Targets::new(request.into_inner())?;
        let clocks = self.inner.clock.read();
        let at = self.inner.recall(&targets.at, clocks)?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || {
            let end = gathered.end(at.as_ref());
            let chosen = targets.filter.choose(end.snapshot.targets());
            let selection = chosen.map_err(refusal)?;
            Ok(v1::ListTargetsResponse {
                snapshot: Some(end.moment(end.snapshot.time, None, clocks)),
                accounting: Some(end.account(&gathered.inner, &selection)),
                ..targets.answer(&end.snapshot, &selection, clocks, &[])
            })
        })
        .await
    }

    async fn top(
        &self,
        request: Request<v1::TopRequest>,
    ) -> Result<Response<v1::TopResponse>, Status> {
        let answered = self.growth(Question::top(request.into_inner())?).await?;
        Ok(answered.map(Answered::into_top))
    }

    async fn diff(
        &self,
        request: Request<v1::DiffRequest>,
    ) -> Result<Response<v1::DiffResponse>, Status> {
        let answered = self.growth(Question::diff(request.into_inner())?).await?;
        Ok(answered.map(Answered::into_diff))
    }

    async fn list_connections(
        &self,
        request: Request<v1::ListConnectionsRequest>,
    ) -> Result<Response<v1::ListConnectionsResponse>, Status> {
        let request = request.into_inner();
        let filter = Filter::new(request.selector.as_ref())?;
        let listing = Listing::new(request)?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        let connections = self.inner.live.connections().await?;
        self.work(permit, move || {
            let clocks = gathered.inner.clock.read();
            let end = gathered.end(None);
            let growth = Growth::since_start(&end.snapshot);
            let selection = filter.choose(growth.targets()).map_err(refusal)?;
            Ok(v1::ListConnectionsResponse {
                snapshot: Some(end.moment(connections.time, None, clocks)),
                accounting: Some(end.account(&gathered.inner, &selection)),
                ..connections::answer(&listing, &connections, &growth, &selection, clocks)
            })
        })
        .await
    }

    async fn list_series(
        &self,
        request: Request<v1::ListSeriesRequest>,
    ) -> Result<Response<v1::ListSeriesResponse>, Status> {
        let series = Series::new(request.into_inner())?;
        let clocks = self.inner.clock.read();
        let end = self.inner.recall(&series.end, clocks)?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || {
            over_time::series(&gathered, &series, end.as_ref(), clocks)
        })
        .await
    }

    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        let filter = Filter::new(request.into_inner().selector.as_ref())?;
        let permit = self.admit()?;
        let gathered = self.gather().await?;
        self.work(permit, move || Ok(over_time::node(&gathered, &filter)))
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
