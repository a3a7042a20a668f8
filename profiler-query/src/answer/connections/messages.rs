//! Connections of many nodes, from the messages that their agents sent.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use pbjson_types::Timestamp;
use profiler_proto::v1;

use super::{ConnectionFacts, Listed, ListedPeer, Listing, Socket, Sockets, Table};
use crate::{
    answer::{Clocks, Selection, put_user},
    ids::{BootTime, Cookie, PeerId, ProcessHandle},
    model::{Address, Endpoint, Growth, Traffic},
};

/// Classes of an answer: those with the most growth.
const CLASSES: usize = 200;

/// What agents said of their connections at the moment of an answer. Times of the snapshots beside
/// it are in wall clock time.
#[derive(Debug, Default)]
pub struct Messages {
    connections: Vec<Sent>,
    /// By node and cookie, the place in `connections`.
    places: HashMap<Arc<str>, HashMap<u64, usize>>,
    peers: BTreeMap<PeerId, SentPeer>,
    classes: Vec<v1::ConnectionClass>,
    joins: Vec<v1::ConnectionJoin>,
    total_classes: u32,
    open: u64,
    closed_kept: u64,
    folded: u64,
}

#[derive(Debug)]
struct Sent {
    node: Arc<str>,
    process: Option<ProcessHandle>,
    connection: v1::Connection,
}

#[derive(Debug)]
struct SentPeer {
    process: ProcessHandle,
    port: u16,
    connection: v1::Connection,
}

impl Messages {
    /// Takes over what one node's agent said. `process` and `peer` turn its numbers into those of
    /// the answer; what they do not know is left out.
    pub fn add(
        &mut self,
        node: &str,
        part: v1::ConnectionsPart,
        process: impl Fn(u32) -> Option<ProcessHandle>,
        peer: impl Fn(u32) -> Option<PeerId>,
    ) {
        self.add_connections(node, part.connections, &part.process, &process);
        for one in part.peers {
            let known = peer(one.number).zip(process(one.process));
            if let (Some((peer, process)), Some(connection)) = (known, one.connection) {
                let port = u16::try_from(one.port).unwrap_or(0);
                let sent = SentPeer {
                    process,
                    port,
                    connection,
                };
                self.peers.insert(peer, sent);
            }
        }
        self.classes.extend(part.classes.into_iter().map(|class| {
            let node = node.to_owned();
            v1::ConnectionClass { node, ..class }
        }));
        self.joins.extend(part.joins.into_iter().map(|join| {
            let node = node.to_owned();
            v1::ConnectionJoin { node, ..join }
        }));
        self.total_classes = self.total_classes.saturating_add(part.total_classes);
        for (sum, part) in [
            (&mut self.open, part.open_connections),
            (&mut self.closed_kept, part.closed_connections_kept),
            (&mut self.folded, part.connections_folded),
        ] {
            *sum = sum.saturating_add(part);
        }
    }

    /// `numbers`: the process of each; what is missing there is not known.
    fn add_connections(
        &mut self,
        node: &str,
        connections: Vec<v1::Connection>,
        numbers: &[u32],
        process: &impl Fn(u32) -> Option<ProcessHandle>,
    ) {
        let node: Arc<str> = node.into();
        let places = self.places.entry(Arc::clone(&node)).or_default();
        for (place, connection) in connections.into_iter().enumerate() {
            let number = numbers.get(place).filter(|number| **number != 0);
            places.insert(connection.cookie, self.connections.len());
            self.connections.push(Sent {
                node: Arc::clone(&node),
                process: number.and_then(|number| process(*number)),
                connection: v1::Connection {
                    node: node.to_string(),
                    ..connection
                },
            });
        }
    }

    /// The answer without snapshot and accounting. `pinned`: the moment that it stands for, for the
    /// next page.
    pub fn answer(
        &self,
        listing: &Listing,
        growth: &Growth,
        selection: &Selection,
        pinned: &[BootTime],
    ) -> v1::ListConnectionsResponse {
        let chosen = Chosen::new(growth, selection);
        let (classes, total_classes) = self.classes(&chosen, selection);
        let table = Table {
            time: growth.time,
            connections: &self.connections,
            peers: self.peers.values().map(listed_peer).collect(),
            sockets: self.sockets(&chosen),
            classes,
            total_classes,
            open: self.open,
            closed_kept: self.closed_kept,
            folded: self.folded,
            pinned,
        };
        listing.answer(&table, growth, selection, |sent, info| {
            let mut connection = sent.connection.clone();
            if let Some(info) = info {
                put_user(&mut connection, info);
            }
            connection
        })
    }

    /// As on an agent: of those with the most growth, most live bytes first.
    fn classes(
        &self,
        chosen: &Chosen<'_>,
        selection: &Selection,
    ) -> (Vec<v1::ConnectionClass>, u32) {
        let is_chosen = |class: &&v1::ConnectionClass| {
            selection.is_all() || chosen.processes.contains_key(&(&*class.node, class.pid))
        };
        let classes = self.classes.iter().filter(is_chosen);
        let mut classes: Vec<&v1::ConnectionClass> = classes.collect();
        let total = match selection.is_all() {
            true => self.total_classes,
            false => u32::try_from(classes.len()).unwrap_or(u32::MAX),
        };
        classes.sort_by_key(|class| Reverse(class.committed_allocated_bytes));
        classes.truncate(CLASSES);
        classes.sort_by_key(|class| {
            let name = (
                &class.node,
                class.pid,
                class.kind,
                class.role,
                &class.endpoint,
            );
            (Reverse(class.committed_live_bytes), name)
        });
        (classes.into_iter().cloned().collect(), total)
    }

    /// The sums of agents have idle sockets in them too, which they do not send one by one.
    fn sockets(&self, chosen: &Chosen<'_>) -> Vec<Sockets> {
        let joins = self.joins.iter().filter_map(|join| {
            let key = (&*join.node, &*join.cgroup);
            Some(Sockets {
                process: *chosen.containers.get(&key)?,
                open: join.open_connections,
                queue_bytes: join.socket_queue_bytes,
            })
        });
        joins.collect()
    }
}

/// The chosen processes by what messages call them.
struct Chosen<'a> {
    /// By node and pid.
    processes: HashMap<(&'a str, u32), ProcessHandle>,
    /// One of each container, by node and cgroup.
    containers: HashMap<(&'a str, &'a str), ProcessHandle>,
}

impl<'a> Chosen<'a> {
    fn new(growth: &'a Growth, selection: &Selection) -> Self {
        let chosen = growth
            .targets()
            .filter(|(handle, _)| selection.has(*handle));
        Self {
            processes: chosen
                .clone()
                .map(|(handle, info)| ((&*info.node.name, info.pid), handle))
                .collect(),
            containers: chosen
                .map(|(handle, info)| ((&*info.node.name, &*info.container.root), handle))
                .collect(),
        }
    }
}

impl ConnectionFacts for Messages {
    fn connection(&self, node: &str, cookie: Cookie) -> Option<v1::Connection> {
        let place = self.places.get(node)?.get(&cookie.0)?;
        Some(self.connections.get(*place)?.connection.clone())
    }

    fn peer(&self, peer: PeerId) -> Option<v1::Connection> {
        Some(self.peers.get(&peer)?.connection.clone())
    }

    fn knows(&self, cookie: Cookie) -> bool {
        let mut nodes = self.places.values();
        nodes.any(|places| places.contains_key(&cookie.0))
    }

    /// Agents do not say which they folded.
    fn was_folded(&self, _cookie: Cookie) -> bool {
        false
    }
}

impl Listed for Sent {
    fn node(&self) -> &str {
        &self.node
    }

    fn cookie(&self) -> Cookie {
        Cookie(self.connection.cookie)
    }

    fn process(&self) -> Option<ProcessHandle> {
        self.process
    }

    /// One that was there before the agent is older than all others.
    fn opened(&self) -> BootTime {
        time(self.connection.opened.as_ref()).unwrap_or_default()
    }

    fn closed(&self) -> Option<BootTime> {
        time(self.connection.closed.as_ref())
    }

    fn allocated(&self) -> u64 {
        self.connection.committed_allocated_bytes
    }

    fn freed(&self) -> u64 {
        self.connection.committed_freed_bytes
    }

    fn socket(&self) -> Option<Socket> {
        let one = &self.connection;
        let Ok(local) = one.local.parse::<Endpoint>();
        let Ok(peer) = one.peer.parse::<Endpoint>();
        let queues = [one.receive_queue_bytes, one.send_queue_bytes];
        (one.kind() != v1::ConnectionKind::Unspecified).then(|| Socket {
            kind: one.kind(),
            role: one.role(),
            protocol: one.protocol(),
            peer: peer.address(),
            port: match one.role() {
                v1::ConnectionRole::Server => local.port(),
                v1::ConnectionRole::Client => peer.port(),
                v1::ConnectionRole::Unspecified => 0,
            },
            traffic: traffic(one),
            queue_bytes: queues.into_iter().map(u64::from).sum(),
        })
    }
}

fn listed_peer(sent: &SentPeer) -> ListedPeer {
    let one = &sent.connection;
    let Ok(address) = one.peer.parse::<Address>();
    ListedPeer {
        process: sent.process,
        kind: one.kind(),
        role: one.role(),
        address,
        port: sent.port,
        connections: one.connections,
        traffic: traffic(one),
        allocated: one.committed_allocated_bytes,
    }
}

fn traffic(connection: &v1::Connection) -> Traffic {
    Traffic {
        received_bytes: connection.received_bytes,
        received_calls: connection.received_calls,
        sent_bytes: connection.sent_bytes,
        sent_calls: connection.sent_calls,
    }
}

fn time(wall: Option<&Timestamp>) -> Option<BootTime> {
    let clocks = Clocks::wall(BootTime(0));
    wall.map(|wall| clocks.to_boot(wall))
}
