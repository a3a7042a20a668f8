//! The state of a run: its last whole batch, with the differences after it.

use std::{mem, sync::Arc};

use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, ProcessHandle},
    model::{NodeFacts, ProcessEntry, Row, RowKey, Snapshot, Totals},
};

use super::{DecodeError, PARTS_MAX, PROCESSES_MAX, ROWS_MAX, columns, part, wire::within};
use crate::facts::facts_from_wire;

/// The state of a run at one batch. Handles, stacks and times are the run's own: times are
/// nanoseconds of the host's boot clock; those of the oldest and newest memory are exact to the
/// millisecond.
///
/// Batches may come with parts of some kinds only: what is in the others is empty then.
#[derive(Clone, Debug, Default)]
pub struct RunState {
    node: Arc<NodeFacts>,
    started: bool,
    /// In the order of their keys.
    rows: Vec<(RowKey, Row)>,
    /// In the order of their handles.
    processes: Vec<ProcessEntry>,
    connections: Option<v1::ConnectionsPart>,
    status: Option<v1::StatusPart>,
    resident: Option<v1::ResidentPart>,
    verdicts: Option<v1::VerdictsPart>,
}

/// The parts of one batch that this version knows.
#[derive(Default)]
struct Parts {
    targets: Option<v1::TargetsPart>,
    growth: Option<v1::GrowthPart>,
    connections: Option<v1::ConnectionsPart>,
    status: Option<v1::StatusPart>,
    resident: Option<v1::ResidentPart>,
    verdicts: Option<v1::VerdictsPart>,
}

impl RunState {
    /// Empty: the first batch has to be whole. `node` is what processes will say of their node.
    pub fn new(node: Arc<NodeFacts>) -> Self {
        Self {
            node,
            ..Self::default()
        }
    }

    /// Goes on to the next batch of the run, or to a whole one anywhere.
    ///
    /// # Errors
    /// It cannot be read, or is a difference without a whole batch before it. The state is empty
    /// then, until the next whole batch.
    pub fn apply(&mut self, whole: bool, parts: &[v1::Part]) -> Result<(), DecodeError> {
        let state = mem::take(self);
        self.node = Arc::clone(&state.node);
        if whole {
            let mut state = Self::new(state.node);
            state.started = true;
            *self = state.next(Parts::read(parts)?)?;
        } else if state.started {
            *self = state.next(Parts::read(parts)?)?;
        } else {
            return Err(DecodeError::NotWhole);
        }
        Ok(())
    }

    fn next(mut self, parts: Parts) -> Result<Self, DecodeError> {
        let with_targets = parts.targets.is_some();
        if let Some(targets) = parts.targets {
            self.apply_targets(targets)?;
        }
        if let Some(growth) = parts.growth {
            self.apply_growth(&growth)?;
            if with_targets && !self.is_sound() {
                return Err(DecodeError::Undefined("process of a row"));
            }
        }
        within("processes", self.processes.len(), PROCESSES_MAX)?;
        within("rows", self.rows.len(), ROWS_MAX)?;
        self.connections = parts.connections.or(self.connections);
        self.status = parts.status.or(self.status);
        self.resident = parts.resident.or(self.resident);
        self.verdicts = parts.verdicts.or(self.verdicts);
        Ok(self)
    }

    fn apply_targets(&mut self, part: v1::TargetsPart) -> Result<(), DecodeError> {
        columns::ascending("facts", &part.facts, |facts| facts.process)?;
        columns::ascending("gone processes", &part.gone, |process| *process)?;
        if !part.gone.is_empty() {
            let gone = |process: ProcessHandle| part.gone.binary_search(&process.0).is_ok();
            self.processes.retain(|entry| !gone(entry.handle));
            self.rows.retain(|(key, _)| !gone(key.process));
        }
        let node = &self.node;
        let facts = part.facts.into_iter().map(|facts| ProcessEntry {
            handle: ProcessHandle(facts.process),
            info: Arc::new(facts_from_wire(facts, node)),
            totals: Totals::default(),
        });
        let keep_totals = |old: &mut ProcessEntry, new: ProcessEntry| old.info = new.info;
        merge(&mut self.processes, facts.collect(), handle, keep_totals);

        let totals = part.totals.as_ref().map(columns::totals).transpose()?;
        for (process, totals) in totals.unwrap_or_default() {
            let found = self.processes.binary_search_by_key(&process, handle);
            let place = found.map_err(|_| DecodeError::Undefined("process of totals"))?;
            self.processes[place].totals = totals;
        }
        Ok(())
    }

    fn apply_growth(&mut self, part: &v1::GrowthPart) -> Result<(), DecodeError> {
        let gone = columns::gone_rows(part)?;
        if !gone.is_empty() {
            self.rows
                .retain(|(key, _)| gone.binary_search(key).is_err());
        }
        let rows = columns::rows(part)?;
        merge(&mut self.rows, rows, |(key, _)| *key, |old, new| *old = new);
        Ok(())
    }

    /// Each row is of a process that is known. Both are in order.
    fn is_sound(&self) -> bool {
        let mut processes = self.processes.iter().map(|entry| entry.handle).peekable();
        self.rows.iter().all(|(key, _)| {
            while processes.next_if(|handle| *handle < key.process).is_some() {}
            processes.peek() == Some(&key.process)
        })
    }

    /// All of it, at the batch's moment.
    pub fn snapshot(&self, time: BootTime) -> Snapshot {
        Snapshot {
            time,
            rows: self.rows.clone(),
            processes: self.processes.clone(),
        }
    }

    /// Rows in the order of their keys.
    pub fn rows(&self) -> &[(RowKey, Row)] {
        &self.rows
    }

    /// Processes in the order of their handles.
    pub fn processes(&self) -> &[ProcessEntry] {
        &self.processes
    }

    /// Connections, as of the last batch that had some.
    pub fn connections(&self) -> Option<&v1::ConnectionsPart> {
        self.connections.as_ref()
    }

    /// The agent's status, likewise.
    pub fn status(&self) -> Option<&v1::StatusPart> {
        self.status.as_ref()
    }

    /// The kernel's own figures, likewise.
    pub fn resident(&self) -> Option<&v1::ResidentPart> {
        self.resident.as_ref()
    }

    /// Verdicts, likewise.
    pub fn verdicts(&self) -> Option<&v1::VerdictsPart> {
        self.verdicts.as_ref()
    }
}

impl Parts {
    fn read(parts: &[v1::Part]) -> Result<Self, DecodeError> {
        within("parts", parts.len(), PARTS_MAX)?;
        let mut read = Self::default();
        for one in parts {
            match one.kind() {
                v1::PartKind::Targets => read.targets = Some(part(one)?),
                v1::PartKind::Growth => read.growth = Some(part(one)?),
                v1::PartKind::Connections => read.connections = Some(part(one)?),
                v1::PartKind::Status => read.status = Some(part(one)?),
                v1::PartKind::Resident => read.resident = Some(part(one)?),
                v1::PartKind::Verdicts => read.verdicts = Some(part(one)?),
                // Events are no state: they are kept on their own.
                v1::PartKind::Events | v1::PartKind::Unspecified => {}
            }
        }
        Ok(read)
    }
}

fn handle(entry: &ProcessEntry) -> ProcessHandle {
    entry.handle
}

/// Puts `changes` into `table`; both are in the order of their keys. Few changes to a large table
/// cost a search each, and only new keys move what is there.
fn merge<T, K: Ord>(
    table: &mut Vec<T>,
    changes: Vec<T>,
    key: impl Fn(&T) -> K,
    mut change: impl FnMut(&mut T, T),
) {
    if table.is_empty() {
        *table = changes;
        return;
    }
    let mut new = Vec::new();
    let mut from = 0;
    for entry in changes {
        let wanted = key(&entry);
        from += table[from..].partition_point(|old| key(old) < wanted);
        match table.get_mut(from) {
            Some(old) if key(old) == wanted => change(old, entry),
            _ => new.push(entry),
        }
    }
    if !new.is_empty() {
        table.append(&mut new);
        // Two sorted runs, which this sort finds and merges.
        table.sort_by_key(key);
    }
}
