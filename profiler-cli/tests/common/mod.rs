//! A Query server with canned answers, in this process, and the client as a child process.

mod connections;
mod fleet;
mod resident;
mod server;
mod verdicts;

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use pbjson_types::Timestamp;
use profiler_proto::v1::{
    Accounting, DiffRequest, DiffResponse, Frame, FrameKind, GetStatusRequest, GetStatusResponse,
    GroupBy, GrowthRow, ListConnectionsRequest, ListConnectionsResponse, ListNodesRequest,
    ListNodesResponse, ListOomKillsRequest, ListOomKillsResponse, ListRangesRequest,
    ListRangesResponse, ListResidentRequest, ListResidentResponse, ListSeriesRequest,
    ListSeriesResponse, ListTargetsRequest, ListTargetsResponse, ListVerdictsRequest,
    ListVerdictsResponse, Loss, OwnerKind, Range, Snapshot, Target, TargetState, TopRequest,
    TopResponse, VerdictChange, WatchVerdictsRequest, query_server::Query,
};
pub(crate) use server::{Fake, Ran, client, free_port, not_grpc, run};
use tonic::{Request, Response, Status};

/// Before this there is no history.
pub(crate) const OLDEST: i64 = 1_767_225_600;

const MIB: u64 = 1 << 20;

/// What a server answers as.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Agent,
    /// From before there were collectors.
    OldAgent,
    Collector,
}

/// Answers, and remembers what it was asked.
#[derive(Clone)]
struct Canned {
    role: Role,
    began: Instant,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn note<R: std::fmt::Debug>(&self, request: &R) {
        self.asked.lock().unwrap().push(format!("{request:?}"));
    }

    fn is_new(&self) -> Result<(), Status> {
        match self.role {
            Role::OldAgent => Err(Status::unimplemented("")),
            Role::Agent | Role::Collector => Ok(()),
        }
    }
}

fn frame(function: &str, line: u32) -> Frame {
    Frame {
        function: function.into(),
        file: "src/cache.c".into(),
        line,
        module: "/usr/bin/app".into(),
        build_id: "0123456789abcdef0123".into(),
        module_offset: 0x1000 + u64::from(line),
        inlined: false,
        kind: FrameKind::Native.into(),
    }
}

fn row(live: u64, function: &str) -> GrowthRow {
    let nameless = Frame {
        function: String::new(),
        file: String::new(),
        line: 0,
        module: "/usr/lib/libc.so.6".into(),
        ..frame("", 0x20)
    };
    let inlined = Frame {
        inlined: true,
        ..frame("hash_insert", 40)
    };
    GrowthRow {
        committed_live_bytes: live,
        committed_allocated_bytes: live + MIB,
        committed_freed_bytes: MIB,
        events: 7,
        oldest_live_age_seconds: 65.0,
        newest_live_age_seconds: 1.0,
        frames: vec![nameless, inlined, frame(function, 50), frame("main", 9)],
        owner: OwnerKind::Stack.into(),
        pid: 4711,
        process_name: "app".into(),
        container_id: "ab".repeat(32),
        stack_id: u64::from(function.len() as u32),
        live_delta_bytes: 2 << 20,
        ..GrowthRow::default()
    }
}

fn accounting() -> Accounting {
    Accounting {
        events_seen: 48_213,
        captures_seen: 1_203,
        losses: vec![Loss {
            cause: "ring_full".into(),
            count: 12,
            meaning: "ledgers are rebuilt".into(),
        }],
        ledger_committed_bytes: 12 * MIB,
        stack_committed_bytes: 10 * MIB,
        unattributed_bytes: 2 * MIB,
        unattributed_share: 0.167,
        capture_interval_bytes: 65_536,
        ..Accounting::default()
    }
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn check_time(moment: Option<Timestamp>) -> Result<(), Status> {
    match moment {
        Some(moment) if moment.seconds < OLDEST => Err(Status::out_of_range("kept since 2026")),
        _ => Ok(()),
    }
}

type VerdictStream =
    std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<VerdictChange, Status>> + Send>>;

#[tonic::async_trait]
impl Query for Canned {
    async fn list_verdicts(
        &self,
        request: Request<ListVerdictsRequest>,
    ) -> Result<Response<ListVerdictsResponse>, Status> {
        self.note(request.get_ref());
        self.is_new()?;
        Ok(Response::new(verdicts::list(request.get_ref())))
    }

    type WatchVerdictsStream = VerdictStream;

    async fn watch_verdicts(
        &self,
        request: Request<WatchVerdictsRequest>,
    ) -> Result<Response<VerdictStream>, Status> {
        self.note(request.get_ref());
        self.is_new()?;
        let changes = tokio_stream::iter(verdicts::changes().map(Ok));
        Ok(Response::new(Box::pin(changes)))
    }

    async fn list_oom_kills(
        &self,
        request: Request<ListOomKillsRequest>,
    ) -> Result<Response<ListOomKillsResponse>, Status> {
        self.note(request.get_ref());
        Ok(Response::new(verdicts::kills(request.get_ref())))
    }

    async fn list_resident(
        &self,
        request: Request<ListResidentRequest>,
    ) -> Result<Response<ListResidentResponse>, Status> {
        self.note(request.get_ref());
        self.is_new()?;
        let since = self.began.elapsed();
        Ok(Response::new(resident::list(request.get_ref(), since)))
    }

    async fn list_series(
        &self,
        request: Request<ListSeriesRequest>,
    ) -> Result<Response<ListSeriesResponse>, Status> {
        self.note(request.get_ref());
        self.is_new()?;
        Ok(Response::new(fleet::series()))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        self.note(request.get_ref());
        self.is_new()?;
        Ok(Response::new(fleet::nodes()))
    }

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        self.note(request.get_ref());
        if self.role == Role::Collector {
            return Ok(Response::new(fleet::status()));
        }
        Ok(Response::new(GetStatusResponse {
            version: "0.1.0".into(),
            node: "node-1".into(),
            kernel: "6.18.0".into(),
            started: at(OLDEST),
            processes_observed: 2,
            containers: 1,
            accounting: Some(accounting()),
            ..GetStatusResponse::default()
        }))
    }

    async fn list_targets(
        &self,
        request: Request<ListTargetsRequest>,
    ) -> Result<Response<ListTargetsResponse>, Status> {
        self.note(request.get_ref());
        let request = request.into_inner();
        check_time(request.at)?;
        let mut targets = vec![Target {
            pid: 4711,
            process_name: "app".into(),
            state: TargetState::Observed.into(),
            committed_bytes: 12 * MIB,
            ..Target::default()
        }];
        if self.role == Role::Collector {
            targets = fleet::spread(&targets[0]);
        }
        Ok(Response::new(ListTargetsResponse {
            total: targets.len() as u32,
            targets,
            accounting: Some(accounting()),
            next_page_token: fleet::next_page(request.limit, &request.page_token)?,
            ..ListTargetsResponse::default()
        }))
    }

    async fn top(&self, request: Request<TopRequest>) -> Result<Response<TopResponse>, Status> {
        self.note(request.get_ref());
        let request = request.into_inner();
        check_time(request.at)?;
        check_time(request.since)?;
        let selector = request.selector.clone().unwrap_or_default();
        if selector.pids.contains(&404) {
            return Err(Status::not_found("no process 404"));
        }
        if selector.containers.iter().any(|id| id.len() < 4) {
            return Err(Status::invalid_argument(
                "a container prefix has at least 4 characters",
            ));
        }
        if request.connection != 0 {
            return connections::top_of(request.connection);
        }
        let mut rows = vec![row(6 * MIB, "cache_put"), row(4 * MIB, "session_new")];
        if request.at.is_some() {
            rows[0].committed_live_bytes = MIB;
        }
        if request.by() == GroupBy::Connection {
            rows = connections::rows();
        }
        if request.by() == GroupBy::Process {
            rows.truncate(1);
            rows[0].frames.clear();
        }
        if selector.processes.iter().any(|name| name == "none") {
            rows.clear();
        }
        if self.role == Role::Collector {
            fleet::put_nodes(&mut rows);
        }
        Ok(Response::new(TopResponse {
            next_page_token: fleet::next_page(request.limit, &request.page_token)?,
            total_rows: rows.len() as u32,
            rows,
            snapshot: Some(Snapshot {
                time: at(OLDEST + 600),
                since: at(OLDEST),
            }),
            accounting: Some(accounting()),
        }))
    }

    async fn list_connections(
        &self,
        request: Request<ListConnectionsRequest>,
    ) -> Result<Response<ListConnectionsResponse>, Status> {
        self.note(request.get_ref());
        connections::list(request.get_ref()).map(Response::new)
    }

    async fn diff(&self, request: Request<DiffRequest>) -> Result<Response<DiffResponse>, Status> {
        self.note(request.get_ref());
        let request = request.into_inner();
        check_time(request.from)?;
        let mut rows = vec![row(6 * MIB, "cache_put")];
        if request.against.is_some() {
            rows[0].pid = 0;
            rows[0].process_name.clear();
        }
        Ok(Response::new(DiffResponse {
            next_page_token: fleet::next_page(request.limit, &request.page_token)?,
            rows,
            total_rows: 1,
            from: at(OLDEST),
            to: at(OLDEST + 600),
            accounting: Some(accounting()),
        }))
    }

    async fn list_ranges(
        &self,
        request: Request<ListRangesRequest>,
    ) -> Result<Response<ListRangesResponse>, Status> {
        self.note(request.get_ref());
        Ok(Response::new(ListRangesResponse {
            ranges: vec![Range {
                start: 0x1000,
                end: 0x3000,
                committed: true,
                owner: OwnerKind::PreExisting.into(),
                ..Range::default()
            }],
            target: None,
        }))
    }
}
