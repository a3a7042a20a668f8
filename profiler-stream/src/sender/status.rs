//! What the sender says of itself.

use std::{
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// Where the sender stands. Counts are of this run of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The collector that it is connected to.
    pub connected: Option<Connected>,
    /// What went wrong last, and when.
    pub last_error: Option<(SystemTime, String)>,
    /// Batches handed to a connection; some more than once.
    pub sent: u64,
    /// Batches that a collector has durably.
    pub acked: u64,
    /// Batches that a collector does not want.
    pub refused: u64,
}

/// A connection whose handshake is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its address.
    pub endpoint: String,
    /// The collector's version.
    pub version: String,
    /// Since when.
    pub since: SystemTime,
}

/// A [`Status`] that the sender changes and others read.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Status>);

impl Shared {
    pub(super) fn read(&self) -> Status {
        let status = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        status.clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
