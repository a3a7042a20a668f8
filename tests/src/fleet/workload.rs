//! What a simulated agent sees: a snapshot for each sequence number, the same each time it is asked
//! for, so that what a store gives back can be compared with it.

use std::sync::Arc;

use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, ProcessHandle, StackId},
    model::{
        ContainerFacts, NodeFacts, OwnerKey, ProcessEntry, Row, RowKey, Snapshot, TargetInfo,
        TargetState, Totals,
    },
};

/// One row in so many changes from one snapshot to the next.
const CHANGING: u64 = 10;
/// Stacks of one process.
const STACKS_PER_PROCESS: u32 = 50;
/// Frames of a stack.
const FRAMES: u32 = 24;
/// Functions in all; stacks share them, as real ones do.
const FUNCTIONS: u64 = 4_000;

/// Places in a function at which stacks go through it.
const CALL_SITES: u32 = 3;

/// One node's memory.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Tells it from others.
    pub seed: u64,
    /// The node.
    pub node: Arc<NodeFacts>,
    /// Rows of growth: one a stack.
    pub stacks: u32,
}

impl Workload {
    /// The growth table after `sequence` snapshots, at `time`.
    pub fn snapshot(&self, sequence: u64, time: BootTime) -> Snapshot {
        let rows: Vec<_> = (0..self.stacks)
            .map(|stack| (self.key(stack), self.row(stack, sequence)))
            .collect();
        let processes = rows.chunks(STACKS_PER_PROCESS as usize).enumerate();
        Snapshot {
            time,
            processes: processes
                .map(|(process, rows)| self.process(process as u32, rows))
                .collect(),
            rows,
        }
    }

    /// Bytes demanded by all rows after `sequence` snapshots.
    pub fn allocated(&self, sequence: u64) -> u64 {
        let rows = (0..self.stacks).map(|stack| self.row(stack, sequence).allocated);
        rows.sum()
    }

    /// The frames of a stack, leaf first. Half of the stacks are the same on all nodes.
    pub fn frames(&self, stack: StackId) -> Vec<v1::Frame> {
        let own = u64::from(stack.0 % 2) * (self.seed + 1);
        let frames = (0..FRAMES).map(|depth| {
            let function =
                mix(u64::from(stack.0) * 64 + u64::from(depth) + (own << 32)) % FUNCTIONS;
            frame(function, depth)
        });
        frames.collect()
    }

    fn key(&self, stack: u32) -> RowKey {
        RowKey {
            process: ProcessHandle(stack / STACKS_PER_PROCESS + 1),
            owner: OwnerKey::Stack(StackId(stack)),
        }
    }

    fn row(&self, stack: u32, sequence: u64) -> Row {
        let changes = (sequence + u64::from(stack)) / CHANGING;
        let step = 4096 * (1 + mix(self.seed ^ u64::from(stack)) % 64);
        let allocated = step * (changes + 1);
        Row {
            allocated,
            inherited: 0,
            freed: allocated / 3,
            events: changes + 1,
            resident: None,
            oldest: BootTime(1_000_000_000),
            newest: BootTime(1_000_000_000 * (changes + 1)),
        }
    }

    fn process(&self, process: u32, rows: &[(RowKey, Row)]) -> ProcessEntry {
        let sum = |figure: fn(&Row) -> u64| rows.iter().map(|(_, row)| figure(row)).sum::<u64>();
        let (allocated, freed) = (sum(|row| row.allocated), sum(|row| row.freed));
        ProcessEntry {
            handle: ProcessHandle(process + 1),
            info: Arc::new(self.info(process)),
            totals: Totals {
                allocated,
                inherited: 0,
                freed,
                committed: allocated - freed,
                released: 0,
                operations: sum(|row| row.events),
                lost: 0,
                mappings: 40,
                oldest: BootTime(1_000_000_000),
                newest: BootTime(2_000_000_000),
            },
        }
    }

    fn info(&self, process: u32) -> TargetInfo {
        let id = format!(
            "{:016x}{:048x}",
            mix(self.seed * 1_000 + u64::from(process)),
            process
        );
        let root = format!("/kubepods/burstable/pod{:08x}/{id}", self.seed);
        TargetInfo {
            pid: 1_000 + process,
            namespace_pid: 1,
            name: format!("worker-{}", process % 7),
            executable: "/usr/local/bin/worker".into(),
            container: Arc::new(ContainerFacts {
                name: id.clone(),
                id,
                kind: "containerd".to_owned(),
                cgroup: root.clone(),
                root,
                pod_uid: format!("{:08x}", self.seed),
                ..ContainerFacts::default()
            }),
            node: Arc::clone(&self.node),
            started: BootTime(500_000_000),
            state: TargetState::Observed,
            exited: None,
        }
    }
}

fn frame(function: u64, depth: u32) -> v1::Frame {
    v1::Frame {
        function: format!("service::module_{}::function_{function}", function % 97),
        file: format!("/src/service/module_{}.rs", function % 97),
        line: (function % 900) as u32,
        module: match function % 5 {
            0 => "/usr/lib/x86_64-linux-gnu/libc.so.6".to_owned(),
            _ => "/usr/local/bin/worker".to_owned(),
        },
        build_id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        module_offset: function * 64 + u64::from(depth % CALL_SITES),
        inlined: function.is_multiple_of(11),
        kind: v1::FrameKind::Native.into(),
    }
}

/// SplitMix64's finalizer (Steele, Lea and Flood, 2014): spreads consecutive numbers.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
