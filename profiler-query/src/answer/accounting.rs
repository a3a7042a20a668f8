//! How far an answer can be trusted.

use profiler_proto::v1;

use super::Selection;
use crate::model::{Snapshot, TargetState};

/// The cause of loss that is told apart by process.
pub const EVENTS_LOST: &str = "event_ring_full";

/// What agents count for the whole of their node, until now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    /// Operations that were seen.
    pub events_seen: u64,
    /// Captures that were seen.
    pub captures_seen: u64,
    /// Stacks that reached their root.
    pub stacks_complete: u64,
    /// Stacks that did not.
    pub stacks_truncated: u64,
    /// Mean interval between captures, in bytes.
    pub capture_interval: u64,
    /// Everything that was lost or folded; causes with a count of zero may be among them.
    pub losses: Vec<v1::Loss>,
}

/// The accounting of an answer about the chosen processes at the moment of the snapshot, without
/// what the kernel says. `is_now`: the answer stands for now.
pub fn account(
    snapshot: &Snapshot,
    selection: &Selection,
    whole: &Whole,
    is_now: bool,
) -> v1::Accounting {
    let mut accounting = v1::Accounting {
        capture_interval_bytes: whole.capture_interval,
        ..v1::Accounting::default()
    };
    let lost = add_processes(snapshot, selection, &mut accounting);
    add_rows(snapshot, selection, &mut accounting);
    if selection.is_all() {
        accounting.events_seen = whole.events_seen;
        accounting.captures_seen = whole.captures_seen;
        accounting.stacks_complete = whole.stacks_complete;
        accounting.stacks_truncated = whole.stacks_truncated;
    }
    let losses = whole.losses.iter();
    accounting.losses = losses
        .map(|loss| told(loss, selection, lost, is_now))
        .filter(|loss| loss.count > 0)
        .collect();
    if accounting.ledger_committed_bytes > 0 {
        accounting.unattributed_share =
            accounting.unattributed_bytes as f64 / accounting.ledger_committed_bytes as f64;
    }
    accounting
}

/// Adds what is exact; returns the operations that the selected processes lost.
fn add_processes(
    snapshot: &Snapshot,
    selection: &Selection,
    accounting: &mut v1::Accounting,
) -> u64 {
    let mut lost: u64 = 0;
    for entry in &snapshot.processes {
        if !selection.has(entry.handle) {
            continue;
        }
        let totals = &entry.totals;
        lost = lost.saturating_add(totals.lost);
        for (sum, part) in [
            (&mut accounting.events_seen, totals.operations),
            (&mut accounting.ledger_committed_bytes, totals.live()),
            (&mut accounting.released_bytes, totals.released),
        ] {
            *sum = sum.saturating_add(part);
        }
        let stale = entry.info.state == TargetState::Stale && entry.info.exited.is_none();
        accounting.stale_processes += u32::from(stale);
    }
    lost
}

fn add_rows(snapshot: &Snapshot, selection: &Selection, accounting: &mut v1::Accounting) {
    let rows = snapshot.rows.iter();
    for (key, row) in rows.filter(|(key, _)| key.owner.is_by_owner()) {
        if !selection.has(key.process) {
            continue;
        }
        if let Some(resident) = row.resident {
            let sum = accounting.stack_resident_bytes.get_or_insert(0);
            *sum = sum.saturating_add(resident);
        }
        let sum = match key.owner.stack() {
            Some(_) => &mut accounting.stack_committed_bytes,
            None => &mut accounting.unattributed_bytes,
        };
        *sum = sum.saturating_add(row.live());
        accounting.captures_seen = accounting.captures_seen.saturating_add(row.events);
    }
}

/// Lost operations are told apart by process; the other causes are counted for the whole agent
/// until now, and say so in an answer about a part or the past.
fn told(loss: &v1::Loss, selection: &Selection, lost: u64, is_now: bool) -> v1::Loss {
    if loss.cause == EVENTS_LOST && !selection.is_all() {
        return v1::Loss {
            cause: "operations_lost".to_owned(),
            count: lost,
            meaning: "operations of the chosen targets that were not seen one by one: the event \
                      ring was full, or they storm and are only counted"
                .to_owned(),
        };
    }
    let scope = match (selection.is_all(), is_now) {
        (true, true) => "",
        (true, false) => " (counted until now)",
        (false, true) => " (counted for the whole agent, not for the chosen targets alone)",
        (false, false) => {
            " (counted for the whole agent until now, not for the chosen targets alone)"
        }
    };
    v1::Loss {
        meaning: format!("{}{scope}", loss.meaning),
        ..loss.clone()
    }
}
