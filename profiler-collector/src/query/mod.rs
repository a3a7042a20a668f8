//! `profiler.v1.Query` over all nodes. The answers are made by the same code as on the agents; here
//! their inputs are put together.

mod clock;
mod connections;
mod growth;
mod inputs;
mod kills;
mod moments;
mod nodes;
mod series;
mod status;
mod targets;
mod verdicts;
mod watch;

use std::{future::Future, sync::Arc, time::Duration};

use profiler_proto::v1::{self, query_server::Query};
use tokio::{
    sync::{Semaphore, watch as signal},
    time::timeout,
};
use tonic::{Request, Response, Status};

pub use clock::Clock;
use watch::Source;

use crate::{
    fleet::{Cost, CostLimits, Fleet},
    ingest::Changes,
    store::{Retention, Store, WallTime},
};

/// Questions that are answered at one time; the next ones are refused and can be asked again.
const CONCURRENT: usize = 64;

/// Of those, answers that are put together at one time: it takes memory. The others wait.
const WORKING: usize = 4;

/// The longest that an answer may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Answers questions. Clones share everything.
#[derive(Clone)]
pub struct QueryService {
    inner: Arc<Inner>,
    source: Source,
}

struct Inner {
    store: Arc<dyn Store>,
    fleet: Fleet,
    limits: CostLimits,
    clock: Clock,
    started: WallTime,
    permits: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

impl QueryService {
    /// A service over what `store` keeps. `retention`: how batches are thinned out in it, which
    /// tells how far apart they are in the past.
    pub fn new(
        store: Arc<dyn Store>,
        limits: CostLimits,
        retention: Retention,
        clock: Clock,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                fleet: Fleet::new(Arc::clone(&store), limits.cache_bytes, retention),
                store,
                limits,
                clock,
                started: clock.now(),
                permits: Arc::new(Semaphore::new(CONCURRENT)),
                working: Arc::new(Semaphore::new(WORKING)),
            }),
            source: Source {
                changes: Changes::default(),
                stopped: None,
            },
        }
    }

    /// Tells watchers of verdicts these changes, until `stopped` is true or its sender gone. Without
    /// it they learn what holds when they begin, and no more.
    #[must_use]
    pub fn with_changes(self, changes: Changes, stopped: signal::Receiver<bool>) -> Self {
        let source = Source {
            changes,
            stopped: Some(stopped),
        };
        Self { source, ..self }
    }

    async fn answer<T, A: Future<Output = Result<T, Status>>>(
        &self,
        answer: impl FnOnce(Arc<Inner>, Arc<Cost>) -> A,
    ) -> Result<Response<T>, Status> {
        let inner = &self.inner;
        let place = Arc::clone(&inner.permits).try_acquire_owned();
        let place = place.map_err(|_| {
            Status::resource_exhausted(format!(
                "the collector answers {CONCURRENT} questions at once and has as many; ask again \
                 in a moment"
            ))
        })?;
        let work = async {
            let working = Arc::clone(&inner.working).acquire_owned().await;
            let working = working.map_err(|_| Status::unavailable("the collector ends"))?;
            let cost = Arc::new(Cost::new(inner.limits, vec![place, working]));
            let _asked = Asked(Arc::clone(&cost));
            answer(Arc::clone(inner), cost).await
        };
        let answer = timeout(DEADLINE, work).await.map_err(|_| {
            Status::deadline_exceeded(format!(
                "the answer takes longer than {} s; choose fewer nodes (selector.nodes) or a \
                 shorter time",
                DEADLINE.as_secs()
            ))
        })?;
        answer.map(Response::new)
    }
}

/// Somebody waits for the answer.
struct Asked(Arc<Cost>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Verdicts as they change.
pub type VerdictStream =
    std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::VerdictChange, Status>> + Send>>;

#[tonic::async_trait]
impl Query for QueryService {
    async fn list_verdicts(
        &self,
        request: Request<v1::ListVerdictsRequest>,
    ) -> Result<Response<v1::ListVerdictsResponse>, Status> {
        self.answer(|inner, cost| verdicts::list(inner, cost, request.into_inner()))
            .await
    }

    type WatchVerdictsStream = VerdictStream;

    async fn watch_verdicts(
        &self,
        request: Request<v1::WatchVerdictsRequest>,
    ) -> Result<Response<VerdictStream>, Status> {
        let begin = async {
            let read = |inner, cost| watch::Begin::read(inner, cost, request.into_inner());
            Ok(self.answer(read).await?.into_inner())
        };
        let stream = watch::start(self.source.clone(), begin).await?;
        Ok(Response::new(stream))
    }

    async fn list_oom_kills(
        &self,
        request: Request<v1::ListOomKillsRequest>,
    ) -> Result<Response<v1::ListOomKillsResponse>, Status> {
        self.answer(|inner, cost| kills::list(inner, cost, request.into_inner()))
            .await
    }

    async fn list_resident(
        &self,
        request: Request<v1::ListResidentRequest>,
    ) -> Result<Response<v1::ListResidentResponse>, Status> {
        self.answer(|inner, cost| verdicts::resident(inner, cost, request.into_inner()))
            .await
    }

    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        self.answer(status::get).await
    }

    async fn list_targets(
        &self,
        request: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsResponse>, Status> {
        self.answer(|inner, cost| targets::list(inner, cost, request.into_inner()))
            .await
    }

    async fn top(
        &self,
        request: Request<v1::TopRequest>,
    ) -> Result<Response<v1::TopResponse>, Status> {
        self.answer(|inner, cost| growth::top(inner, cost, request.into_inner()))
            .await
    }

    async fn diff(
        &self,
        request: Request<v1::DiffRequest>,
    ) -> Result<Response<v1::DiffResponse>, Status> {
        self.answer(|inner, cost| growth::diff(inner, cost, request.into_inner()))
            .await
    }

    async fn list_connections(
        &self,
        request: Request<v1::ListConnectionsRequest>,
    ) -> Result<Response<v1::ListConnectionsResponse>, Status> {
        self.answer(|inner, cost| connections::list(inner, cost, request.into_inner()))
            .await
    }

    async fn list_series(
        &self,
        request: Request<v1::ListSeriesRequest>,
    ) -> Result<Response<v1::ListSeriesResponse>, Status> {
        self.answer(|inner, cost| series::list(inner, cost, request.into_inner()))
            .await
    }

    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        self.answer(|inner, cost| nodes::list(inner, cost, request.into_inner()))
            .await
    }

    async fn list_ranges(
        &self,
        _request: Request<v1::ListRangesRequest>,
    ) -> Result<Response<v1::ListRangesResponse>, Status> {
        Err(Status::unimplemented(
            "ledgers stay on the agents: ask the agent of the node that the process is on",
        ))
    }
}
