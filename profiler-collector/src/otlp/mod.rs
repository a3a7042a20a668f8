//! Growth of the fleet to a receiver of OTLP Profiles, interval by interval.
//!
//! Asking and sending run side by side, joined by a queue that is bounded in bytes. At the end of
//! each interval [`gather`] asks the query service for every node that reports; what it makes of
//! the answers waits in [`queue`] until [`send`] has brought it to the receiver.

mod counters;
mod gather;
mod headers;
mod queue;
mod send;

use std::{path::PathBuf, sync::Arc, time::Duration};

use profiler_formats::otlp::Interval;
use profiler_proto::v1::query_server::Query;
use tokio::time::MissedTickBehavior;
use tonic::Status;

pub use counters::Counters;

use crate::clock;
use crate::query::VerdictStream;
use queue::Queue;

/// Where profiles go, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `https://HOST:PORT` or `http://HOST:PORT`.
    pub endpoint: String,
    /// Authorities that may have signed the receiver's certificate, PEM; those of this host if none.
    pub ca: Option<PathBuf>,
    /// Lines "key: value" that go with each request as metadata.
    pub header_file: Option<PathBuf>,
    /// From one export to the next.
    pub interval: Duration,
    /// What it may take.
    pub limits: Limits,
}

/// Bounds of memory and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Encoded bytes of requests that wait; the oldest go first.
    pub waiting_bytes: usize,
    /// Rows of one node and figure; the largest are sent.
    pub rows: usize,
    /// An interval ends so long before it is asked about: batches are on their way.
    pub settle: Duration,
    /// Time for one request.
    pub request: Duration,
    /// From a failure to the next try at first; it doubles with each failure.
    pub wait_first: Duration,
    /// The longest of these times; a receiver may ask for as much.
    pub wait_longest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting_bytes: 64 << 20,
            rows: 20_000,
            settle: Duration::from_secs(15),
            request: Duration::from_secs(30),
            wait_first: Duration::from_secs(1),
            wait_longest: Duration::from_secs(120),
        }
    }
}

/// Asks, and sends.
pub struct Exporter {
    query: Arc<dyn Query<WatchVerdictsStream = VerdictStream>>,
    settings: Settings,
    counters: Counters,
    queue: Queue,
}

impl Exporter {
    /// Of what `query` answers.
    pub fn new(
        query: Arc<dyn Query<WatchVerdictsStream = VerdictStream>>,
        settings: Settings,
        counters: Counters,
    ) -> Self {
        Self {
            queue: Queue::new(settings.limits.waiting_bytes, counters.clone()),
            query,
            settings,
            counters,
        }
    }

    /// Exports until it is dropped. What waits then is lost.
    pub async fn run(&self) {
        tokio::join!(self.ask_by_interval(), self.send());
    }

    /// Sends what waits, until it is dropped.
    pub async fn send(&self) {
        send::Sender::new(&self.settings, &self.queue, &self.counters)
            .run()
            .await;
    }

    /// Asks for one interval and puts what there is to send into the queue. Nodes that cannot be
    /// asked are left out, which is counted.
    ///
    /// # Errors
    /// The nodes are not known; nothing was asked.
    pub async fn ask(&self, interval: Interval) -> Result<(), Status> {
        gather::gather(self, interval).await
    }

    async fn ask_by_interval(&self) {
        let mut ticks = tokio::time::interval(self.settings.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut from = self.settled();
        loop {
            ticks.tick().await;
            let to = self.settled();
            // The clock may have been set back.
            if to <= from {
                from = to;
                continue;
            }
            match self.ask(Interval { from, to }).await {
                Ok(()) => from = to,
                // The next interval is longer by this one.
                Err(status) => {
                    self.counters.questions_failed.inc();
                    tracing::warn!(reason = status.message(), "nothing to export over OTLP");
                }
            }
        }
    }

    /// The last moment of which all batches should have come, in nanoseconds since 1970.
    fn settled(&self) -> u64 {
        let settle = i64::try_from(self.settings.limits.settle.as_nanos()).unwrap_or(i64::MAX);
        u64::try_from(clock::now().0.saturating_sub(settle)).unwrap_or(0)
    }
}
