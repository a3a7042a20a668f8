//! Questions to the thread that owns ledgers and growth table.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, mpsc, oneshot};
use tonic::Status;

use super::StatusFacts;
use crate::{
    connection::Connections,
    ledger::RangeView,
    profile::{ProcessEntry, Snapshot},
};

/// Answers within this time of each other share one snapshot.
const SHARED_FOR: Duration = Duration::from_millis(200);

/// The table of connections may take this part of the pipeline's time at the most, however often
/// it is asked for: one in so many.
const CONNECTIONS_SHARE: u32 = 20;

/// But never is an answer older than this.
const SHARED_AT_MOST: Duration = Duration::from_secs(2);

/// The pipeline's thread answers between two turns of the ring reader; it is stuck when it takes
/// longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// A question to the pipeline's thread. One whose asker has gone away can be passed over.
#[derive(Debug)]
pub enum Ask {
    /// The growth table now.
    Snapshot(oneshot::Sender<Fresh>),
    /// The table of connections now.
    Connections(oneshot::Sender<Arc<Connections>>),
    /// The ledger of one process; none when there is no such process.
    Ranges {
        /// In the initial pid namespace.
        pid: u32,
        /// Where the answer goes.
        reply: oneshot::Sender<Option<RangesAnswer>>,
    },
}

/// The state of things now.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The growth table.
    pub snapshot: Arc<Snapshot>,
    /// The agent itself.
    pub facts: Arc<StatusFacts>,
}

/// The ledger of a process.
#[derive(Clone, Debug)]
pub struct RangesAnswer {
    /// Whose.
    pub target: ProcessEntry,
    /// By address.
    pub ranges: Vec<RangeView>,
}

/// The asking side.
#[derive(Debug)]
pub(super) struct Live {
    asks: mpsc::Sender<Ask>,
    /// Held while asking, so that those who come meanwhile wait for the same answer.
    latest: Mutex<Option<(Instant, Fresh)>>,
    /// The same.
    connections: Mutex<Option<Shared>>,
}

/// An answer that is shared, and until when.
#[derive(Debug)]
struct Shared {
    until: Instant,
    connections: Arc<Connections>,
}

impl Live {
    pub(super) fn new(asks: mpsc::Sender<Ask>) -> Self {
        Self {
            asks,
            latest: Mutex::new(None),
            connections: Mutex::new(None),
        }
    }

    /// The state of things, not older than [`SHARED_FOR`].
    pub(super) async fn fresh(&self) -> Result<Fresh, Status> {
        let mut latest = self.latest.lock().await;
        if let Some((when, fresh)) = &*latest
            && when.elapsed() < SHARED_FOR
        {
            return Ok(fresh.clone());
        }
        // Let go of the old one first: the pipeline makes a new one meanwhile.
        *latest = None;
        let fresh = self.ask(Ask::Snapshot).await?;
        *latest = Some((Instant::now(), fresh.clone()));
        Ok(fresh)
    }

    /// The connections now, not older than [`SHARED_FOR`], or than what they cost allows.
    pub(super) async fn connections(&self) -> Result<Arc<Connections>, Status> {
        let mut latest = self.connections.lock().await;
        if let Some(shared) = &*latest
            && Instant::now() < shared.until
        {
            return Ok(Arc::clone(&shared.connections));
        }
        *latest = None;
        let connections = self.ask(Ask::Connections).await?;
        let rest = connections.cost * CONNECTIONS_SHARE;
        let rest = rest.clamp(SHARED_FOR, SHARED_AT_MOST);
        *latest = Some(Shared {
            until: Instant::now() + rest,
            connections: Arc::clone(&connections),
        });
        Ok(connections)
    }

    /// The ledger of `pid`.
    pub(super) async fn ranges(&self, pid: u32) -> Result<Option<RangesAnswer>, Status> {
        self.ask(|reply| Ask::Ranges { pid, reply }).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Status> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.asks.send(ask(reply)).await.map_err(|_| ended())?;
            answer.await.map_err(|_| ended())
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::unavailable(format!(
                "the agent's pipeline did not answer within {} s; it is overloaded or stuck, see \
                 the agent's log",
                PATIENCE.as_secs()
            ))),
        }
    }
}

fn ended() -> Status {
    Status::unavailable("the agent's pipeline has ended; the agent is shutting down or failed")
}
