//! A blocking client of `profiler.v1.Query`.

use std::{
    future::Future,
    io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use hyper_util::rt::TokioIo;
use pbjson_types::Timestamp;
use profiler_proto::v1::{
    DiffRequest, DiffResponse, GetStatusRequest, GetStatusResponse, GroupBy, GrowthRow,
    ListConnectionsRequest, ListConnectionsResponse, ListNodesRequest, ListNodesResponse,
    ListOomKillsRequest, ListOomKillsResponse, ListRangesRequest, ListSeriesRequest,
    ListSeriesResponse, ListTargetsRequest, ListTargetsResponse, ListVerdictsRequest,
    ListVerdictsResponse, OrderBy, Range, Selector, Target, TopRequest, TopResponse,
    query_client::QueryClient,
};
use tokio::{net::UnixStream, runtime::Runtime};
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::surroundings::{eventually, patience};

/// No answer takes longer.
const ANSWER: Duration = Duration::from_secs(15);
/// Largest answer that is accepted.
const ANSWER_BYTES: usize = 256 << 20;

/// A connection.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    channel: Channel,
    query: QueryClient<Channel>,
}

/// A gRPC status; boxed, since it is large.
pub type Answer<T> = std::result::Result<T, Box<Status>>;

impl Client {
    /// Over a Unix socket.
    pub fn unix(socket: &Path) -> Result<Self> {
        let socket = socket.to_path_buf();
        // The name is not looked up: the connector decides where to connect.
        let endpoint = Endpoint::from_static("http://agent").connect_timeout(patience(ANSWER));
        Self::connect(async move {
            let connector = tower::service_fn(move |_| {
                let socket = socket.clone();
                async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(socket).await?)) }
            });
            endpoint.connect_with_connector(connector).await
        })
    }

    /// Over TCP on the loopback interface.
    pub fn tcp(port: u16) -> Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?
            .connect_timeout(patience(ANSWER));
        Self::connect(async move { endpoint.connect().await })
    }

    fn connect(
        connecting: impl Future<Output = std::result::Result<Channel, tonic::transport::Error>>,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start a runtime")?;
        let channel = runtime
            .block_on(connecting)
            .context("connect to the agent")?;
        let query = QueryClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES);
        Ok(Self {
            runtime,
            channel,
            query,
        })
    }

    fn ask<T>(
        runtime: &Runtime,
        question: impl Future<Output = std::result::Result<Response<T>, Status>>,
    ) -> Answer<T> {
        let limit = patience(ANSWER);
        runtime
            .block_on(async { tokio::time::timeout(limit, question).await })
            .unwrap_or_else(|_| Err(Status::deadline_exceeded(format!("no answer in {limit:?}"))))
            .map(Response::into_inner)
            .map_err(Box::new)
    }

    /// Whether the health service says SERVING.
    pub fn serving(&mut self) -> bool {
        let mut health = HealthClient::new(self.channel.clone());
        let question = HealthCheckRequest {
            service: String::new(),
        };
        Self::ask(&self.runtime, health.check(question))
            .is_ok_and(|answer| answer.status() == ServingStatus::Serving)
    }

    /// What the health service says of a container, by the beginning of its id.
    pub fn health_of(&mut self, container: &str) -> Answer<ServingStatus> {
        let mut health = HealthClient::new(self.channel.clone());
        let question = HealthCheckRequest {
            service: format!("container/{container}"),
        };
        Self::ask(&self.runtime, health.check(question)).map(|answer| answer.status())
    }

    /// `GetStatus`.
    pub fn status(&mut self) -> Answer<GetStatusResponse> {
        Self::ask(&self.runtime, self.query.get_status(GetStatusRequest {}))
    }

    /// `ListTargets`.
    pub fn targets(&mut self, request: ListTargetsRequest) -> Answer<ListTargetsResponse> {
        Self::ask(&self.runtime, self.query.list_targets(request))
    }

    /// The target of one process that is still there.
    pub fn target(&mut self, pid: u32) -> Result<Target> {
        let request = ListTargetsRequest {
            selector: Some(of_pid(pid)),
            ..Default::default()
        };
        let answer = self.targets(request).context("ListTargets")?;
        answer
            .targets
            .into_iter()
            .find(|target| target.pid == pid)
            .with_context(|| format!("process {pid} is not a target"))
    }

    /// `Top`.
    pub fn top(&mut self, request: TopRequest) -> Answer<TopResponse> {
        Self::ask(&self.runtime, self.query.top(request))
    }

    /// All stacks of one process, most events first.
    pub fn stacks(&mut self, pid: u32) -> Result<Vec<GrowthRow>> {
        let request = TopRequest {
            selector: Some(of_pid(pid)),
            by: GroupBy::Stack.into(),
            order: OrderBy::Events.into(),
            limit: 10_000,
            ..Default::default()
        };
        Ok(self.top(request).context("Top")?.rows)
    }

    /// Waits for a snapshot that is kept of a moment behind this one.
    pub fn snapshot_after(&mut self, moment: Timestamp) -> Result<Timestamp> {
        eventually(Duration::from_secs(25), || {
            let request = TopRequest {
                at: Some(now()?),
                limit: 1,
                ..Default::default()
            };
            let snapshot = self.top(request).context("Top")?.snapshot;
            let time = snapshot
                .and_then(|it| it.time)
                .context("no time of the snapshot")?;
            ensure!(
                (time.seconds, time.nanos) > (moment.seconds, moment.nanos),
                "no snapshot yet"
            );
            Ok(time)
        })
    }

    /// `Diff`.
    pub fn diff(&mut self, request: DiffRequest) -> Answer<DiffResponse> {
        Self::ask(&self.runtime, self.query.diff(request))
    }

    /// `ListConnections`.
    pub fn connections(
        &mut self,
        request: ListConnectionsRequest,
    ) -> Answer<ListConnectionsResponse> {
        Self::ask(&self.runtime, self.query.list_connections(request))
    }

    /// `ListSeries`.
    pub fn series(&mut self, request: ListSeriesRequest) -> Answer<ListSeriesResponse> {
        Self::ask(&self.runtime, self.query.list_series(request))
    }

    /// `ListNodes`, of all nodes.
    pub fn nodes(&mut self) -> Answer<ListNodesResponse> {
        let request = ListNodesRequest::default();
        Self::ask(&self.runtime, self.query.list_nodes(request))
    }

    /// `ListOomKills`, newest as the agent orders them.
    pub fn oom_kills(&mut self) -> Answer<ListOomKillsResponse> {
        let request = ListOomKillsRequest::default();
        Self::ask(&self.runtime, self.query.list_oom_kills(request))
    }

    /// `ListVerdicts`.
    pub fn verdicts(&mut self, request: ListVerdictsRequest) -> Answer<ListVerdictsResponse> {
        Self::ask(&self.runtime, self.query.list_verdicts(request))
    }

    /// `ListRanges`, without frames.
    pub fn ranges(&mut self, pid: u32) -> Answer<Vec<Range>> {
        let request = ListRangesRequest {
            pid,
            with_frames: false,
        };
        Self::ask(&self.runtime, self.query.list_ranges(request)).map(|answer| answer.ranges)
    }
}

/// Selects one process.
pub fn of_pid(pid: u32) -> Selector {
    Selector {
        pids: vec![pid],
        ..Default::default()
    }
}

/// The time of the wall clock.
pub fn now() -> Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp {
        seconds: since.as_secs().cast_signed(),
        nanos: since.subsec_nanos().cast_signed(),
    })
}
