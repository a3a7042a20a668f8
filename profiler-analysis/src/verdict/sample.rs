//! What series are made of.

use serde::{Deserialize, Serialize};

/// One reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When, in nanoseconds.
    pub time: u64,
    /// Anonymous memory that is resident, with what of it is swapped out.
    pub bytes: u64,
    /// The limit that ends in an OOM kill, if there is one.
    pub limit: Option<u64>,
    /// What was asked of it.
    pub load: Load,
}

/// What was asked of a process or container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Bytes received on connections since the series began; does not fall.
    pub received_bytes: u64,
    /// Receiving calls, likewise.
    pub received_calls: u64,
    /// Connections that are open now.
    pub open_connections: u64,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LifeEnd {
    /// The kernel killed it for want of memory.
    OomKilled,
    /// Otherwise.
    Ended,
}
