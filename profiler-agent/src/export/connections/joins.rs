//! How much of each container's growth could be joined to connections.

use std::collections::HashMap;

use profiler_proto::v1;

use super::wire::share;
use crate::{
    connection::Connections,
    export::selector::Selection,
    ids::ProcessHandle,
    profile::{BehalfKey, Growth, OwnerKey, TargetInfo},
};

#[derive(Default)]
struct Join<'a> {
    info: Option<&'a TargetInfo>,
    joined: u64,
    nobody: u64,
    helper: u64,
    ring: u64,
    queues: u64,
    open: u64,
}

/// By container, the largest first.
pub(super) fn joins(
    connections: &Connections,
    growth: &Growth,
    selection: &Selection,
) -> Vec<v1::ConnectionJoin> {
    let chosen = growth.processes.iter();
    let infos: HashMap<ProcessHandle, &TargetInfo> = chosen
        .filter(|process| selection.has(process.handle))
        .map(|process| (process.handle, &*process.info))
        .collect();
    let mut joins: HashMap<&str, Join<'_>> = HashMap::new();
    for (key, figures) in &growth.rows {
        let (OwnerKey::Behalf(behalf), Some(info)) = (key.owner, infos.get(&key.process)) else {
            continue;
        };
        let join = joins.entry(&info.container.root).or_default();
        join.info = Some(info);
        let bytes = join.bytes(behalf);
        *bytes = bytes.saturating_add(figures.allocated);
    }
    for connection in connections
        .connections
        .iter()
        .filter(|one| one.closed.is_none())
    {
        let info = connection.process.and_then(|process| infos.get(&process));
        if let (Some(info), Some(facts)) = (info, &connection.facts) {
            let join = joins.entry(&info.container.root).or_default();
            join.info = Some(info);
            join.queues += u64::from(facts.receive_queue) + u64::from(facts.send_queue);
            join.open += 1;
        }
    }
    let mut joins: Vec<_> = joins.into_values().map(|join| join.to_wire()).collect();
    joins.sort_by(|one, other| {
        let bytes = |join: &v1::ConnectionJoin| std::cmp::Reverse(total(join));
        bytes(one)
            .cmp(&bytes(other))
            .then_with(|| one.cgroup.cmp(&other.cgroup))
    });
    joins
}

fn total(join: &v1::ConnectionJoin) -> u64 {
    [
        join.no_connection_bytes,
        join.helper_thread_bytes,
        join.io_uring_bytes,
    ]
    .into_iter()
    .fold(join.joined_bytes, u64::saturating_add)
}

impl Join<'_> {
    fn bytes(&mut self, behalf: BehalfKey) -> &mut u64 {
        match behalf {
            BehalfKey::Connection(_) | BehalfKey::Peer(_) | BehalfKey::Folded => &mut self.joined,
            BehalfKey::Nobody => &mut self.nobody,
            BehalfKey::Helper => &mut self.helper,
            BehalfKey::Ring => &mut self.ring,
        }
    }

    fn to_wire(&self) -> v1::ConnectionJoin {
        let container = self.info.map(|info| &info.container);
        let parts = [self.nobody, self.helper, self.ring];
        let total = parts.into_iter().fold(self.joined, u64::saturating_add);
        v1::ConnectionJoin {
            container_id: container.map_or_else(String::new, |one| one.name.clone()),
            cgroup: container.map_or_else(String::new, |one| one.root.clone()),
            joined_bytes: self.joined,
            no_connection_bytes: self.nobody,
            helper_thread_bytes: self.helper,
            io_uring_bytes: self.ring,
            joined_share: share(self.joined, total),
            no_connection_share: share(self.nobody, total),
            helper_thread_share: share(self.helper, total),
            io_uring_share: share(self.ring, total),
            socket_queue_bytes: self.queues,
            open_connections: self.open,
        }
    }
}
