//! Processes as targets of an answer.

use profiler_proto::v1;

use super::{selector::Selection, time::Moment};
use crate::profile::{Snapshot, TargetInfo, TargetState, Totals};

/// The chosen processes, the largest first, and how many there were before the limit (0: none).
pub(super) fn targets(
    snapshot: &Snapshot,
    selection: &Selection,
    include_exited: bool,
    limit: u32,
    clocks: Moment,
) -> (Vec<v1::Target>, u32) {
    let mut chosen: Vec<_> = snapshot
        .processes
        .iter()
        .filter(|entry| selection.has(entry.handle))
        .filter(|entry| include_exited || entry.info.exited.is_none())
        .collect();
    let total = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
    chosen.sort_by_key(|entry| (std::cmp::Reverse(entry.totals.committed), entry.handle));
    if limit > 0 {
        chosen.truncate(limit as usize);
    }
    let targets = chosen.into_iter();
    let targets = targets.map(|entry| target(&entry.info, &entry.totals, clocks));
    (targets.collect(), total)
}

/// One process for the wire.
pub(super) fn target(info: &TargetInfo, totals: &Totals, clocks: Moment) -> v1::Target {
    let container = &info.container;
    v1::Target {
        pid: info.pid,
        process_name: info.name.clone(),
        container_id: container.id.clone(),
        cgroup: container.cgroup.clone(),
        container_kind: container.kind.clone(),
        unit: container.unit.clone(),
        pod_uid: container.pod_uid.clone(),
        started: Some(clocks.to_wall(info.started)),
        state: state(info).into(),
        committed_bytes: totals.committed,
        released_bytes: totals.released,
        committed_allocated_bytes: totals.allocated,
        committed_freed_bytes: totals.freed,
        operations: totals.operations,
        operations_lost: totals.lost,
        mappings: u32::try_from(totals.mappings).unwrap_or(u32::MAX),
        executable: info.executable.to_string(),
        namespace_pid: info.namespace_pid,
    }
}

fn state(info: &TargetInfo) -> v1::TargetState {
    if info.exited.is_some() {
        return v1::TargetState::Exited;
    }
    match info.state {
        TargetState::Observed => v1::TargetState::Observed,
        TargetState::Stale => v1::TargetState::Stale,
        TargetState::Counting => v1::TargetState::Counting,
        TargetState::Unsupported => v1::TargetState::Unsupported,
    }
}
