//! One batch on its own: what a collector looks at before it stores it.

use std::collections::HashSet;

use profiler_proto::v1;
use profiler_query::{
    ids::ProcessHandle,
    model::{Row, RowKey},
};

use super::{
    DecodeError, PART_BYTES_MAX, PARTS_MAX, PROCESSES_MAX, ROWS_MAX, columns, part_within,
    wire::within,
};
use crate::encode::stack_number;

/// Bounds on one batch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one part, decompressed.
    pub part_bytes: usize,
    /// Bytes of all parts, as they come.
    pub batch_bytes: usize,
    /// Rows of growth, and rows that are gone.
    pub rows: usize,
    /// Processes, and processes that are gone.
    pub processes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            part_bytes: PART_BYTES_MAX,
            batch_bytes: 16 << 20,
            rows: ROWS_MAX,
            processes: PROCESSES_MAX,
        }
    }
}

/// What there is in a batch that is sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Numbers of the stacks that it refers to, ascending.
    pub stacks: Vec<u64>,
    /// Rows of growth.
    pub rows: usize,
    /// Processes with totals.
    pub processes: usize,
}

/// Whether a batch can be read: its parts are what their kinds say, none of a known kind is there
/// twice, targets and growth are there, and a whole batch refers to nothing but what is in it.
///
/// # Errors
/// It cannot, and why.
pub fn check(batch: &v1::Batch, limits: &Limits) -> Result<Checked, DecodeError> {
    if batch.sequence == 0 {
        return Err(DecodeError::Field("a batch needs a sequence number"));
    }
    stored(
        "a batch's number or boot time",
        [batch.sequence, batch.boot_nanoseconds],
    )?;
    moment(batch)?;
    sizes(batch, limits)?;
    let targets = the_part(batch, v1::PartKind::Targets, limits)?;
    let targets = targets.ok_or(DecodeError::Field("a batch needs a part of targets"))?;
    let growth = the_part(batch, v1::PartKind::Growth, limits)?;
    let growth = growth.ok_or(DecodeError::Field("a batch needs a part of growth"))?;
    the_part::<v1::ConnectionsPart>(batch, v1::PartKind::Connections, limits)?;
    the_part::<v1::StatusPart>(batch, v1::PartKind::Status, limits)?;
    the_part::<v1::ResidentPart>(batch, v1::PartKind::Resident, limits)?;
    the_part::<v1::VerdictsPart>(batch, v1::PartKind::Verdicts, limits)?;
    if let Some(events) = the_part(batch, v1::PartKind::Events, limits)? {
        check_events(&events)?;
    }

    let rows = check_growth(&growth, batch.whole, limits)?;
    let processes = check_targets(&targets, batch.whole, limits)?;
    if batch.whole {
        let of = rows.iter().map(|(key, _)| key.process);
        known("process of a row", &processes, of)?;
    }
    Ok(Checked {
        stacks: stacks(&rows),
        rows: rows.len(),
        processes: targets.totals.map_or(0, |totals| totals.process.len()),
    })
}

fn check_events(part: &v1::EventsPart) -> Result<(), DecodeError> {
    if part.events.iter().any(|event| event.number == 0) {
        return Err(DecodeError::Field("an event needs a number"));
    }
    stored(
        "number of an event",
        part.events.iter().map(|event| event.number),
    )
}

fn moment(batch: &v1::Batch) -> Result<(), DecodeError> {
    let time = batch.time.as_ref();
    let time = time.ok_or(DecodeError::Field("a batch needs a time"))?;
    // Up to where nanoseconds since 1970 fit into 63 bits.
    if (0..9_000_000_000).contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos) {
        Ok(())
    } else {
        Err(DecodeError::Field("a batch's time is out of range"))
    }
}

/// A store has no more than 63 bits for them.
fn stored(what: &'static str, numbers: impl IntoIterator<Item = u64>) -> Result<(), DecodeError> {
    let fits = |number| i64::try_from(number).is_ok();
    match numbers.into_iter().all(fits) {
        true => Ok(()),
        false => Err(DecodeError::Range(what)),
    }
}

fn sizes(batch: &v1::Batch, limits: &Limits) -> Result<(), DecodeError> {
    within("parts", batch.parts.len(), PARTS_MAX)?;
    let bytes = batch.parts.iter().map(|part| part.data.len()).sum();
    within("bytes of a batch", bytes, limits.batch_bytes)
}

fn the_part<M: prost::Message + Default>(
    batch: &v1::Batch,
    kind: v1::PartKind,
    limits: &Limits,
) -> Result<Option<M>, DecodeError> {
    let mut parts = batch.parts.iter().filter(|part| part.kind() == kind);
    match (parts.next(), parts.next()) {
        (None, _) => Ok(None),
        (Some(part), None) => part_within(part, limits.part_bytes).map(Some),
        (Some(_), Some(_)) => Err(DecodeError::Field("a part is there twice")),
    }
}

fn check_growth(
    growth: &v1::GrowthPart,
    whole: bool,
    limits: &Limits,
) -> Result<Vec<(RowKey, Row)>, DecodeError> {
    within("rows", growth.process.len(), limits.rows)?;
    within("gone rows", growth.gone_process.len(), limits.rows)?;
    let gone = columns::gone_rows(growth)?;
    if whole && !gone.is_empty() {
        return Err(DecodeError::Field("a whole batch has nothing that is gone"));
    }
    let rows = columns::rows(growth)?;
    let times = rows
        .iter()
        .flat_map(|(_, row)| [row.oldest.0, row.newest.0]);
    stored("time of a row", times)?;
    Ok(rows)
}

/// Returns the processes with facts.
fn check_targets(
    targets: &v1::TargetsPart,
    whole: bool,
    limits: &Limits,
) -> Result<HashSet<ProcessHandle>, DecodeError> {
    within("processes", targets.facts.len(), limits.processes)?;
    within("gone processes", targets.gone.len(), limits.processes)?;
    columns::ascending("facts", &targets.facts, |facts| facts.process)?;
    columns::ascending("gone processes", &targets.gone, |process| *process)?;
    if whole && !targets.gone.is_empty() {
        return Err(DecodeError::Field("a whole batch has nothing that is gone"));
    }
    let totals = targets.totals.as_ref();
    let totals = totals.map(columns::totals).transpose()?.unwrap_or_default();
    within("processes", totals.len(), limits.processes)?;
    let times = totals.iter().flat_map(|(_, of)| [of.oldest.0, of.newest.0]);
    stored("time of totals", times)?;
    let facts = targets.facts.iter();
    let times = facts
        .clone()
        .flat_map(|facts| [facts.started, facts.exited]);
    stored("time of a process", times)?;
    let facts: HashSet<_> = facts.map(|facts| ProcessHandle(facts.process)).collect();
    if whole {
        let of = totals.iter().map(|(process, _)| *process);
        known("process of totals", &facts, of)?;
    }
    Ok(facts)
}

fn known(
    what: &'static str,
    processes: &HashSet<ProcessHandle>,
    mut of: impl Iterator<Item = ProcessHandle>,
) -> Result<(), DecodeError> {
    if of.all(|process| processes.contains(&process)) {
        Ok(())
    } else {
        Err(DecodeError::Undefined(what))
    }
}

fn stacks(rows: &[(RowKey, Row)]) -> Vec<u64> {
    let stacks = rows.iter().filter_map(|(key, _)| key.owner.stack());
    let mut stacks: Vec<_> = stacks.map(stack_number).collect();
    stacks.sort_unstable();
    stacks.dedup();
    stacks
}
