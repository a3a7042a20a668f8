//! Rows and totals out of their columns.

use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, ProcessHandle},
    model::{Row, RowKey, Totals},
};

use super::DecodeError;
use crate::owner::owner;

const MILLISECOND: u64 = 1_000_000;

/// In the order of keys, no key twice.
///
/// # Errors
/// They are not, columns differ in length, or an owner is not known.
pub(super) fn rows(part: &v1::GrowthPart) -> Result<Vec<(RowKey, Row)>, DecodeError> {
    let count = part.process.len();
    let figures = [
        &part.subject,
        &part.stack,
        &part.allocated,
        &part.inherited,
        &part.freed,
        &part.events,
        &part.oldest,
        &part.newest,
    ];
    equal("growth", count, part.owner.len(), &figures)?;
    if !part.resident.is_empty() && part.resident.len() != count {
        return Err(DecodeError::Columns("growth"));
    }
    let mut rows = Vec::with_capacity(count);
    for at in 0..count {
        let codes = (part.owner[at], part.subject[at], part.stack[at]);
        let key = key(part.process[at], codes)?;
        let row = Row {
            allocated: part.allocated[at],
            inherited: part.inherited[at],
            freed: part.freed[at],
            events: part.events[at],
            resident: part.resident.get(at).and_then(|more| more.checked_sub(1)),
            oldest: moment(part.oldest[at]),
            newest: moment(part.newest[at]),
        };
        rows.push((key, row));
    }
    ascending("growth", &rows, |(key, _)| *key)?;
    Ok(rows)
}

/// Keys of rows that are gone, as [`rows`].
pub(super) fn gone_rows(part: &v1::GrowthPart) -> Result<Vec<RowKey>, DecodeError> {
    let count = part.gone_process.len();
    let figures = [&part.gone_subject, &part.gone_stack];
    equal("gone rows", count, part.gone_owner.len(), &figures)?;
    let keys = (0..count).map(|at| {
        let codes = (
            part.gone_owner[at],
            part.gone_subject[at],
            part.gone_stack[at],
        );
        key(part.gone_process[at], codes)
    });
    let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
    ascending("gone rows", &keys, |key| *key)?;
    Ok(keys)
}

/// Totals by process, as [`rows`].
pub(super) fn totals(
    columns: &v1::ProcessTotals,
) -> Result<Vec<(ProcessHandle, Totals)>, DecodeError> {
    let count = columns.process.len();
    let figures = [
        &columns.allocated,
        &columns.inherited,
        &columns.freed,
        &columns.committed,
        &columns.released,
        &columns.operations,
        &columns.lost,
        &columns.mappings,
        &columns.oldest,
        &columns.newest,
    ];
    equal("totals", count, count, &figures)?;
    let totals = (0..count).map(|at| {
        let totals = Totals {
            allocated: columns.allocated[at],
            inherited: columns.inherited[at],
            freed: columns.freed[at],
            committed: columns.committed[at],
            released: columns.released[at],
            operations: columns.operations[at],
            lost: columns.lost[at],
            mappings: columns.mappings[at],
            oldest: moment(columns.oldest[at]),
            newest: moment(columns.newest[at]),
        };
        (ProcessHandle(columns.process[at]), totals)
    });
    let totals: Vec<_> = totals.collect();
    ascending("totals", &totals, |(process, _)| *process)?;
    Ok(totals)
}

/// # Errors
/// Keys do not ascend.
pub(super) fn ascending<T, K: Ord>(
    what: &'static str,
    entries: &[T],
    key: impl Fn(&T) -> K,
) -> Result<(), DecodeError> {
    if entries.is_sorted_by(|one, next| key(one) < key(next)) {
        Ok(())
    } else {
        Err(DecodeError::Order(what))
    }
}

fn equal(
    what: &'static str,
    count: usize,
    owners: usize,
    figures: &[&Vec<u64>],
) -> Result<(), DecodeError> {
    if owners == count && figures.iter().all(|column| column.len() == count) {
        Ok(())
    } else {
        Err(DecodeError::Columns(what))
    }
}

fn key(process: u32, codes: crate::owner::Codes) -> Result<RowKey, DecodeError> {
    Ok(RowKey {
        process: ProcessHandle(process),
        owner: owner(codes)?,
    })
}

fn moment(milliseconds: u64) -> BootTime {
    BootTime(milliseconds.saturating_mul(MILLISECOND))
}
