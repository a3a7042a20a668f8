//! Connections of one process taken together.

use std::collections::HashMap;

use profiler_proto::v1::{self, ConnectionFold};
use tonic::Status;

use super::{Listed, ListedPeer};
use crate::{
    ids::{BootTime, ProcessHandle},
    model::{Address, TargetInfo, Traffic},
};

/// Upper bounds of the bands of age, in seconds, and their names.
const AGES: &[(u64, &str)] = &[
    (1, "<1s"),
    (10, "1s-10s"),
    (60, "10s-1m"),
    (600, "1m-10m"),
    (3_600, "10m-1h"),
    (21_600, "1h-6h"),
    (86_400, "6h-24h"),
    (u64::MAX, ">24h"),
];

/// What connections are taken together by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fold {
    role: bool,
    peer: bool,
    port: bool,
    age: bool,
    protocol: bool,
}

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    process: Option<ProcessHandle>,
    role: v1::ConnectionRole,
    peer: Address,
    port: u16,
    age: &'static str,
    protocol: v1::ConnectionProtocol,
}

impl Fold {
    /// None if nothing was asked for.
    pub(super) fn new(by: &[i32]) -> Result<Option<Self>, Status> {
        let mut fold = Self::default();
        for &value in by {
            match ConnectionFold::try_from(value) {
                Ok(ConnectionFold::Role) => fold.role = true,
                Ok(ConnectionFold::Peer) => fold.peer = true,
                Ok(ConnectionFold::Port) => fold.port = true,
                Ok(ConnectionFold::Age) => fold.age = true,
                Ok(ConnectionFold::Protocol) => fold.protocol = true,
                Ok(ConnectionFold::Unspecified) | Err(_) => {
                    return Err(Status::invalid_argument(format!(
                        "fold: {value} is nothing that connections can be taken together by"
                    )));
                }
            }
        }
        Ok((!by.is_empty()).then_some(fold))
    }

    fn key(self, connection: &impl Listed, now: BootTime) -> Key {
        let socket = connection.socket();
        let when = |asked: bool| socket.as_ref().filter(|_| asked);
        let until = connection.closed().unwrap_or(now);
        let age = until.0.saturating_sub(connection.opened().0) / 1_000_000_000;
        let band = AGES.iter().find(|(below, _)| age < *below);
        Key {
            process: connection.process(),
            role: when(self.role).map(|one| one.role).unwrap_or_default(),
            peer: when(self.peer).map_or(Address::None, |one| one.peer.clone()),
            port: when(self.port).map_or(0, |one| one.port),
            age: band.filter(|_| self.age).map_or("", |(_, name)| name),
            protocol: when(self.protocol)
                .map(|one| one.protocol)
                .unwrap_or_default(),
        }
    }

    fn key_of_peer(self, peer: &ListedPeer) -> Key {
        Key {
            process: Some(peer.process),
            role: match self.role {
                true => peer.role,
                false => v1::ConnectionRole::Unspecified,
            },
            peer: match self.peer {
                true => peer.address.clone(),
                false => Address::None,
            },
            port: if self.port { peer.port } else { 0 },
            age: "",
            protocol: v1::ConnectionProtocol::Unspecified,
        }
    }

    /// The groups, most live bytes first. Of `peers`, which are folded already, age and protocol
    /// are not known.
    pub(super) fn groups<'a, C: Listed>(
        self,
        connections: &[&C],
        peers: impl Iterator<Item = &'a ListedPeer>,
        info: impl Fn(ProcessHandle) -> Option<&'a TargetInfo>,
        now: BootTime,
    ) -> Vec<v1::ConnectionGroup> {
        let mut groups: HashMap<Key, v1::ConnectionGroup> = HashMap::new();
        for connection in connections {
            let group = groups.entry(self.key(*connection, now)).or_default();
            add(group, *connection);
        }
        for peer in peers {
            add_peer(groups.entry(self.key_of_peer(peer)).or_default(), peer);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by(|(key, group), (other_key, other)| {
            let live = other.committed_live_bytes.cmp(&group.committed_live_bytes);
            live.then_with(|| key.cmp(other_key))
        });
        let groups = groups.into_iter();
        groups
            .map(|(key, mut group)| {
                name(&mut group, &key, key.process.and_then(&info));
                group
            })
            .collect()
    }
}

fn add(group: &mut v1::ConnectionGroup, connection: &impl Listed) {
    let live = connection.live();
    let socket = connection.socket();
    add_traffic(group, socket.map(|one| one.traffic).unwrap_or_default());
    group.connections = group.connections.saturating_add(1);
    let allocated = &mut group.committed_allocated_bytes;
    *allocated = allocated.saturating_add(connection.allocated());
    let freed = &mut group.committed_freed_bytes;
    *freed = freed.saturating_add(connection.freed());
    group.committed_live_bytes = group.committed_live_bytes.saturating_add(live);
    match connection.closed() {
        None => group.open = group.open.saturating_add(1),
        Some(_) => {
            let after = &mut group.live_after_close_bytes;
            *after = after.saturating_add(live);
        }
    }
}

/// What they demanded is given back, or is no longer known to be theirs.
fn add_peer(group: &mut v1::ConnectionGroup, peer: &ListedPeer) {
    add_traffic(group, peer.traffic);
    group.connections = group.connections.saturating_add(peer.connections);
    let allocated = &mut group.committed_allocated_bytes;
    *allocated = allocated.saturating_add(peer.allocated);
    let freed = &mut group.committed_freed_bytes;
    *freed = freed.saturating_add(peer.allocated);
}

fn add_traffic(group: &mut v1::ConnectionGroup, traffic: Traffic) {
    let sums = [
        (&mut group.received_bytes, traffic.received_bytes),
        (&mut group.received_calls, traffic.received_calls),
        (&mut group.sent_bytes, traffic.sent_bytes),
        (&mut group.sent_calls, traffic.sent_calls),
    ];
    for (sum, part) in sums {
        *sum = sum.saturating_add(part);
    }
}

fn name(group: &mut v1::ConnectionGroup, key: &Key, info: Option<&TargetInfo>) {
    *group = v1::ConnectionGroup {
        node: info.map_or_else(String::new, |info| info.node.name.clone()),
        pid: info.map_or(0, |info| info.pid),
        process_name: info.map_or_else(String::new, |info| info.name.clone()),
        container_id: info.map_or_else(String::new, |info| info.container.id.clone()),
        role: key.role.into(),
        peer: key.peer.to_string(),
        port: key.port.into(),
        protocol: key.protocol.into(),
        age: key.age.to_owned(),
        ..std::mem::take(group)
    };
}
