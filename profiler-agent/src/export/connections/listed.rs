//! The agent's connections, as questions are answered from them.

use std::collections::HashMap;

use profiler_proto::v1;
use profiler_query::answer::{
    Clocks,
    connections::{ConnectionFacts, Listed, Socket},
};

use super::wire;
use crate::{
    connection::{Connection, Connections},
    ids::{BootTime, Cookie, PeerId, ProcessHandle},
};

/// The table by cookie.
pub(in crate::export) struct Known<'a> {
    table: &'a Connections,
    by_cookie: HashMap<Cookie, &'a Connection>,
    clocks: Clocks,
}

impl<'a> Known<'a> {
    pub(in crate::export) fn new(table: &'a Connections, clocks: Clocks) -> Self {
        let connections = table.connections.iter();
        Self {
            table,
            by_cookie: connections.map(|one| (one.cookie, one)).collect(),
            clocks,
        }
    }
}

impl ConnectionFacts for Known<'_> {
    fn connection(&self, _node: &str, cookie: Cookie) -> Option<v1::Connection> {
        let connection = self.by_cookie.get(&cookie)?;
        let pattern = v1::Pattern::Unspecified;
        Some(wire::connection(connection, None, pattern, self.clocks))
    }

    fn peer(&self, peer: PeerId) -> Option<v1::Connection> {
        self.table.peers.get(&peer).map(wire::peer)
    }

    fn knows(&self, cookie: Cookie) -> bool {
        self.by_cookie.contains_key(&cookie)
    }

    fn was_folded(&self, cookie: Cookie) -> bool {
        self.table.folded.contains_key(&cookie)
    }
}

impl Listed for Connection {
    fn cookie(&self) -> Cookie {
        self.cookie
    }

    fn process(&self) -> Option<ProcessHandle> {
        self.process
    }

    fn opened(&self) -> BootTime {
        Self::opened(self)
    }

    fn closed(&self) -> Option<BootTime> {
        self.closed
    }

    fn allocated(&self) -> u64 {
        self.allocated
    }

    fn freed(&self) -> u64 {
        self.freed
    }

    fn socket(&self) -> Option<Socket> {
        let facts = self.facts.as_ref()?;
        Some(Socket {
            kind: wire::kind(facts.kind),
            role: wire::role(facts.role),
            protocol: wire::protocol(facts.protocol),
            peer: facts.peer.address(),
            port: facts.service_port(),
            traffic: facts.traffic,
            queue_bytes: u64::from(facts.receive_queue) + u64::from(facts.send_queue),
        })
    }
}
