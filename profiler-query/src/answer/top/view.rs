//! What is chosen of the growth, and rows of it.

use std::collections::HashMap;

use profiler_analysis::{Figures, largest, sum_by};
use profiler_proto::v1::{self, OwnerKind};

use super::{
    Rows, Shape,
    by_function::names_by_stack,
    row::{owner_kind, put_process, wire_stack_id},
};
use crate::{
    answer::{NameStacks, Selection, seconds_between, stack_to_wire},
    ids::{BootTime, ProcessHandle, StackId},
    model::{BehalfKey, Growth, OwnerKey, ProcessGrowth, RowKey},
};

/// What is chosen of the growth.
pub(super) struct View<'a> {
    pub(super) shape: Shape,
    growth: &'a Growth,
    pub(super) processes: HashMap<ProcessHandle, &'a ProcessGrowth>,
    /// By owner; of one connection, by stack.
    pub(super) rows: Vec<(RowKey, Figures)>,
    /// By on whose behalf.
    pub(super) behalves: Vec<(RowKey, BehalfKey, Figures)>,
}

impl<'a> View<'a> {
    pub(super) fn new(shape: Shape, growth: &'a Growth, selection: &Selection) -> Self {
        let chosen = |handle| selection.has(handle);
        let processes = growth.processes.iter();
        let processes = processes.filter(|process| chosen(process.handle));
        let chosen_rows = growth.rows.iter().filter(|(key, _)| chosen(key.process));
        let (mut rows, mut behalves) = (Vec::new(), Vec::new());
        for &(key, figures) in chosen_rows {
            match (key.owner, shape.connection) {
                (OwnerKey::Behalf(behalf), None) => behalves.push((key, behalf, figures)),
                (OwnerKey::Behalf(behalf), Some(cookie)) => {
                    if behalf == BehalfKey::Connection(cookie) {
                        behalves.push((key, behalf, figures));
                    }
                }
                (OwnerKey::OnConnection(cookie, stack), Some(wanted)) if cookie == wanted => {
                    let owner = OwnerKey::Stack(stack);
                    rows.push((RowKey { owner, ..key }, figures));
                }
                (OwnerKey::OnConnection(..), _) | (_, Some(_)) => {}
                _ => rows.push((key, figures)),
            }
        }
        Self {
            shape,
            growth,
            processes: processes.map(|process| (process.handle, process)).collect(),
            rows,
            behalves,
        }
    }

    /// In an order that does not depend on where the rows come from, for what is numbered as it is
    /// met.
    pub(super) fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|(key, _)| *key);
    }

    /// The page's part of `rows` in their order, with the number of all.
    pub(super) fn largest<T, K: Ord>(
        &self,
        rows: Vec<T>,
        figures: impl Fn(&T) -> &Figures,
        tie: impl Fn(&T) -> K,
    ) -> (Vec<T>, u32) {
        let total = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let Shape { offset, limit, .. } = self.shape;
        let end = offset.saturating_add(limit);
        let mut rows = largest(rows, self.shape.order, end, figures, tie);
        rows.drain(..offset.min(rows.len()));
        (rows, total)
    }

    pub(super) fn by_stack(&self, names: &dyn NameStacks) -> Rows {
        let with_unattributed = self.shape.include_unattributed;
        let rows = self.rows.iter().copied();
        let rows = rows.filter(|(key, _)| with_unattributed || key.owner.stack().is_some());
        let (rows, total) = self.largest(rows.collect(), |row| &row.1, |row| row.0);
        let stacks: Vec<StackId> = rows.iter().filter_map(|row| row.0.owner.stack()).collect();
        let named = names_by_stack(names, stacks);
        let rows = rows.iter().map(|(key, figures)| {
            let stack = key.owner.stack();
            let mut row = v1::GrowthRow {
                owner: owner_kind(key.owner).into(),
                stack_id: stack.map_or(0, wire_stack_id),
                ..self.row(figures)
            };
            if let Some(stack) = stack {
                (row.frames, row.truncated) = stack_to_wire(named.get(&stack));
            }
            if let Some(process) = self.processes.get(&key.process) {
                put_process(&mut row, &process.info);
            }
            row
        });
        Rows {
            rows: rows.collect(),
            total,
        }
    }

    /// Exact figures of the processes in which something happened.
    fn exact(&self) -> Vec<(&'a ProcessGrowth, Figures)> {
        if self.shape.connection.is_some() {
            let rows = self.behalves.iter();
            let rows = rows.map(|(key, _, figures)| (key.process, *figures));
            let known = |(process, figures)| Some((*self.processes.get(&process)?, figures));
            return sum_by(rows).into_iter().filter_map(known).collect();
        }
        // What only rows know.
        let rows = self.rows.iter();
        let sums = sum_by(rows.map(|(key, figures)| (key.process, *figures)));
        let processes = self.processes.values().map(|process| {
            let mut figures = process.figures;
            let sum = sums.get(&process.handle).copied().unwrap_or_default();
            figures.events = sum.events;
            figures.resident = sum.resident;
            figures.resident_delta = sum.resident_delta;
            (*process, figures)
        });
        processes
            .filter(|(_, figures)| !figures.is_still())
            .collect()
    }

    pub(super) fn by_process(&self) -> Rows {
        let (rows, total) = self.largest(self.exact(), |row| &row.1, |row| row.0.handle);
        let rows = rows.iter().map(|(process, figures)| {
            let mut row = self.aggregate(figures);
            put_process(&mut row, &process.info);
            row
        });
        Rows {
            rows: rows.collect(),
            total,
        }
    }

    /// A cgroup's path is its node's own.
    pub(super) fn by_container(&self) -> Rows {
        let exact = self.exact();
        let key = |process: &'a ProcessGrowth| {
            let info = &process.info;
            (info.container.root.as_str(), info.node.name.as_str())
        };
        let sums = sum_by(exact.iter().map(|(process, sum)| (key(process), *sum)));
        let names: HashMap<_, &str> = exact
            .iter()
            .map(|(process, _)| (key(process), process.info.container.name.as_str()))
            .collect();
        let (rows, total) = self.largest(sums.into_iter().collect(), |row| &row.1, |row| row.0);
        let rows = rows.into_iter().map(|(key, figures)| v1::GrowthRow {
            container_id: names
                .get(&key)
                .map_or_else(String::new, |name| (*name).to_owned()),
            cgroup: key.0.to_owned(),
            node: key.1.to_owned(),
            ..self.aggregate(&figures)
        });
        Rows {
            rows: rows.collect(),
            total,
        }
    }

    pub(super) fn by_node(&self) -> Rows {
        let exact = self.exact();
        let node = |process: &'a ProcessGrowth| process.info.node.name.as_str();
        let sums = sum_by(exact.iter().map(|(process, sum)| (node(process), *sum)));
        let (rows, total) = self.largest(sums.into_iter().collect(), |row| &row.1, |row| row.0);
        let rows = rows.into_iter().map(|(node, figures)| v1::GrowthRow {
            node: node.to_owned(),
            ..self.aggregate(&figures)
        });
        Rows {
            rows: rows.collect(),
            total,
        }
    }

    pub(super) fn aggregate(&self, figures: &Figures) -> v1::GrowthRow {
        v1::GrowthRow {
            owner: OwnerKind::Aggregate.into(),
            ..self.row(figures)
        }
    }

    fn row(&self, figures: &Figures) -> v1::GrowthRow {
        let age = |since: Option<u64>| {
            since.map_or(0.0, |since| {
                seconds_between(BootTime(since), self.growth.time)
            })
        };
        let mut row = v1::GrowthRow {
            committed_allocated_bytes: figures.allocated,
            committed_freed_bytes: figures.freed,
            committed_live_bytes: figures.live,
            resident_live_bytes: figures.resident,
            events: figures.events,
            oldest_live_age_seconds: age(figures.oldest),
            newest_live_age_seconds: age(figures.newest),
            tier: v1::EvidenceTier::C.into(),
            ..v1::GrowthRow::default()
        };
        if self.growth.from.is_some() {
            row.live_delta_bytes = figures.live_delta;
            row.allocated_delta_bytes = i64::try_from(figures.allocated).unwrap_or(i64::MAX);
        }
        row
    }
}
