//! Answers about connections. An agent makes them from its own table, a collector from the
//! [`Messages`] that agents sent: both are [`Listed`] and [`ConnectionFacts`].

mod filter;
mod groups;
mod joins;
mod listing;
mod messages;
#[cfg(test)]
mod tests;

use profiler_proto::v1;

use crate::{
    ids::{BootTime, Cookie, PeerId, ProcessHandle},
    model::{Address, BehalfKey, Traffic},
};

pub use listing::{Listing, Table};
pub use messages::Messages;

/// What is known of the sockets that growth was demanded on behalf of.
pub trait ConnectionFacts {
    /// The connection with this cookie on this node.
    fn connection(&self, node: &str, cookie: Cookie) -> Option<v1::Connection>;

    /// Connections to one peer that are over, taken together.
    fn peer(&self, peer: PeerId) -> Option<v1::Connection>;

    /// A connection with this cookie is known.
    fn knows(&self, cookie: Cookie) -> bool;

    /// It is over and was taken together with others.
    fn was_folded(&self, cookie: Cookie) -> bool;
}

/// Nothing is known; for answers that need no connections.
impl ConnectionFacts for () {
    fn connection(&self, _node: &str, _cookie: Cookie) -> Option<v1::Connection> {
        None
    }

    fn peer(&self, _peer: PeerId) -> Option<v1::Connection> {
        None
    }

    fn knows(&self, _cookie: Cookie) -> bool {
        false
    }

    fn was_folded(&self, _cookie: Cookie) -> bool {
        false
    }
}

/// A connection as a listing chooses, orders and folds it. Memory is committed bytes.
pub trait Listed {
    /// Tells equal cookies apart; empty where all are of one node.
    fn node(&self) -> &str {
        ""
    }

    /// The socket's cookie.
    fn cookie(&self) -> Cookie;

    /// The process that used it last, if it is known.
    fn process(&self) -> Option<ProcessHandle>;

    /// When it opened, or was first seen.
    fn opened(&self) -> BootTime;

    /// When it closed.
    fn closed(&self) -> Option<BootTime>;

    /// Bytes that were demanded on its behalf.
    fn allocated(&self) -> u64;

    /// Of those, given back.
    fn freed(&self) -> u64;

    /// Its socket; none as long as that is not known.
    fn socket(&self) -> Option<Socket>;

    /// Bytes that are still there.
    fn live(&self) -> u64 {
        self.allocated().saturating_sub(self.freed())
    }
}

/// What a listing needs to know of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its kind.
    pub kind: v1::ConnectionKind,
    /// Its side.
    pub role: v1::ConnectionRole,
    /// What it speaks.
    pub protocol: v1::ConnectionProtocol,
    /// The other end, without its port.
    pub peer: Address,
    /// The service's port; 0 where it is not known.
    pub port: u16,
    /// Its traffic.
    pub traffic: Traffic,
    /// Kernel memory of both queues, bytes.
    pub queue_bytes: u64,
}

/// Connections to one peer that are over and hold nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPeer {
    /// The process that used them last.
    pub process: ProcessHandle,
    /// Their kind.
    pub kind: v1::ConnectionKind,
    /// Their side.
    pub role: v1::ConnectionRole,
    /// The other end, without its port.
    pub address: Address,
    /// The service's port; 0 where it is not known.
    pub port: u16,
    /// How many.
    pub connections: u64,
    /// Their traffic together.
    pub traffic: Traffic,
    /// Bytes that were demanded on their behalf, and given back.
    pub allocated: u64,
}

/// Open sockets of a process, or of all processes of its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sockets {
    /// The process, or one of them.
    pub process: ProcessHandle,
    /// How many.
    pub open: u64,
    /// Kernel memory of their queues.
    pub queue_bytes: u64,
}

/// On whose behalf, for the wire.
pub fn behalf_to_wire(behalf: BehalfKey) -> v1::Behalf {
    match behalf {
        BehalfKey::Connection(_) => v1::Behalf::Connection,
        BehalfKey::Peer(_) => v1::Behalf::Peer,
        BehalfKey::Folded => v1::Behalf::Folded,
        BehalfKey::Nobody => v1::Behalf::NoConnection,
        BehalfKey::Helper => v1::Behalf::HelperThread,
        BehalfKey::Ring => v1::Behalf::IoUring,
    }
}

/// `part / whole`; 0 where there is no whole.
pub fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}
