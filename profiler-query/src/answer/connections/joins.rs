//! How much of each container's growth could be joined to connections.

use std::{cmp::Reverse, collections::HashMap};

use profiler_proto::v1;

use super::{Sockets, share};
use crate::{
    answer::Selection,
    ids::ProcessHandle,
    model::{BehalfKey, Growth, OwnerKey, TargetInfo},
};

struct Join<'a> {
    info: &'a TargetInfo,
    joined: u64,
    nobody: u64,
    helper: u64,
    ring: u64,
    queues: u64,
    open: u64,
}

/// By container, the largest first.
pub(super) fn joins(
    sockets: &[Sockets],
    growth: &Growth,
    selection: &Selection,
) -> Vec<v1::ConnectionJoin> {
    let chosen = growth
        .targets()
        .filter(|(handle, _)| selection.has(*handle));
    let infos: HashMap<ProcessHandle, &TargetInfo> = chosen.collect();
    let mut joins: HashMap<(&str, &str), Join<'_>> = HashMap::new();
    for (key, figures) in &growth.rows {
        if let (OwnerKey::Behalf(behalf), Some(info)) = (key.owner, infos.get(&key.process)) {
            let bytes = join(&mut joins, info).bytes(behalf);
            *bytes = bytes.saturating_add(figures.allocated);
        }
    }
    for one in sockets {
        if let Some(info) = infos.get(&one.process) {
            let join = join(&mut joins, info);
            join.queues = join.queues.saturating_add(one.queue_bytes);
            join.open = join.open.saturating_add(one.open);
        }
    }
    let mut joins: Vec<_> = joins.into_values().map(|join| join.to_wire()).collect();
    joins.sort_by(|one, other| {
        let bytes = |join: &v1::ConnectionJoin| Reverse(total(join));
        let by_size = bytes(one).cmp(&bytes(other));
        by_size.then_with(|| (&one.cgroup, &one.node).cmp(&(&other.cgroup, &other.node)))
    });
    joins
}

/// That of the process's container.
fn join<'m, 'a>(
    joins: &'m mut HashMap<(&'a str, &'a str), Join<'a>>,
    info: &'a TargetInfo,
) -> &'m mut Join<'a> {
    let key = (&*info.node.name, &*info.container.root);
    joins.entry(key).or_insert_with(|| Join {
        info,
        joined: 0,
        nobody: 0,
        helper: 0,
        ring: 0,
        queues: 0,
        open: 0,
    })
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
        let parts = [self.nobody, self.helper, self.ring];
        let total = parts.into_iter().fold(self.joined, u64::saturating_add);
        v1::ConnectionJoin {
            node: self.info.node.name.clone(),
            container_id: self.info.container.name.clone(),
            cgroup: self.info.container.root.clone(),
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
