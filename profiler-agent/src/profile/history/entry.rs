//! Rows and totals as entries of a column.

use super::codec::Entry;
use crate::{
    ids::BootTime,
    profile::{Row, Totals},
};

/// Resident bytes are one more than there are: 0 is that they are not known.
pub(super) fn entry_of(row: &Row) -> Entry<7> {
    [
        row.allocated,
        row.inherited,
        row.freed,
        row.events,
        row.oldest.0,
        row.newest.0,
        row.resident.map_or(0, |bytes| bytes.saturating_add(1)),
    ]
}

pub(super) fn row_of(entry: Entry<7>) -> Row {
    let [
        allocated,
        inherited,
        freed,
        events,
        oldest,
        newest,
        resident,
    ] = entry;
    Row {
        allocated,
        inherited,
        freed,
        events,
        resident: resident.checked_sub(1),
        oldest: BootTime(oldest),
        newest: BootTime(newest),
    }
}

/// One more operation than there were: no entry of a process is all zeros, which would be none.
pub(super) fn entry_of_totals(totals: &Totals) -> Entry<10> {
    [
        totals.allocated,
        totals.inherited,
        totals.freed,
        totals.committed,
        totals.released,
        totals.operations.saturating_add(1),
        totals.lost,
        totals.mappings,
        totals.oldest.0,
        totals.newest.0,
    ]
}

pub(super) fn totals_of(entry: Entry<10>) -> Totals {
    let [
        allocated,
        inherited,
        freed,
        committed,
        released,
        operations,
        lost,
        mappings,
        oldest,
        newest,
    ] = entry;
    Totals {
        allocated,
        inherited,
        freed,
        committed,
        released,
        operations: operations.saturating_sub(1),
        lost,
        mappings,
        oldest: BootTime(oldest),
        newest: BootTime(newest),
    }
}
