//! What a row is recognised by from one refresh to the next.

use profiler_proto::v1::GrowthRow;

use profiler_formats::frame::frame_name;

/// Everything that names a row, however rows are grouped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    node: String,
    pid: u32,
    process: String,
    cgroup: String,
    stack: u64,
    function: String,
    behalf: i32,
    cookie: u64,
    peer: String,
}

impl Key {
    pub(super) fn of(row: &GrowthRow) -> Self {
        let function = row.frames.first().filter(|_| row.stack_id == 0);
        let connection = row.connection.as_ref();
        Self {
            node: row.node.clone(),
            pid: row.pid,
            process: row.process_name.clone(),
            cgroup: row.cgroup.clone(),
            stack: row.stack_id,
            function: function.map_or_else(String::new, frame_name),
            behalf: row.behalf,
            cookie: connection.map_or(0, |one| one.cookie),
            peer: connection.map_or_else(String::new, |one| one.peer.clone()),
        }
    }
}
