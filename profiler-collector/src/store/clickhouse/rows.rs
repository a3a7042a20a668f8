//! Rows of the tables, column by column.

use clickhouse::Row;
use profiler_proto::v1;
use serde::{Deserialize, Serialize};

use crate::store::{FrameHash, RunFacts, RunId, StackContent, StackHash};

#[derive(Row, Serialize)]
pub(super) struct RunRow {
    id: [u8; 16],
    #[serde(with = "serde_bytes")]
    agent_id: Vec<u8>,
    node: String,
    boot_id: String,
    agent_version: String,
    kernel: String,
    started: i64,
    labels: Vec<(String, String)>,
    interval_nanoseconds: u64,
}

impl RunRow {
    pub(super) fn new(id: RunId, facts: RunFacts) -> Self {
        Self {
            id: id.0,
            agent_id: facts.agent_id,
            node: facts.node,
            boot_id: facts.boot_id,
            agent_version: facts.agent_version,
            kernel: facts.kernel,
            started: facts.started.0,
            labels: facts.labels.into_iter().collect(),
            interval_nanoseconds: u64::try_from(facts.interval.as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

/// What a batch is known by.
#[derive(Row, Deserialize)]
pub(super) struct KeyRow {
    pub(super) run: [u8; 16],
    pub(super) sequence: u64,
}

#[derive(Row, Serialize)]
pub(super) struct BatchRow {
    pub(super) run: [u8; 16],
    pub(super) sequence: u64,
    pub(super) time: i64,
    pub(super) boot_nanoseconds: u64,
    pub(super) whole: bool,
    pub(super) parts: u32,
    pub(super) bytes: u64,
    pub(super) gone: u8,
}

#[derive(Row, Serialize)]
pub(super) struct PartRow {
    pub(super) run: [u8; 16],
    pub(super) kind: i32,
    pub(super) sequence: u64,
    pub(super) position: u32,
    pub(super) time: i64,
    pub(super) size: u32,
    #[serde(with = "serde_bytes")]
    pub(super) data: Vec<u8>,
}

#[derive(Row, Serialize, Deserialize)]
pub(super) struct NumberRow {
    pub(super) run: [u8; 16],
    pub(super) number: u64,
    pub(super) stack: u64,
}

#[derive(Row, Serialize, Deserialize)]
pub(super) struct StackRow {
    pub(super) hash: u64,
    pub(super) frames: Vec<u64>,
    pub(super) truncated: bool,
}

impl StackRow {
    pub(super) fn new(hash: StackHash, content: &StackContent) -> Self {
        Self {
            hash: hash.0,
            frames: content.frames.iter().map(|frame| frame.0).collect(),
            truncated: content.truncated,
        }
    }
}

#[derive(Row, Serialize, Deserialize)]
pub(super) struct FrameRow {
    pub(super) hash: u64,
    function: String,
    file: String,
    line: u32,
    module: String,
    build_id: String,
    module_offset: u64,
    inlined: bool,
    kind: i32,
}

impl FrameRow {
    pub(super) fn new(hash: FrameHash, frame: v1::Frame) -> Self {
        Self {
            hash: hash.0,
            function: frame.function,
            file: frame.file,
            line: frame.line,
            module: frame.module,
            build_id: frame.build_id,
            module_offset: frame.module_offset,
            inlined: frame.inlined,
            kind: frame.kind,
        }
    }
}

impl From<FrameRow> for v1::Frame {
    fn from(row: FrameRow) -> Self {
        Self {
            function: row.function,
            file: row.file,
            line: row.line,
            module: row.module,
            build_id: row.build_id,
            module_offset: row.module_offset,
            inlined: row.inlined,
            kind: row.kind,
        }
    }
}
