//! Totals of connections that are no longer kept apart, by peer.

use super::{
    facts::{Address, Kind, Role, Traffic},
    record::Connection,
};
pub use crate::ids::PeerId;
use crate::ids::ProcessHandle;

/// What folded connections have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerKey {
    /// The process that used them last.
    pub process: ProcessHandle,
    /// Their kind.
    pub kind: Kind,
    /// Their side.
    pub role: Role,
    /// The other end, without its port.
    pub address: Address,
    /// The service's port.
    pub port: u16,
}

impl PeerKey {
    /// None for a connection whose process or socket is not known.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let facts = connection.facts.as_ref()?;
        Some(Self {
            process: connection.process?,
            kind: facts.kind,
            role: facts.role,
            address: facts.peer.address(),
            port: facts.service_port(),
        })
    }
}

/// Connections to one peer that are over and hold nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What they have in common.
    pub key: PeerKey,
    /// How many.
    pub connections: u64,
    /// Their traffic together.
    pub traffic: Traffic,
    /// Bytes that were demanded on their behalf.
    pub allocated: u64,
}

impl Peer {
    pub(super) fn new(key: PeerKey) -> Self {
        Self {
            key,
            connections: 0,
            traffic: Traffic::default(),
            allocated: 0,
        }
    }

    pub(super) fn add(&mut self, connection: &Connection) {
        self.connections += 1;
        self.allocated = self.allocated.saturating_add(connection.allocated);
        let Some(facts) = &connection.facts else {
            return;
        };
        let (sum, part) = (&mut self.traffic, &facts.traffic);
        sum.received_bytes = sum.received_bytes.saturating_add(part.received_bytes);
        sum.received_calls = sum.received_calls.saturating_add(part.received_calls);
        sum.sent_bytes = sum.sent_bytes.saturating_add(part.sent_bytes);
        sum.sent_calls = sum.sent_calls.saturating_add(part.sent_calls);
    }
}
