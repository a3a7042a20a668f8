//! What came, and what became of it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A number that only goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many by now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counted from the collector's start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Batches that are durable.
    pub batches_stored: Counter,
    /// Batches that were there already.
    pub batches_repeated: Counter,
    /// Batches that cannot be stored; the agent drops them.
    pub batches_refused: Counter,
    /// Events that are not kept, since their run has too many.
    pub events_refused: Counter,
    /// Changes of verdicts that came too fast to be told to who watches.
    pub changes_untold: Counter,
    /// Bytes of batches and definitions, as they came.
    pub bytes_received: Counter,
    /// Streams that ended with an error.
    pub streams_failed: Counter,
    /// Streams above the bound.
    pub streams_refused: Counter,
    /// Writes that the store did not take.
    pub store_failures: Counter,
    /// Streams that began.
    streams_begun: Counter,
    /// And ended.
    streams_ended: Counter,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Counters")]
pub struct Totals {
    pub batches_stored: u64,
    pub batches_repeated: u64,
    pub batches_refused: u64,
    pub events_refused: u64,
    pub changes_untold: u64,
    pub bytes_received: u64,
    pub streams_failed: u64,
    pub streams_refused: u64,
    pub store_failures: u64,
    /// Streams that are open now.
    pub streams_open: u64,
}

/// Counts as an open stream until it is dropped.
pub(super) struct Open(Arc<Counters>);

impl Counters {
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.streams_begun.add(1);
        Open(Arc::clone(self))
    }

    /// All of them.
    pub fn totals(&self) -> Totals {
        // The ends first: a stream that begins in between counts as open.
        let ended = self.streams_ended.get();
        Totals {
            batches_stored: self.batches_stored.get(),
            batches_repeated: self.batches_repeated.get(),
            batches_refused: self.batches_refused.get(),
            events_refused: self.events_refused.get(),
            changes_untold: self.changes_untold.get(),
            bytes_received: self.bytes_received.get(),
            streams_failed: self.streams_failed.get(),
            streams_refused: self.streams_refused.get(),
            store_failures: self.store_failures.get(),
            streams_open: self.streams_begun.get() - ended,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streams_ended.add(1);
    }
}
