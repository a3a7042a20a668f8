//! A pipeline, names and a server to ask.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use profiler_analysis::verdict::Rules;
use profiler_proto::v1::{self, query_client::QueryClient};
use profiler_query::answer::{NameStacks, NamedStack};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tonic::transport::{Channel, Endpoint};

use crate::{
    connection::Behalf,
    event::{Backing, Operation},
    export::{
        Access, Ask, Clock, Fresh, Listen, Listeners, LossFacts, QueryService, RangesAnswer,
        Sources, StatusFacts, node_facts,
    },
    health::HealthRules,
    ids::{BootTime, ProcessHandle, StackId},
    ledger::{AddressSpace, Cause, Owner},
    pipeline::books::{Books, Moment},
    profile::{ContainerFacts, History, HistoryLimits, ProcessFold, TargetInfo, testing::info},
    verdict::Shared,
};

pub(super) const PAGE: u64 = 4096;
pub(super) const SECOND: u64 = 1_000_000_000;
/// Wall clock of boot.
pub(super) const BOOT: i64 = 1_700_000_000;
/// The boot time at which questions are asked.
pub(super) const NOW: u64 = 1000 * SECOND;

pub(super) const NODE: ProcessHandle = ProcessHandle(1);
pub(super) const REDIS: ProcessHandle = ProcessHandle(2);
pub(super) const ENDED: ProcessHandle = ProcessHandle(3);
pub(super) const CONTAINER: &str = "0123456789abcdef";
pub(super) const UNIT: &str = "redis.service";

/// Stacks are named after these functions, leaf first.
const STACKS: &[(u32, &[&str], bool)] = &[
    (1, &["mmap", "grow", "grow", "main"], false),
    (2, &["mmap", "cache", "main"], false),
    (3, &["brk", "malloc"], true),
];

pub(super) struct FakeNames;

impl NameStacks for FakeNames {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        let named = |stack: &StackId| {
            let (_, functions, cut) = STACKS.iter().find(|known| known.0 == stack.0)?;
            Some(NamedStack {
                frames: (1..).zip(*functions).map(frame).collect(),
                truncated: *cut,
            })
        };
        stacks.iter().map(named).collect()
    }
}

fn frame((line, function): (u32, &&str)) -> v1::Frame {
    v1::Frame {
        function: (*function).to_owned(),
        file: "app.c".to_owned(),
        line,
        module: "/usr/bin/app".to_owned(),
        build_id: "abcd".to_owned(),
        module_offset: u64::from(line) * 16,
        kind: v1::FrameKind::Native.into(),
        ..v1::Frame::default()
    }
}

/// What the pipeline's thread owns.
pub(super) struct Pipeline {
    pub(super) books: Books,
    spaces: HashMap<ProcessHandle, AddressSpace>,
    operations: HashMap<ProcessHandle, u64>,
    pub(super) history: Arc<Mutex<History>>,
    pub(super) facts: StatusFacts,
}

impl Pipeline {
    /// Two processes, one in a container and one of a unit, and one of the host that will have ended.
    pub(super) fn new() -> Self {
        let mut books = Books::default();
        let table = &mut books.growth;
        let container = Arc::new(ContainerFacts {
            id: CONTAINER.to_owned(),
            name: CONTAINER.to_owned(),
            kind: "docker".to_owned(),
            root: format!("/docker/{CONTAINER}"),
            cgroup: format!("/docker/{CONTAINER}"),
            pod_uid: "pod-1".to_owned(),
            ..ContainerFacts::default()
        });
        let node = TargetInfo {
            container,
            namespace_pid: 1,
            ..info(4_000_001, "node")
        };
        table.observe(NODE, node);
        let unit = Arc::new(ContainerFacts {
            name: UNIT.to_owned(),
            kind: "systemd".to_owned(),
            root: format!("/system.slice/{UNIT}"),
            cgroup: format!("/system.slice/{UNIT}"),
            unit: UNIT.to_owned(),
            ..ContainerFacts::default()
        });
        let redis = TargetInfo {
            container: unit,
            ..info(4_000_002, "redis-server")
        };
        table.observe(REDIS, redis);
        table.observe(ENDED, info(4_000_003, "sh"));
        let history = History::new(HistoryLimits::default());
        let mut counters = vec![0; 16];
        counters[0] = 77;
        counters[1] = 55;
        counters[4] = 3;
        Self {
            books,
            spaces: HashMap::new(),
            operations: HashMap::new(),
            history: Arc::new(Mutex::new(history)),
            facts: StatusFacts {
                started: BootTime(100 * SECOND),
                counters,
                losses: vec![LossFacts {
                    cause: "stack_table_full",
                    count: 9,
                    meaning: "stacks that were not told apart",
                }],
                capture_interval: 65_536,
                stacks_complete: 50,
                stacks_truncated: 5,
                ..StatusFacts::default()
            },
        }
    }

    /// `pages` at `page`, by a stack that is captured for certain, or by another owner.
    pub(super) fn map(
        &mut self,
        process: ProcessHandle,
        owner: Owner,
        time: u64,
        page: u64,
        pages: u64,
    ) {
        let operation = Operation::Map {
            start: page * PAGE,
            length: pages * PAGE,
            backing: Backing::Anonymous,
            writable: true,
        };
        self.apply(process, owner, time, &operation);
    }

    pub(super) fn unmap(&mut self, process: ProcessHandle, time: u64, page: u64, pages: u64) {
        let operation = Operation::Unmap {
            start: page * PAGE,
            length: pages * PAGE,
        };
        self.apply(
            process,
            Owner::Unsampled {
                behalf: Behalf::NOBODY,
            },
            time,
            &operation,
        );
    }

    fn apply(&mut self, process: ProcessHandle, owner: Owner, time: u64, operation: &Operation) {
        let mut changes = Vec::new();
        let cause = Cause {
            thread: 1,
            owner,
            time: BootTime(time * SECOND),
        };
        let space = self.spaces.entry(process).or_default();
        let outcome = space.apply(operation, cause, &mut changes);
        assert!(!outcome.needs_reconcile());
        *self.operations.entry(process).or_default() += 1;
        for change in &changes {
            self.books.apply(process, change, &Moment::default());
        }
    }

    pub(super) fn exit(&mut self, process: ProcessHandle, time: u64) {
        let mut changes = Vec::new();
        if let Some(mut space) = self.spaces.remove(&process) {
            space.clear(&mut changes);
        }
        for change in &changes {
            self.books.apply(process, change, &Moment::default());
        }
        self.books.growth.exited(process, BootTime(time * SECOND));
    }

    pub(super) fn snapshot(&mut self, time: u64) -> crate::profile::Snapshot {
        let (spaces, operations) = (&self.spaces, &self.operations);
        self.books.growth.snapshot(BootTime(time), |handle| {
            let space = spaces.get(&handle)?;
            Some(ProcessFold::new(space, operations[&handle], 2))
        })
    }

    /// Keeps what there is now as the snapshot of `time`.
    pub(super) fn keep(&mut self, time: u64) {
        let snapshot = self.snapshot(time * SECOND);
        self.history.lock().expect("the history").push(&snapshot);
    }

    fn ranges(&mut self, pid: u32) -> Option<RangesAnswer> {
        let snapshot = self.snapshot(NOW);
        let mut processes = snapshot.processes.into_iter();
        let target = processes.find(|entry| entry.info.pid == pid)?;
        let ranges = self.spaces.get(&target.handle)?.ranges().collect();
        Some(RangesAnswer { target, ranges })
    }
}

/// By stack `number`, captured for certain.
pub(super) fn stack(number: u32) -> Owner {
    Owner::Stack {
        stack: StackId(number),
        inclusion: u32::MAX,
        behalf: Behalf::NOBODY,
    }
}

/// A server, its pipeline, and a client.
pub(super) struct Served {
    pub(super) client: QueryClient<Channel>,
    pub(super) address: String,
    /// Snapshots that the pipeline was asked for.
    pub(super) asked: Arc<AtomicU32>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), anyhow::Error>>,
}

impl Served {
    /// On any TCP port.
    pub(super) async fn new(pipeline: Pipeline) -> Self {
        Self::listening(pipeline, None).await
    }

    /// Also on a Unix socket.
    pub(super) async fn listening(pipeline: Pipeline, unix: Option<PathBuf>) -> Self {
        Self::guarded(pipeline, unix, Access::default()).await
    }

    /// For those whom `access` lets in; it may refuse `client`.
    pub(super) async fn guarded(pipeline: Pipeline, unix: Option<PathBuf>, access: Access) -> Self {
        let tcp = Some("127.0.0.1:0".parse().expect("an address"));
        let listen = Listen {
            tcp,
            unix,
            access,
            http: None,
        };
        let listeners = Listeners::bind(&listen).await.expect("listeners");
        let address = listeners.tcp_address().expect("a TCP address");
        let address = format!("http://{address}");
        let (asks, questions) = mpsc::channel(4);
        let service = QueryService::new(Sources {
            asks,
            history: Arc::clone(&pipeline.history),
            names: Arc::new(FakeNames),
            clock: Clock::Fixed {
                now: BootTime(NOW),
                offset: i128::from(BOOT) * i128::from(SECOND),
            },
            node: Arc::new(node_facts(None, &BTreeMap::new())),
            verdicts: board(Clock::System),
        });
        let asked = Arc::new(AtomicU32::new(0));
        tokio::spawn(answer(pipeline, questions, Arc::clone(&asked)));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(listeners.serve(service, async {
            let _ = stopped.await;
        }));
        let endpoint = Endpoint::from_shared(address.clone()).expect("an endpoint");
        let client = QueryClient::new(endpoint.connect_lazy());
        Self {
            client,
            address,
            asked,
            stop,
            server,
        }
    }

    pub(super) async fn stop(self) {
        self.stop.send(()).expect("the server runs");
        self.server.await.expect("no panic").expect("no error");
    }
}

pub(super) async fn answer(
    mut pipeline: Pipeline,
    mut asks: mpsc::Receiver<Ask>,
    asked: Arc<AtomicU32>,
) {
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Snapshot(reply) => {
                asked.fetch_add(1, Ordering::Relaxed);
                let _ = reply.send(Fresh {
                    snapshot: Arc::new(pipeline.snapshot(NOW)),
                    facts: Arc::new(pipeline.facts.clone()),
                });
            }
            Ask::Connections(reply) => {
                let _ = reply.send(Arc::new(pipeline.books.connections.view(BootTime(NOW))));
            }
            Ask::Ranges { pid, reply } => {
                let _ = reply.send(pipeline.ranges(pid));
            }
        }
    }
}

/// A board without any series.
pub(super) fn board(clock: Clock) -> Arc<Shared> {
    Arc::new(Shared::new(clock, Rules::default(), HealthRules::default()))
}

/// `seconds` after boot.
pub(super) fn wall(seconds: u64) -> Option<pbjson_types::Timestamp> {
    Some(pbjson_types::Timestamp {
        seconds: BOOT + seconds as i64,
        nanos: 0,
    })
}

pub(super) fn functions(row: &v1::GrowthRow) -> Vec<&str> {
    row.frames
        .iter()
        .map(|frame| frame.function.as_str())
        .collect()
}
