//! What whole batches tell besides growth: connections, verdicts, and the agent itself.

use std::sync::{Arc, Mutex, PoisonError};

use profiler_proto::v1;
use profiler_stream::encode::part;
use tokio::runtime::Handle;
use tonic::Status;

use crate::{
    export::{
        accounting::Basis, connections, live::Live, node::Node, status, time::Clock, verdicts,
    },
    profile::{Growth, History, Snapshot},
    verdict::Shared,
};

/// Asks the pipeline's thread, as the query service does.
pub(super) struct Now {
    pub(super) live: Live,
    pub(super) history: Arc<Mutex<History>>,
    pub(super) node: Node,
    pub(super) clock: Clock,
    pub(super) runtime: Handle,
    pub(super) verdicts: Arc<Shared>,
}

impl Now {
    /// The parts that can be had: none while the agent ends. Waits for the pipeline.
    pub(super) fn parts(&self, snapshot: &Snapshot) -> Vec<v1::Part> {
        let parts = [
            self.connections(snapshot)
                .map(|message| part(v1::PartKind::Connections, &message)),
            self.status()
                .map(|message| part(v1::PartKind::Status, &message)),
            Ok(part(
                v1::PartKind::Resident,
                &verdicts::resident_part(&self.verdicts),
            )),
            Ok(part(
                v1::PartKind::Verdicts,
                &verdicts::verdicts_part(&self.verdicts),
            )),
        ];
        let parts = parts.into_iter().filter_map(|part| {
            part.inspect_err(|error| tracing::debug!("a batch goes without a part: {error}"))
                .ok()
        });
        parts.collect()
    }

    fn connections(&self, snapshot: &Snapshot) -> Result<v1::ConnectionsPart, Status> {
        let connections = self.runtime.block_on(self.live.connections())?;
        let growth = Growth::since_start(snapshot);
        connections::part(&connections, &growth, self.clock.read())
    }

    fn status(&self) -> Result<v1::StatusPart, Status> {
        let fresh = self.runtime.block_on(self.live.fresh())?;
        let history = self.history.lock();
        let history = history.unwrap_or_else(PoisonError::into_inner).status();
        let basis = Basis {
            facts: &fresh.facts,
            history,
            snapshot: &fresh.snapshot,
            is_now: true,
        };
        let status = status::answer(&basis, &self.node, self.clock.read());
        Ok(v1::StatusPart {
            status: Some(status),
        })
    }
}
