//! How the spool is.

use std::collections::BTreeMap;

use super::{Cause, Spool, file::SpoolFile, store::Inner};

/// How the spool is. Counts are of all time, for as long as the folder is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files that are being written or sent.
    pub files: u64,
    /// Files that were set aside.
    pub files_damaged: u64,
    /// Batches that have to be sent.
    pub pending: u64,
    /// The moment of the oldest of them, in seconds since 1970.
    pub oldest: Option<i64>,
    /// Batches that came to the disk.
    pub kept: u64,
    /// Batches that the collector has.
    pub acked: u64,
    /// Batches that were dropped, by cause; causes that never were are left out.
    pub dropped: BTreeMap<Cause, u64>,
}

impl Spool {
    /// How it is.
    pub fn status(&self) -> Status {
        let inner = self.lock();
        let pending = inner.files.values().flat_map(|file| inner.moments(file));
        let pending: Vec<_> = pending.collect();
        Status {
            bytes: inner.bytes(),
            files: inner.files.len() as u64,
            files_damaged: inner.damaged.len() as u64,
            pending: pending.len() as u64,
            oldest: pending.into_iter().min(),
            kept: inner.journal.progress.kept,
            acked: inner.journal.progress.acked,
            dropped: inner.journal.progress.dropped(),
        }
    }
}

impl Inner {
    /// Moments of the batches of a file that have to be sent.
    fn moments(&self, file: &SpoolFile) -> impl Iterator<Item = i64> {
        let progress = self.progress(file);
        file.moments().filter_map(move |(sequence, seconds)| {
            let is_pending = progress.is_some_and(|progress| progress.is_pending(sequence));
            is_pending.then_some(seconds)
        })
    }
}
