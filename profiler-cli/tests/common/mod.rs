//! A Query server with canned answers, in this process, and the client as a child process.

mod connections;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use pbjson_types::Timestamp;
use profiler_proto::v1::{
    Accounting, DiffRequest, DiffResponse, Frame, FrameKind, GetStatusRequest, GetStatusResponse,
    GroupBy, GrowthRow, ListConnectionsRequest, ListConnectionsResponse, ListRangesRequest,
    ListRangesResponse, ListTargetsRequest, ListTargetsResponse, Loss, OwnerKind, Range, Snapshot,
    Target, TargetState, TopRequest, TopResponse,
    query_server::{Query, QueryServer},
};
use tokio::{net, sync::oneshot};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::{Request, Response, Status, transport::Server};

/// Before this there is no history.
pub(crate) const OLDEST: i64 = 1_767_225_600;

const MIB: u64 = 1 << 20;

/// Answers, and remembers what it was asked.
#[derive(Clone, Default)]
struct Canned {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn note<R: std::fmt::Debug>(&self, request: &R) {
        self.asked.lock().unwrap().push(format!("{request:?}"));
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

#[tonic::async_trait]
impl Query for Canned {
    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        self.note(request.get_ref());
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
        Ok(Response::new(ListTargetsResponse {
            targets: vec![Target {
                pid: 4711,
                process_name: "app".into(),
                state: TargetState::Observed.into(),
                committed_bytes: 12 * MIB,
                ..Target::default()
            }],
            total: 1,
            accounting: Some(accounting()),
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
        Ok(Response::new(TopResponse {
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
        check_time(request.get_ref().from)?;
        Ok(Response::new(DiffResponse {
            rows: vec![row(6 * MIB, "cache_put")],
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

/// A server that ends when it is dropped.
pub(crate) struct Fake {
    /// `--endpoint` for it.
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

enum Place {
    Tcp(std::net::SocketAddr),
    Unix(PathBuf),
}

impl Fake {
    /// On a free port of loopback.
    pub(crate) fn tcp() -> Self {
        Self::on_port(0)
    }

    /// On this port of loopback.
    pub(crate) fn on_port(port: u16) -> Self {
        Self::start(Place::Tcp(([127, 0, 0, 1], port).into()))
    }

    /// On a Unix socket.
    pub(crate) fn unix(path: &Path) -> Self {
        Self::start(Place::Unix(path.to_owned()))
    }

    fn start(place: Place) -> Self {
        let canned = Canned::default();
        let asked = Arc::clone(&canned.asked);
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let server = Server::builder().add_service(QueryServer::new(canned));
                // Not graceful: connections end at once, as when an agent is killed.
                let serving = async {
                    match place {
                        Place::Tcp(address) => {
                            let listener = net::TcpListener::bind(address).await.unwrap();
                            ready
                                .send(listener.local_addr().unwrap().to_string())
                                .unwrap();
                            server
                                .serve_with_incoming(TcpListenerStream::new(listener))
                                .await
                        }
                        Place::Unix(path) => {
                            let listener = net::UnixListener::bind(&path).unwrap();
                            ready.send(format!("unix:{}", path.display())).unwrap();
                            server
                                .serve_with_incoming(UnixListenerStream::new(listener))
                                .await
                        }
                    }
                };
                tokio::select! {
                    served = serving => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self {
            endpoint: is_ready.recv().unwrap(),
            asked,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Runs the client against it.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let mut words = vec!["--endpoint", &self.endpoint];
        words.extend(line.split_whitespace());
        run(&words)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the client did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output of a run that went well.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Standard error of a run that failed as errors do, with nothing on standard output.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        assert_eq!(self.code, 3, "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        &self.err
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The client, not yet started, in an environment of its own.
pub(crate) fn client(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profiler"));
    command
        .args(words)
        .env_remove("PROFILER_ENDPOINT")
        .env("TZ", "UTC")
        .stdin(Stdio::null());
    command
}

/// Runs the client to its end.
pub(crate) fn run(words: &[&str]) -> Ran {
    client(words).output().unwrap().into()
}

/// A port of loopback on which something answers that is no gRPC server.
pub(crate) fn not_grpc() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    endpoint
}

/// A port of loopback on which nothing listens.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
