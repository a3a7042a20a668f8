//! The table of one run at one moment, decoded.

use std::sync::Arc;

use profiler_proto::v1::{self, PartKind};
use profiler_query::{
    ids::BootTime,
    model::{NodeFacts, ProcessEntry, Row, RowKey, Snapshot},
};
use profiler_stream::decode::{DecodeError, RunState};
use prost::Message as _;

use super::read::With;
use crate::store::{RunId, StoredBatch};

/// What a message takes in memory, by what it takes when it is encoded.
const UNPACKED: usize = 4;

/// What an entry of a message takes in memory beside its texts: empty fields are not encoded.
const ENTRY: usize = 512;

/// Why what is kept of a run is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("batch {0} is whole, but its part {1:?} is missing")]
    Incomplete(u64, PartKind),
    #[error("the store is damaged: {0}")]
    Store(String),
}

/// The table of one run at one moment. Handles and numbers are the run's own and in order, times
/// are wall clock time.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) run: RunId,
    pub(crate) node: Arc<NodeFacts>,
    pub(crate) sequence: u64,
    /// Wall clock less the host's boot clock, in nanoseconds.
    pub(crate) offset: i64,
    pub(crate) table: Snapshot,
    /// The agent's status in the last whole batch.
    pub(crate) status: Option<v1::GetStatusResponse>,
    /// Connections of the last whole batch, if they were read.
    pub(crate) connections: Option<v1::ConnectionsPart>,
    /// Verdicts and resident figures, likewise.
    pub(crate) verdicts: Option<v1::VerdictsPart>,
    pub(crate) resident: Option<v1::ResidentPart>,
}

impl State {
    /// From the last whole batch and those that follow it; none if there are no batches.
    pub(crate) fn decode(
        node: &Arc<NodeFacts>,
        batches: &[StoredBatch],
        with: With,
    ) -> Result<Option<Self>, Unreadable> {
        let Some(last) = batches.last() else {
            return Ok(None);
        };
        let mut state = RunState::new(Arc::clone(node));
        for batch in batches {
            check_parts(batch, with)?;
            state.apply(batch.whole, &batch.parts)?;
        }
        let boot = i64::try_from(last.boot_nanoseconds).unwrap_or(i64::MAX);
        let offset = last.time.0.saturating_sub(boot);
        let mut table = state.snapshot(BootTime(last.boot_nanoseconds));
        let status = state.status().and_then(|part| part.status.clone());
        let connections = state.connections().cloned();
        let (verdicts, resident) = (state.verdicts().cloned(), state.resident().cloned());
        // The table's facts are its own from here on and can be changed in place.
        drop(state);
        to_wall(&mut table, offset);
        Ok(Some(Self {
            run: last.run,
            node: Arc::clone(node),
            sequence: last.sequence,
            offset,
            table,
            status,
            connections,
            verdicts,
            resident,
        }))
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let rows = self.table.rows.len() * size_of::<(RowKey, Row)>();
        let processes = self.table.processes.iter();
        let processes = processes.map(|entry| size_of::<ProcessEntry>() + entry.info.bytes());
        let status = self.status.as_ref().map_or(0, |part| part.encoded_len());
        let connections = self.connections.as_ref();
        let connections = connections.map_or(0, |part| part.encoded_len());
        let verdicts = self.verdicts.as_ref().map_or(0, |part| part.encoded_len());
        let resident = self.resident.as_ref().map_or(0, |part| part.encoded_len());
        let encoded = status + connections + verdicts + resident;
        let messages = UNPACKED * encoded + ENTRY * self.entries();
        (size_of::<Self>() + rows + processes.sum::<usize>() + messages) as u64
    }

    /// Of its messages.
    fn entries(&self) -> usize {
        let connections = self.connections.as_ref();
        let connections = connections.map_or(0, |part| part.connections.len() + part.peers.len());
        let told = self.status.as_ref().and_then(|one| one.accounting.as_ref());
        let verdicts = self.verdicts.iter().flat_map(|part| &part.verdicts);
        let resident = self.resident.as_ref().map_or(0, |part| part.of.len());
        connections
            + told.map_or(0, |told| told.losses.len())
            + verdicts.map(entries_of).sum::<usize>()
            // Of each the target and its reading.
            + 2 * resident
    }

    /// Rows and processes.
    pub(crate) fn size(&self) -> u64 {
        (self.table.rows.len() + self.table.processes.len()) as u64
    }
}

/// Of a verdict: itself, its target, reading and lineage count for two each.
pub(crate) fn entries_of(verdict: &v1::Verdict) -> usize {
    let lives = verdict.lineage.as_ref().map_or(0, |of| of.lives.len());
    let causes = verdict.reconciliation.as_ref();
    let causes = causes.map_or(0, |of| of.causes.len());
    let texts = verdict.not_excluded.len() + verdict.points.len();
    8 + verdict.gates.len() + verdict.evidence.len() + lives + causes + texts
}

/// Agents send these with every whole batch: without them a node would seem to be empty.
fn check_parts(batch: &StoredBatch, with: With) -> Result<(), Unreadable> {
    let mut needed = with.needed().iter().filter(|_| batch.whole);
    let missing = needed.find(|kind| batch.parts.iter().all(|part| part.kind() != **kind));
    match missing {
        Some(kind) => Err(Unreadable::Incomplete(batch.sequence, *kind)),
        None => Ok(()),
    }
}

fn to_wall(table: &mut Snapshot, offset: i64) {
    let wall = |time: &mut BootTime| time.0 = time.0.saturating_add_signed(offset);
    // 0 says that there is none.
    let wall_if_any = |time: &mut BootTime| {
        if time.0 != 0 {
            wall(time);
        }
    };
    wall(&mut table.time);
    for (_, row) in &mut table.rows {
        wall_if_any(&mut row.oldest);
        wall_if_any(&mut row.newest);
    }
    for entry in &mut table.processes {
        wall_if_any(&mut entry.totals.oldest);
        wall_if_any(&mut entry.totals.newest);
        let info = Arc::make_mut(&mut entry.info);
        wall(&mut info.started);
        if let Some(exited) = &mut info.exited {
            wall(exited);
        }
    }
}

#[cfg(test)]
mod tests {
    use profiler_stream::encode::{Encoder, part};

    use super::*;
    use crate::store::WallTime;

    fn stored(extra: Vec<v1::Part>) -> StoredBatch {
        let snapshot = Snapshot::default();
        let batch =
            Encoder::new().batch(&snapshot, pbjson_types::Timestamp::default(), true, extra);
        StoredBatch {
            run: RunId([1; 16]),
            sequence: batch.sequence,
            time: WallTime(1),
            boot_nanoseconds: 1,
            whole: true,
            parts: batch.parts,
        }
    }

    #[test]
    fn a_whole_batch_without_its_parts_is_no_empty_node() {
        let node = Arc::default();
        for kind in [PartKind::Targets, PartKind::Growth] {
            let mut batch = stored(Vec::new());
            assert!(State::decode(&node, &[batch.clone()], With::Growth).is_ok());
            batch.parts.retain(|part| part.kind() != kind);
            let decoded = State::decode(&node, &[batch.clone()], With::Growth);
            assert!(matches!(decoded, Err(Unreadable::Incomplete(1, missing)) if missing == kind));
            let targets = State::decode(&node, &[batch], With::Targets);
            assert_eq!(targets.is_ok(), kind == PartKind::Growth);
        }
    }

    #[test]
    fn entries_of_messages_are_counted_with_what_they_take() {
        let connections = v1::ConnectionsPart {
            connections: vec![v1::Connection::default(); 1000],
            ..v1::ConnectionsPart::default()
        };
        let batch = stored(vec![part(PartKind::Connections, &connections)]);
        let state = State::decode(&Arc::default(), &[batch], With::Connections);
        let state = state.expect("readable").expect("a state");
        assert!(state.bytes() >= 1000 * size_of::<v1::Connection>() as u64);
    }
}
