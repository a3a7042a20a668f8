//! `profiler.v1.Ingest`: what agents stream is checked, kept, and acknowledged once it is durable.
//!
//! A stream is a [`Session`](session::Session): handshake, then runs with their definitions and
//! batches. It holds a dictionary and the batches of one write, nothing else: an agent that sends
//! faster than the store keeps up is slowed down by flow control. What all streams hold for the
//! store together is bounded by a [`Budget`].

mod budget;
mod changes;
mod counters;
mod current;
mod events;
mod handshake;
mod peers;
mod quiet;
mod run;
mod session;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use profiler_net::{server::Peer, token::Identity};
use profiler_proto::v1::{self, ingest_server::Ingest};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use budget::Budget;
pub use changes::{Change, Changes};
pub use counters::{Counters, Totals};
use peers::Peers;
use quiet::Lines;
use session::{ANSWER_PATIENCE, Session};

use crate::store::{Retention, Store};

/// Bounds of what one agent, and all of them, may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams at one time.
    pub streams: usize,
    /// Streams of one peer at one time: of a token or certificate from one address. Without a guard
    /// those from this host are not bounded.
    pub streams_per_peer: usize,
    /// Bytes of one message.
    pub message_bytes: usize,
    /// Batches that an agent may send ahead of the last acknowledgement.
    pub batches_ahead: u32,
    /// Bytes of all streams that may wait for the store.
    pub waiting_bytes: usize,
    /// A stream on which nothing comes for so long is ended; agents with long intervals get three
    /// of them.
    pub idle: Duration,
    /// What is older is refused: retention would take it at once.
    pub keep: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 2_000,
            message_bytes: 16 << 20,
            batches_ahead: 16,
            streams_per_peer: 64,
            waiting_bytes: 512 << 20,
            idle: Duration::from_secs(300),
            keep: Retention::default().coarse,
        }
    }
}

/// The service.
#[derive(Clone)]
pub struct IngestService {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    peers: Arc<Peers>,
    stopped: watch::Receiver<bool>,
}

/// What all streams have in common.
struct Shared {
    store: Arc<dyn Store>,
    limits: Limits,
    counters: Arc<Counters>,
    budget: Budget,
    lines: Lines,
    changes: Changes,
}

impl IngestService {
    /// Keeps what comes in `store` and tells verdicts that change to `changes`, until `stopped` is true or its sender gone: then streams end.
    pub fn new(
        store: Arc<dyn Store>,
        limits: Limits,
        counters: Arc<Counters>,
        changes: Changes,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                limits,
                counters,
                budget: Budget::new(limits.waiting_bytes),
                lines: Lines::default(),
                changes,
            }),
            room: Arc::new(Semaphore::new(limits.streams)),
            peers: Arc::default(),
            stopped,
        }
    }

    /// Its bounds.
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    fn full(&self, why: &str) -> Status {
        self.shared.counters.streams_refused.add(1);
        Status::resource_exhausted(why)
    }
}

#[tonic::async_trait]
impl Ingest for IngestService {
    type StreamStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let limits = self.limits();
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            self.full(&format!(
                "{} agents are connected, which is this collector's bound (--streams); it will be \
                 tried again",
                limits.streams
            ))
        })?;
        let extensions = request.extensions();
        let (identity, peer) = (extensions.get::<Identity>(), extensions.get::<Peer>());
        let place = self.peers.enter(identity, peer, limits.streams_per_peer);
        let place = place.ok_or_else(|| {
            self.full(&format!(
                "{} streams of this peer are open, which is the bound",
                limits.streams_per_peer
            ))
        })?;
        let (answers, stream) = mpsc::channel(limits.batches_ahead as usize + 2);
        let session = Session::new(
            request.into_inner(),
            answers.clone(),
            Arc::clone(&self.shared),
        );
        let counters = Arc::clone(&self.shared.counters);
        let stopped = self.stopped.clone();
        tokio::spawn(async move {
            let _places = (permit, place);
            let _open = counters.open();
            if let Err(status) = until_stopped(session, stopped).await {
                counters.streams_failed.add(1);
                tracing::debug!(%status, "a stream ended");
                // The agent may be gone already, or not read.
                let _ = timeout(ANSWER_PATIENCE, answers.send(Err(status))).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

async fn until_stopped(session: Session, mut stopped: watch::Receiver<bool>) -> Result<(), Status> {
    tokio::select! {
        ended = session.run() => ended,
        // What was not acknowledged comes again.
        _ = stopped.wait_for(|stopped| *stopped) => {
            Err(Status::unavailable("the collector is shutting down"))
        }
    }
}
