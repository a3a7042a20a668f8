//! Runs that agents could have sent, written to a store, and what they were made from.

use std::{collections::HashMap, sync::Arc, time::Duration};

use pbjson_types::Timestamp;
use profiler_collector::{
    fleet::CostLimits,
    query::{Clock, QueryService},
    store::{
        FrameHash, Retention, RunFacts, RunId, StackContent, StackHash, Store, WallTime, Write,
        sqlite::SqliteStore,
    },
};
use profiler_proto::v1;
use profiler_query::{
    answer::{NameStacks, NamedStack},
    ids::{BootTime, Cookie, ProcessHandle, StackId},
    model::{
        BehalfKey, ContainerFacts, NodeFacts, OwnerKey, ProcessEntry, Row, RowKey, Snapshot,
        TargetInfo, Totals,
    },
};
use profiler_stream::{
    content::{frame_hash, stack_hash},
    encode::{Encoder, stack_number},
};

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MIB: u64 = 1 << 20;
/// When the tests' agents began, on the wall clock.
pub(crate) const BEGIN: u64 = 1_700_000_000 * SECOND;
/// What the hosts' boot clocks said then.
pub(crate) const BOOT: u64 = 5000 * SECOND;

/// A store in a directory that goes with it.
pub(crate) struct World {
    pub(crate) store: Arc<SqliteStore>,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(&directory.path().join("store.db")).expect("a store");
        Self {
            store: Arc::new(store),
            _directory: directory,
        }
    }

    /// A service that believes that it is so many seconds after the beginning.
    pub(crate) fn service(&self, seconds: u64) -> QueryService {
        self.service_within(seconds, CostLimits::default())
    }

    pub(crate) fn service_within(&self, seconds: u64, limits: CostLimits) -> QueryService {
        let store: Arc<dyn Store> = self.store.clone();
        let now = Clock::Fixed(wall(seconds));
        QueryService::new(store, limits, Retention::default(), now)
    }
}

/// So many seconds after the beginning.
pub(crate) fn wall(seconds: u64) -> WallTime {
    WallTime((BEGIN + seconds * SECOND).cast_signed())
}

/// The same for questions.
pub(crate) fn at(seconds: u64) -> Option<Timestamp> {
    Some(timestamp(BEGIN + seconds * SECOND))
}

pub(crate) fn timestamp(nanoseconds: u64) -> Timestamp {
    Timestamp {
        seconds: (nanoseconds / SECOND).cast_signed(),
        nanos: (nanoseconds % SECOND) as i32,
    }
}

/// One run of an agent, as it is sent.
pub(crate) struct Agent {
    pub(crate) run: RunId,
    pub(crate) facts: RunFacts,
    encoder: Encoder,
}

impl Agent {
    /// `number` tells agents apart, `run` the runs of one.
    pub(crate) fn new(node: &str, number: u8, run: u8, started: u64) -> Self {
        let mut id = [run; 16];
        id[0] = number;
        Self {
            run: RunId(id),
            facts: RunFacts {
                agent_id: vec![number; 16],
                node: node.to_owned(),
                boot_id: format!("boot of {node}"),
                agent_version: "0.1.0".to_owned(),
                kernel: "6.18".to_owned(),
                started: wall(started),
                labels: [("zone".to_owned(), format!("zone-{number}"))].into(),
                interval: Duration::from_secs(10),
            },
            encoder: Encoder::new(),
        }
    }

    /// What a batch and the stacks in it are written as.
    pub(crate) fn write(
        &mut self,
        table: &Snapshot,
        seconds: u64,
        whole: bool,
        extra: Vec<v1::Part>,
    ) -> Write {
        let snapshot = Snapshot {
            time: BootTime(BOOT + seconds * SECOND),
            ..table.clone()
        };
        let time = timestamp(BEGIN + seconds * SECOND);
        let mut write = Write {
            run: self.run,
            facts: self.facts.clone(),
            frames: Vec::new(),
            stacks: Vec::new(),
            numbers: Vec::new(),
            batch: Some(self.encoder.batch(&snapshot, time, whole, extra)),
            events: Vec::new(),
        };
        for stack in snapshot
            .rows
            .iter()
            .filter_map(|(key, _)| key.owner.stack())
        {
            define(&mut write, stack);
        }
        write
    }

    pub(crate) async fn send(
        &mut self,
        world: &World,
        table: &Snapshot,
        seconds: u64,
        whole: bool,
    ) {
        let write = self.write(table, seconds, whole, Vec::new());
        world.store.write(vec![write]).await.expect("written");
    }
}

fn define(write: &mut Write, stack: StackId) {
    let named = stack_of(stack);
    let hashes: Vec<u64> = named.frames.iter().map(frame_hash).collect();
    let hash = StackHash(stack_hash(&hashes, named.truncated));
    let frames: Vec<FrameHash> = hashes.into_iter().map(FrameHash).collect();
    write
        .frames
        .extend(frames.iter().copied().zip(named.frames));
    let content = StackContent {
        frames,
        truncated: named.truncated,
    };
    write.stacks.push((hash, content));
    write.numbers.push((stack_number(stack), hash));
}

/// What the number of a stack stands for in all runs.
pub(crate) fn stack_of(stack: StackId) -> NamedStack {
    let frame = |function: String| v1::Frame {
        function,
        module: "/usr/bin/app".to_owned(),
        build_id: "abcd".to_owned(),
        kind: v1::FrameKind::Native.into(),
        ..v1::Frame::default()
    };
    NamedStack {
        frames: vec![
            frame(format!("leaf_{}", stack.0)),
            frame(format!("middle_{}", stack.0 % 7)),
            frame("main".to_owned()),
        ],
        truncated: stack.0.is_multiple_of(5),
    }
}

/// Names as the tests' agents have them.
pub(crate) struct TestNames(pub(crate) HashMap<StackId, StackId>);

impl NameStacks for TestNames {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        let name = |stack: &StackId| Some(stack_of(*self.0.get(stack)?));
        stacks.iter().map(name).collect()
    }
}

/// A table that is put together process by process.
#[derive(Clone, Default)]
pub(crate) struct Table(pub(crate) Snapshot);

impl Table {
    /// A process in the container of that name ("host": in none), without memory.
    pub(crate) fn process(mut self, handle: u32, pid: u32, container: &str) -> Self {
        let id = match container {
            "host" => String::new(),
            name => format!("{name}-0123456789abcdef"),
        };
        let container = ContainerFacts {
            id,
            name: container.to_owned(),
            kind: container.split('-').next().unwrap_or_default().to_owned(),
            root: format!("/{container}"),
            cgroup: format!("/{container}"),
            namespace: "shop".to_owned(),
            ..ContainerFacts::default()
        };
        self.0.processes.push(ProcessEntry {
            handle: ProcessHandle(handle),
            info: Arc::new(TargetInfo {
                pid,
                namespace_pid: pid,
                name: format!("app-{pid}"),
                executable: "/usr/bin/app".into(),
                container: Arc::new(container),
                node: Arc::default(),
                started: BootTime(1000 * SECOND + u64::from(pid)),
                state: profiler_query::model::TargetState::Observed,
                exited: None,
            }),
            totals: Totals::default(),
        });
        self
    }

    /// Growth of the last process.
    pub(crate) fn row(mut self, owner: OwnerKey, allocated: u64, freed: u64) -> Self {
        let entry = self.0.processes.last_mut().expect("a process");
        let key = RowKey {
            process: entry.handle,
            owner,
        };
        if owner.is_by_owner() {
            entry.totals.allocated += allocated;
            entry.totals.freed += freed;
            entry.totals.committed += allocated - freed;
            entry.totals.operations += 3;
        }
        let row = Row {
            allocated,
            freed,
            events: 2,
            oldest: BootTime(BOOT),
            newest: BootTime(BOOT + SECOND),
            ..Row::default()
        };
        self.0.rows.push((key, row));
        self
    }

    pub(crate) fn stack(self, stack: u32, allocated: u64, freed: u64) -> Self {
        self.row(OwnerKey::Stack(StackId(stack)), allocated, freed)
    }

    pub(crate) fn connection(self, cookie: u64, allocated: u64) -> Self {
        let behalf = BehalfKey::Connection(Cookie(cookie));
        self.row(OwnerKey::Behalf(behalf), allocated, 0)
    }
}

/// Tables of several nodes as one, in the way of the collector: numbers begin where those of the
/// node before end, times are wall clock time.
pub(crate) fn merged(tables: &[(&str, &Snapshot)], seconds: u64) -> (Snapshot, TestNames) {
    let mut all = Snapshot {
        time: BootTime(BEGIN + seconds * SECOND),
        ..Snapshot::default()
    };
    let mut names = HashMap::new();
    for (number, (node, table)) in tables.iter().enumerate() {
        let base = number as u32 * 10_000;
        let node = Arc::new(NodeFacts {
            name: (*node).to_owned(),
            labels: [("zone".to_owned(), format!("zone-{}", number + 1))].into(),
        });
        let to_wall = |time: BootTime| match time.0 {
            0 => time,
            boot => BootTime(boot - BOOT + BEGIN),
        };
        for entry in &table.processes {
            let mut entry = entry.clone();
            entry.handle.0 += base;
            let info = Arc::make_mut(&mut entry.info);
            info.node = Arc::clone(&node);
            info.started = BootTime(info.started.0 + BEGIN - BOOT);
            all.processes.push(entry);
        }
        for (key, row) in &table.rows {
            let mut key = *key;
            key.process.0 += base;
            if let OwnerKey::Stack(stack) | OwnerKey::OnConnection(_, stack) = &mut key.owner {
                names.insert(StackId(stack.0 + base), *stack);
                stack.0 += base;
            }
            let row = Row {
                oldest: to_wall(row.oldest),
                newest: to_wall(row.newest),
                ..*row
            };
            all.rows.push((key, row));
        }
    }
    (all, TestNames(names))
}
