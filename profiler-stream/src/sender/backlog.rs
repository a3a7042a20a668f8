//! What there is to send.

use std::{future::Future, sync::Arc};

use profiler_proto::v1::agent_message::Kind as Message;
use tokio::sync::watch;

use crate::spool::{Cursor, RunId, Spool};

/// Batches that no collector has yet, in order, with what they need to be understood.
pub trait Backlog: Send {
    /// Begins again with the first batch that is not acknowledged: with its run and what was
    /// defined before it.
    fn rewind(&mut self);

    /// What comes next: a run, definitions or a batch. None when there is nothing more for now.
    fn next(&mut self) -> Option<Message>;

    /// Completes when there may be more. It may be dropped at any time and called again.
    fn changed(&mut self) -> impl Future<Output = ()> + Send;

    /// A collector has the batches of a run up to this sequence number durably.
    fn ack(&mut self, run: RunId, sequence: u64);

    /// A collector does not want this batch.
    fn refuse(&mut self, run: RunId, sequence: u64);
}

/// The spool as a sender sees it.
#[derive(Debug)]
pub struct FromSpool {
    spool: Arc<Spool>,
    cursor: Cursor,
    kept: watch::Receiver<u64>,
}

impl FromSpool {
    /// All that is in the spool and comes into it.
    pub fn new(spool: Arc<Spool>) -> Self {
        Self {
            kept: spool.subscribe(),
            cursor: Cursor::default(),
            spool,
        }
    }
}

impl Backlog for FromSpool {
    fn rewind(&mut self) {
        self.cursor = Cursor::default();
    }

    fn next(&mut self) -> Option<Message> {
        self.spool.next(&mut self.cursor)
    }

    async fn changed(&mut self) {
        // The spool, which tells of changes, is held here, so that this cannot fail.
        let _ = self.kept.changed().await;
    }

    fn ack(&mut self, run: RunId, sequence: u64) {
        self.spool.ack(run, sequence);
    }

    fn refuse(&mut self, run: RunId, sequence: u64) {
        self.spool.refused(run, sequence);
    }
}
