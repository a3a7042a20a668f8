//! Batches made from snapshots.

use std::sync::Arc;

use pbjson_types::Timestamp;
use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, ProcessHandle, StackId},
    model::{ProcessEntry, Row, RowKey, Snapshot, TargetInfo, Totals},
};
use prost::Message;

use crate::{
    compress::compress,
    difference::{Change, changes},
    facts::facts_to_wire,
    fit::Fit,
    owner::codes,
};

const MILLISECOND: u64 = 1_000_000;

/// A stack's number in batches and definitions.
pub fn stack_number(stack: StackId) -> u64 {
    u64::from(stack.0) + 1
}

/// A part of a batch.
pub fn part(kind: v1::PartKind, message: &impl Message) -> v1::Part {
    let bytes = message.encode_to_vec();
    v1::Part {
        kind: kind.into(),
        size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        data: compress(&bytes),
    }
}

/// Makes the batches of one run, one after the other.
#[derive(Debug, Default)]
pub struct Encoder {
    sequence: u64,
    last: Table,
}

/// A snapshot as it is sent: in order, times in milliseconds.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<(RowKey, Row)>,
    processes: Vec<ProcessEntry>,
    /// How its facts are cut.
    fit: Fit,
}

impl Encoder {
    /// Nothing is sent yet: the first batch is whole.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next batch: `whole`, or what has changed since the one before. `wall` is the snapshot's
    /// time on the wall clock. Of `extra` none may be of targets or growth.
    pub fn batch(
        &mut self,
        snapshot: &Snapshot,
        wall: Timestamp,
        whole: bool,
        extra: Vec<v1::Part>,
    ) -> v1::Batch {
        let whole = whole || self.sequence == 0;
        if whole {
            self.last = Table::default();
        }
        let now = Table::new(snapshot);
        let mut parts = extra;
        parts.push(part(v1::PartKind::Targets, &self.last.targets(&now)));
        parts.push(part(v1::PartKind::Growth, &self.last.growth(&now)));
        parts.sort_by_key(|part| part.kind);
        self.last = now;
        self.sequence += 1;
        v1::Batch {
            sequence: self.sequence,
            time: Some(wall),
            boot_nanoseconds: snapshot.time.0,
            whole,
            parts,
        }
    }
}

impl Table {
    fn new(snapshot: &Snapshot) -> Self {
        let mut rows = snapshot.rows.clone();
        for (_, row) in &mut rows {
            row.oldest = milliseconds(row.oldest);
            row.newest = milliseconds(row.newest);
        }
        rows.sort_unstable_by_key(|(key, _)| *key);
        let mut processes = snapshot.processes.clone();
        for ProcessEntry { totals, .. } in &mut processes {
            totals.oldest = milliseconds(totals.oldest);
            totals.newest = milliseconds(totals.newest);
        }
        processes.sort_unstable_by_key(|entry| entry.handle);
        let fit = Fit::of(&processes);
        Self {
            rows,
            processes,
            fit,
        }
    }

    fn targets(&self, now: &Self) -> v1::TargetsPart {
        let mut part = v1::TargetsPart::default();
        let totals = part.totals.insert(v1::ProcessTotals::default());
        for change in changes(&self.processes, &now.processes, |entry| entry.handle) {
            match change {
                Change::New(new) => {
                    part.facts
                        .push(facts_to_wire(new.handle, &new.info, now.fit));
                    push_totals(totals, new.handle, &new.totals);
                }
                Change::Kept(old, new) => {
                    if self.fit != now.fit || !same_facts(&old.info, &new.info) {
                        part.facts
                            .push(facts_to_wire(new.handle, &new.info, now.fit));
                    }
                    if old.totals != new.totals {
                        push_totals(totals, new.handle, &new.totals);
                    }
                }
                Change::Gone(old) => part.gone.push(old.handle.0),
            }
        }
        part
    }

    fn growth(&self, now: &Self) -> v1::GrowthPart {
        let mut part = v1::GrowthPart::default();
        for change in changes(&self.rows, &now.rows, |(key, _)| *key) {
            match change {
                Change::New((key, row)) => push_row(&mut part, *key, row),
                Change::Kept((_, old), (key, row)) if old != row => push_row(&mut part, *key, row),
                Change::Gone((key, _)) if now.knows(key.process) => push_gone(&mut part, *key),
                Change::Kept(..) | Change::Gone(_) => {}
            }
        }
        if part.resident.iter().all(|resident| *resident == 0) {
            part.resident.clear();
        }
        part
    }

    fn knows(&self, process: ProcessHandle) -> bool {
        let found = self.processes.binary_search_by_key(&process, |e| e.handle);
        found.is_ok()
    }
}

/// The same facts stay in one place from snapshot to snapshot, mostly.
fn same_facts(old: &Arc<TargetInfo>, new: &Arc<TargetInfo>) -> bool {
    Arc::ptr_eq(old, new) || old == new
}

/// Rounded down, but never to 0, which says that there is none.
fn milliseconds(time: BootTime) -> BootTime {
    match time.0 {
        0 => time,
        nanoseconds => BootTime((nanoseconds / MILLISECOND).max(1)),
    }
}

fn push_totals(columns: &mut v1::ProcessTotals, process: ProcessHandle, totals: &Totals) {
    columns.process.push(process.0);
    columns.allocated.push(totals.allocated);
    columns.inherited.push(totals.inherited);
    columns.freed.push(totals.freed);
    columns.committed.push(totals.committed);
    columns.released.push(totals.released);
    columns.operations.push(totals.operations);
    columns.lost.push(totals.lost);
    columns.mappings.push(totals.mappings);
    columns.oldest.push(totals.oldest.0);
    columns.newest.push(totals.newest.0);
}

fn push_row(columns: &mut v1::GrowthPart, key: RowKey, row: &Row) {
    let (owner, subject, stack) = codes(key.owner);
    columns.process.push(key.process.0);
    columns.owner.push(owner);
    columns.subject.push(subject);
    columns.stack.push(stack);
    columns.allocated.push(row.allocated);
    columns.inherited.push(row.inherited);
    columns.freed.push(row.freed);
    columns.events.push(row.events);
    columns.oldest.push(row.oldest.0);
    columns.newest.push(row.newest.0);
    let resident = row.resident.map_or(0, |bytes| bytes.saturating_add(1));
    columns.resident.push(resident);
}

fn push_gone(columns: &mut v1::GrowthPart, key: RowKey) {
    let (owner, subject, stack) = codes(key.owner);
    columns.gone_process.push(key.process.0);
    columns.gone_owner.push(owner);
    columns.gone_subject.push(subject);
    columns.gone_stack.push(stack);
}
