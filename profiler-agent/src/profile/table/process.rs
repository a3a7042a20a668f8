//! One process in the table, and its rows.

use std::{collections::HashMap, sync::Arc};

use super::{ProcessFold, TableLimits, TableStatus};
use crate::{
    ids::{BootTime, StackId},
    ledger::{Change, Owner},
    profile::{OwnerKey, Row, TargetInfo, Totals, owner::Units},
};

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    allocated: Units,
    inherited: Units,
    freed: Units,
    events: u64,
    oldest: BootTime,
    newest: BootTime,
    /// Since the last snapshot.
    changed: bool,
    /// Of the last snapshot that found it changed.
    changed_at: BootTime,
}

impl Cell {
    fn row(&self) -> Row {
        Row {
            allocated: self.allocated.bytes(),
            inherited: self.inherited.bytes(),
            freed: self.freed.bytes(),
            events: self.events,
            oldest: self.oldest,
            newest: self.newest,
        }
    }

    fn allocate(&mut self, units: Units, events: u64) {
        self.changed = true;
        self.allocated = self.allocated.plus(units);
        self.events = self.events.saturating_add(events);
    }

    fn inherit(&mut self, units: Units) {
        self.changed = true;
        self.inherited = self.inherited.plus(units);
    }

    fn live(&self) -> Units {
        self.allocated.plus(self.inherited).minus(self.freed)
    }

    /// Its process demanded nothing of it, and has nothing of it any more.
    fn is_others(&self) -> bool {
        self.allocated == Units::default() && self.events == 0 && self.live() == Units::default()
    }

    /// Takes back at most what is live; returns what could not be taken.
    fn free(&mut self, units: Units) -> Units {
        self.changed = true;
        let taken = units.min(self.live());
        self.freed = self.freed.plus(taken);
        units.minus(taken)
    }

    fn age(&mut self, oldest: BootTime, newest: BootTime) {
        if self.oldest == BootTime(0) || oldest < self.oldest {
            self.oldest = oldest;
        }
        self.newest = self.newest.max(newest);
    }
}

/// What is kept of a process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) info: Arc<TargetInfo>,
    pub(super) totals: Totals,
    cells: HashMap<OwnerKey, Cell>,
}

impl Process {
    pub(super) fn new(info: TargetInfo) -> Self {
        Self {
            info: Arc::new(info),
            totals: Totals::default(),
            cells: HashMap::new(),
        }
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The stacks among its rows.
    pub(super) fn stacks(&self) -> impl Iterator<Item = StackId> {
        self.cells.keys().filter_map(|owner| owner.stack())
    }

    /// Drops rows of stacks with nothing live that did not change since `time`; returns how many.
    pub(super) fn forget_quiet_since(&mut self, time: BootTime) -> usize {
        let before = self.cells.len();
        self.cells.retain(|owner, cell| {
            owner.stack().is_none()
                || cell.changed
                || cell.changed_at >= time
                || cell.live() != Units::default()
        });
        before - self.cells.len()
    }

    /// Drops the rows of what it inherited and gave back without adding to it; returns how many. A
    /// process that forks often would fill the table with them.
    pub(super) fn forget_inherited(&mut self) -> usize {
        let before = self.cells.len();
        self.cells.retain(|_, cell| !cell.is_others());
        before - self.cells.len()
    }

    /// Whether bytes of this owner have a row to go to.
    pub(super) fn has_row(&self, owner: Owner) -> bool {
        OwnerKey::of(owner).is_none_or(|(owner, _)| self.cells.contains_key(&owner))
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (OwnerKey, Row)> {
        self.cells.iter().map(|(&owner, cell)| (owner, cell.row()))
    }

    /// Adds bytes that an owner committed and gave back, and the events behind them.
    pub(super) fn record(
        &mut self,
        change: &Change,
        events: u64,
        limits: &TableLimits,
        status: &mut TableStatus,
    ) {
        let totals = &mut self.totals;
        totals.allocated = totals.allocated.saturating_add(change.committed);
        let taken = change.freed.min(totals.live());
        totals.freed = totals.freed.saturating_add(taken);
        status.unmatched_freed_bytes += change.freed - taken;

        let Some((owner, weight)) = OwnerKey::of(change.owner) else {
            return;
        };
        if change.committed > 0 {
            let cell = self.cell(owner, limits, status);
            cell.allocate(weight.of(change.committed), events);
        }
        let left = self.free(owner, weight.of(change.freed));
        status.unmatched_freed_bytes += left.bytes();
    }

    /// Adds live bytes that an owner committed in the parent.
    pub(super) fn inherit(
        &mut self,
        owner: Owner,
        bytes: u64,
        limits: &TableLimits,
        status: &mut TableStatus,
    ) {
        self.totals.inherited = self.totals.inherited.saturating_add(bytes);
        if let Some((owner, weight)) = OwnerKey::of(owner) {
            self.cell(owner, limits, status).inherit(weight.of(bytes));
        }
    }

    /// The row that an owner's demand goes to: its own, or `Folded` when there is no room for one.
    fn cell(
        &mut self,
        owner: OwnerKey,
        limits: &TableLimits,
        status: &mut TableStatus,
    ) -> &mut Cell {
        let room = status.rows < limits.rows || owner.stack().is_none();
        let owner = if room || self.cells.contains_key(&owner) {
            owner
        } else {
            status.folded_changes += 1;
            OwnerKey::Folded
        };
        self.cells.entry(owner).or_insert_with(|| {
            status.rows += 1;
            Cell::default()
        })
    }

    /// Takes back from the owner's row, and then from `Folded`, where what it demanded while the
    /// table was full was put. Returns what neither had.
    fn free(&mut self, owner: OwnerKey, units: Units) -> Units {
        let mut left = units;
        for owner in [owner, OwnerKey::Folded] {
            if left != Units::default()
                && let Some(cell) = self.cells.get_mut(&owner)
            {
                left = cell.free(left);
            }
        }
        left
    }

    /// Adds another process's sums; whatever it had is given back.
    pub(super) fn add_ended(
        &mut self,
        ended: &Self,
        limits: &TableLimits,
        status: &mut TableStatus,
    ) {
        let (sum, part) = (&mut self.totals, &ended.totals);
        sum.allocated = sum.allocated.saturating_add(part.allocated);
        sum.inherited = sum.inherited.saturating_add(part.inherited);
        sum.freed = sum.allocated.saturating_add(sum.inherited);
        sum.operations = sum.operations.saturating_add(part.operations);
        sum.lost = sum.lost.saturating_add(part.lost);
        for (&owner, part) in &ended.cells {
            let cell = self.cell(owner, limits, status);
            cell.allocate(part.allocated, part.events);
            cell.inherit(part.inherited);
            cell.freed = cell.allocated.plus(cell.inherited);
        }
    }

    /// Takes over what the ledger alone knows: sizes now, and the ages of what is live.
    pub(super) fn settle(&mut self, time: BootTime, fold: Option<&ProcessFold>) {
        for cell in self.cells.values_mut() {
            if std::mem::take(&mut cell.changed) {
                cell.changed_at = time;
            }
            cell.oldest = BootTime(0);
            cell.newest = BootTime(0);
        }
        self.totals = self.totals_with(fold);
        for part in fold.iter().flat_map(|fold| &fold.owners) {
            let owner = match self.cells.contains_key(&part.owner) {
                true => part.owner,
                false => OwnerKey::Folded,
            };
            if let Some(cell) = self.cells.get_mut(&owner) {
                cell.age(part.oldest, part.newest);
            }
        }
    }

    /// Its totals, with what its ledger holds now.
    pub(super) fn totals_with(&self, fold: Option<&ProcessFold>) -> Totals {
        let kept = Totals {
            allocated: self.totals.allocated,
            inherited: self.totals.inherited,
            freed: self.totals.freed,
            operations: self.totals.operations,
            lost: self.totals.lost,
            ..Totals::default()
        };
        fold.map_or(kept, |fold| Totals {
            committed: fold.committed,
            released: fold.released,
            operations: fold.operations,
            lost: fold.lost,
            mappings: fold.mappings,
            oldest: fold.oldest,
            newest: fold.newest,
            ..kept
        })
    }
}
