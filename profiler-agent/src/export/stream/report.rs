//! How streaming stands, for answers about the agent itself.

use std::{
    fmt::Display,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use profiler_query::answer::display;
use profiler_stream::{
    sender::{self, Watch},
    spool::{self, Cause, Spool},
};

use crate::export::LossFacts;

/// What writer and sender tell. Reading it never waits for a disk.
#[derive(Default)]
pub(super) struct Report {
    opened: OnceLock<Opened>,
    /// Why the spool is not opened.
    failure: Mutex<String>,
    /// How the spool was when it was looked at last.
    looked: Mutex<spool::Status>,
    /// Snapshots that the writer was given, and those that it is done with.
    given: AtomicU64,
    done: AtomicU64,
    not_exported: AtomicU64,
    unnamed: AtomicU64,
}

struct Opened {
    sender: Watch,
    spool: Arc<Spool>,
}

impl Report {
    /// The spool is open from now on.
    pub(super) fn opened(&self, sender: Watch, spool: Arc<Spool>) {
        // It is opened once.
        let _ = self.opened.set(Opened { sender, spool });
        self.look();
    }

    pub(super) fn not_opened(&self, error: &impl Display) {
        *lock(&self.failure) = error.to_string();
    }

    /// Looks at the spool, which may wait for its disk. For the thread that writes.
    pub(super) fn look(&self) {
        if let Some(opened) = self.opened.get() {
            *lock(&self.looked) = opened.spool.status();
        }
    }

    /// Something waits in the spool, and there is hope for it. May wait for the disk.
    pub(super) fn can_send(&self) -> bool {
        self.opened.get().is_some_and(|opened| {
            let sender = opened.sender.status();
            let is_hopeless = sender.connected.is_none() && sender.last_error.is_some();
            !is_hopeless && opened.spool.status().pending > 0
        })
    }

    pub(super) fn count_given(&self) {
        self.given.fetch_add(1, Relaxed);
    }

    pub(super) fn count_done(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// Snapshots that are not written yet.
    pub(super) fn waiting(&self) -> u64 {
        let done = self.done.load(Relaxed);
        self.given.load(Relaxed).saturating_sub(done)
    }

    pub(super) fn count_not_exported(&self) {
        self.not_exported.fetch_add(1, Relaxed);
    }

    pub(super) fn count_unnamed(&self) {
        self.unnamed.fetch_add(1, Relaxed);
    }

    fn looked(&self) -> spool::Status {
        lock(&self.looked).clone()
    }

    pub(super) fn losses(&self) -> Vec<LossFacts> {
        let dropped = self.looked().dropped;
        let dropped = |causes: &[Cause]| {
            let counts = causes.iter().filter_map(|cause| dropped.get(cause));
            counts.copied().fold(0, u64::saturating_add)
        };
        let loss = |cause, count, meaning| LossFacts {
            cause,
            count,
            meaning,
        };
        vec![
            loss(
                "snapshots_not_exported",
                self.not_exported.load(Relaxed),
                "snapshots that no collector will get, because writing to the spool took longer \
                 than the time between two of them, or it could not be opened",
            ),
            loss(
                "stacks_sent_unnamed",
                self.unnamed.load(Relaxed),
                "stacks that a collector gets without frames: they were no longer kept, or there \
                 was no room for their names",
            ),
            loss(
                "batches_dropped",
                dropped(&[Cause::Full, Cause::Old, Cause::Disk, Cause::TooLarge]),
                "snapshots that no collector will get, since the spool was made: it was full, or \
                 they were too old, or the disk could not be written",
            ),
            loss(
                "batches_refused",
                dropped(&[Cause::Refused]),
                "snapshots that a collector could not store, since the spool was made; see the \
                 agent's log",
            ),
            loss(
                "batches_ahead",
                dropped(&[Cause::Ahead]),
                "snapshots that were made while this host's clock was wrong, since the spool was \
                 made: their times were yet to come when it was set right",
            ),
            loss(
                "spool_damaged",
                dropped(&[Cause::Damaged]),
                "snapshots that could not be read from the spool any more, since it was made: its \
                 files are set aside as *.damaged",
            ),
        ]
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let Some(opened) = self.opened.get() else {
            let failure = lock(&self.failure);
            return vec![format!(
                "no snapshots are kept for a collector: {failure}; it is tried again"
            )];
        };
        let (sender, spool) = (opened.sender.status(), self.looked());
        vec![format!("{}; {}", connection(&sender), backlog(&spool))]
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connection(sender: &sender::Status) -> String {
    match (&sender.connected, &sender.last_error) {
        (Some(connected), _) => format!(
            "streaming to {} (collector {}) since {}: {} batches are durable there, {} were \
             refused",
            connected.endpoint,
            connected.version,
            wall(connected.since),
            sender.acked,
            sender.refused
        ),
        (None, Some((when, error))) => {
            format!("no collector takes snapshots; at {} {error}", wall(*when))
        }
        (None, None) => "connecting to a collector".to_owned(),
    }
}

fn backlog(spool: &spool::Status) -> String {
    let since = spool.oldest.map_or_else(String::new, |seconds| {
        format!(
            ", the oldest of {}",
            display(&pbjson_types::Timestamp { seconds, nanos: 0 })
        )
    });
    format!(
        "{} batches wait in the spool{since}, which takes {} KiB",
        spool.pending,
        spool.bytes.div_ceil(1024)
    )
}

fn wall(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    display(&pbjson_types::Timestamp {
        seconds: i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX),
        nanos: 0,
    })
}
