//! One process in the table, and its rows.

use std::{collections::BTreeMap, sync::Arc};

use super::{ProcessFold, TableLimits, TableStatus};
use crate::{
    ids::{BootTime, Cookie, StackId},
    ledger::{Change, Owner},
    profile::{
        BehalfKey, OwnerKey, Row, TargetInfo, Totals,
        owner::{Units, Weight, fallback, has_touchers, is_few, rows_of, rows_of_child},
    },
    touch::TouchChange,
};

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    allocated: Units,
    inherited: Units,
    freed: Units,
    events: u64,
    /// Touched first, and resident still.
    resident: Units,
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
            resident: None,
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
        self.allocated == Units::default() && self.events == 0 && self.has_nothing()
    }

    fn has_nothing(&self) -> bool {
        self.live() == Units::default() && self.resident == Units::default()
    }

    fn touch(&mut self, units: Units) {
        self.changed = true;
        self.resident = self.resident.plus(units);
    }

    /// Takes back at most what is resident; returns what could not be taken.
    fn untouch(&mut self, units: Units) -> Units {
        self.changed = true;
        let taken = units.min(self.resident);
        self.resident = self.resident.minus(taken);
        units.minus(taken)
    }

    /// Takes back at most what is live; returns what could not be taken.
    fn free(&mut self, units: Units) -> Units {
        self.changed = true;
        let taken = units.min(self.live());
        self.freed = self.freed.plus(taken);
        units.minus(taken)
    }

    /// Adds what another demanded; whatever it had is given back.
    fn add_ended(&mut self, part: &Self) {
        self.allocate(part.allocated, part.events);
        self.inherit(part.inherited);
        self.freed = self.allocated.plus(self.inherited);
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
    /// In order, so that a connection's stacks lie together.
    cells: BTreeMap<OwnerKey, Cell>,
}

impl Process {
    pub(super) fn new(info: TargetInfo) -> Self {
        Self {
            info: Arc::new(info),
            totals: Totals::default(),
            cells: BTreeMap::new(),
        }
    }

    /// The stacks among its rows.
    pub(super) fn stacks(&self) -> impl Iterator<Item = StackId> {
        self.cells.keys().filter_map(|owner| owner.stack())
    }

    /// Drops rows of stacks with nothing live that did not change since `time`. Rows of connections
    /// go with their connection.
    pub(super) fn forget_quiet_since(&mut self, time: BootTime, status: &mut TableStatus) {
        self.cells.retain(|owner, cell| {
            let kept = !matches!(owner, OwnerKey::Stack(_))
                || cell.changed
                || cell.changed_at >= time
                || !cell.has_nothing();
            status.quiet_dropped += u64::from(!kept);
            kept || status.drop_row(*owner)
        });
    }

    /// Drops the rows of what it inherited and gave back without adding to it. A process that
    /// forks often would fill the table with them.
    pub(super) fn forget_inherited(&mut self, status: &mut TableStatus) {
        self.cells
            .retain(|owner, cell| !cell.is_others() || status.drop_row(*owner));
    }

    /// Takes all its rows out of the count.
    pub(super) fn forget_all(&self, status: &mut TableStatus) {
        for owner in self.cells.keys() {
            status.drop_row(*owner);
        }
    }

    /// What a connection demanded and gave back goes to another row.
    pub(super) fn fold_connection(
        &mut self,
        cookie: Cookie,
        into: BehalfKey,
        limits: &TableLimits,
        status: &mut TableStatus,
    ) {
        let own = OwnerKey::Behalf(BehalfKey::Connection(cookie));
        if let Some(part) = self.cells.remove(&own) {
            status.drop_row(own);
            // What it still has is given back from where all are that are not kept apart.
            let into = match part.live() == Units::default() {
                true => into,
                false => BehalfKey::Folded,
            };
            if let Some(cell) = self.cell(OwnerKey::Behalf(into), limits, status) {
                cell.allocate(part.allocated, part.events);
                cell.inherit(part.inherited);
                cell.freed = cell.freed.plus(part.freed);
            }
        }
        let stacks = OwnerKey::OnConnection(cookie, StackId(0))
            ..=OwnerKey::OnConnection(cookie, StackId(u32::MAX));
        while let Some((&owner, _)) = self.cells.range(stacks.clone()).next() {
            self.cells.remove(&owner);
            status.drop_row(owner);
        }
    }

    /// Whether bytes of this owner have a row to go to.
    pub(super) fn has_row(&self, owner: OwnerKey) -> bool {
        self.cells.contains_key(&owner)
    }

    /// `resident`: what is resident is known, and told.
    pub(super) fn rows(&self, resident: bool) -> impl Iterator<Item = (OwnerKey, Row)> {
        self.cells.iter().map(move |(&owner, cell)| {
            let told = resident && has_touchers(owner);
            let row = Row {
                resident: told.then(|| cell.resident.bytes()),
                ..cell.row()
            };
            (owner, row)
        })
    }

    /// Adds sampled bytes that became resident, or takes them back.
    pub(super) fn touched(
        &mut self,
        touch: &TouchChange,
        limits: &TableLimits,
        status: &mut TableStatus,
    ) {
        let owner = touch.toucher.owner;
        let mut left = Weight::of_inclusion(touch.toucher.inclusion).of(touch.bytes);
        if touch.came {
            if let Some(cell) = self.cell(owner, limits, status) {
                cell.touch(left);
            }
            return;
        }
        for owner in [Some(owner), fallback(owner)].into_iter().flatten() {
            if let Some(cell) = self.cells.get_mut(&owner) {
                left = cell.untouch(left);
            }
        }
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

        for (owner, weight) in rows_of(change.owner) {
            if change.committed > 0
                && let Some(cell) = self.cell(owner, limits, status)
            {
                cell.allocate(weight.of(change.committed), events);
            }
            let left = self.free(owner, weight.of(change.freed));
            if owner.is_by_owner() {
                status.unmatched_freed_bytes += left.bytes();
            }
        }
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
        for (owner, weight) in rows_of_child(owner) {
            if let Some(cell) = self.cell(owner, limits, status) {
                cell.inherit(weight.of(bytes));
            }
        }
    }

    /// The row that bytes go to: their own, or when there is no room for one that of what is
    /// folded; none for a stack on a connection.
    fn cell(
        &mut self,
        owner: OwnerKey,
        limits: &TableLimits,
        status: &mut TableStatus,
    ) -> Option<&mut Cell> {
        let room = is_few(owner) || status.has_room(owner, limits);
        let owner = if room || self.cells.contains_key(&owner) {
            owner
        } else {
            status.note_folded(owner);
            fallback(owner)?
        };
        Some(self.cells.entry(owner).or_insert_with(|| {
            *status.rows_like(owner) += 1;
            Cell::default()
        }))
    }

    /// Takes back from the owner's row, and then from where what it demanded while the table was
    /// full was put. Returns what neither had.
    fn free(&mut self, owner: OwnerKey, units: Units) -> Units {
        let mut left = units;
        for owner in [Some(owner), fallback(owner)].into_iter().flatten() {
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
            let owner = match owner {
                OwnerKey::OnConnection(..) => continue,
                OwnerKey::Behalf(BehalfKey::Connection(_) | BehalfKey::Peer(_)) => {
                    OwnerKey::Behalf(BehalfKey::Folded)
                }
                owner => owner,
            };
            if let Some(cell) = self.cell(owner, limits, status) {
                cell.add_ended(part);
            }
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
                true => Some(part.owner),
                false => fallback(part.owner),
            };
            if let Some(cell) = owner.and_then(|owner| self.cells.get_mut(&owner)) {
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
