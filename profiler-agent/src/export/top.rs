//! Growth grouped by stack, process, container or function, as rows of an answer.

use std::collections::HashMap;

use profiler_analysis::{Figures, FunctionFigures, Order, by_function, largest, sum_by};
use profiler_proto::v1::{self, GroupBy, OrderBy, OwnerKind};
use tonic::Status;

use super::{
    functions::Functions,
    names::{NameStacks, frame_to_wire, stack_to_wire},
    selector::Selection,
    time::{Moment, seconds_between},
};
use crate::{
    connection::Connections,
    ids::{BootTime, Cookie, ProcessHandle, StackId},
    profile::{BehalfKey, Growth, OwnerKey, ProcessGrowth, RowKey, TargetInfo},
    stack::NamedStack,
};

/// Rows of an answer when none are asked for in particular, and at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 10_000;

/// How an answer is to be shaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    by: GroupBy,
    order: Order,
    limit: usize,
    include_unattributed: bool,
    /// Only growth on behalf of this connection.
    connection: Option<Cookie>,
}

/// Rows, and how many there were before the limit.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<v1::GrowthRow>,
    pub(super) total: u32,
}

impl Shape {
    /// `since`: the answer is about the time between two moments.
    pub(super) fn new(
        by: i32,
        order: i32,
        limit: u32,
        include_unattributed: bool,
        since: bool,
    ) -> Result<Self, Status> {
        let by = GroupBy::try_from(by)
            .map_err(|_| Status::invalid_argument(format!("by: {by} is no way of grouping")))?;
        let order = OrderBy::try_from(order)
            .map_err(|_| Status::invalid_argument(format!("order: {order} is no order")))?;
        if limit > LIMIT_MAX {
            return Err(Status::invalid_argument(format!(
                "limit: {limit} rows are too many; at most {LIMIT_MAX}"
            )));
        }
        Ok(Self {
            by,
            order: match order {
                OrderBy::Unspecified if since => Order::Growth,
                OrderBy::Unspecified | OrderBy::Live => Order::Live,
                OrderBy::Allocated => Order::Allocated,
                OrderBy::Freed => Order::Freed,
                OrderBy::Events => Order::Events,
            },
            limit: match limit {
                0 => LIMIT_DEFAULT as usize,
                limit => limit as usize,
            },
            include_unattributed,
            connection: None,
        })
    }

    /// Only growth on behalf of a connection, by its cookie; 0: all growth.
    pub(super) fn of_connection(self, cookie: u64) -> Self {
        Self {
            connection: (cookie != 0).then_some(Cookie(cookie)),
            ..self
        }
    }

    /// Memory that no stack owns is asked for.
    pub(super) fn includes_unattributed(self) -> bool {
        self.include_unattributed
    }

    /// A connection that is not known is an error: the asker would take an empty answer for "it
    /// holds nothing".
    pub(super) fn check_connection(
        self,
        growth: &Growth,
        connections: &Connections,
    ) -> Result<(), Status> {
        let Some(cookie) = self.connection else {
            return Ok(());
        };
        let owner = OwnerKey::Behalf(BehalfKey::Connection(cookie));
        let known = connections
            .connections
            .iter()
            .any(|one| one.cookie == cookie)
            || growth.rows.iter().any(|(key, _)| key.owner == owner);
        if known {
            return Ok(());
        }
        let folded = connections.folded.contains_key(&cookie);
        Err(Status::not_found(format!(
            "connection {}: {}; list the connections to see those that are kept",
            cookie.0,
            if folded {
                "it is over, holds nothing, and was taken together with others to its peer"
            } else {
                "no growth is known on behalf of a connection with this cookie"
            }
        )))
    }

    /// The table of connections is needed for the answer.
    pub(super) fn needs_connections(self) -> bool {
        self.by == GroupBy::Connection || self.connection.is_some()
    }

    /// Groups, orders, limits and names. Blocks while frames are named.
    pub(super) fn rows(
        self,
        growth: &Growth,
        selection: &Selection,
        names: &dyn NameStacks,
        connections: &Connections,
        clocks: Moment,
    ) -> Rows {
        let view = View::new(self, growth, selection);
        match self.by {
            GroupBy::Unspecified | GroupBy::Stack => view.by_stack(names),
            GroupBy::Process => view.by_process(),
            GroupBy::Container => view.by_container(),
            GroupBy::Function => view.by_function(names),
            GroupBy::Connection => view.by_connection(connections, clocks),
        }
    }
}

/// What is chosen of the growth.
pub(super) struct View<'a> {
    pub(super) shape: Shape,
    growth: &'a Growth,
    pub(super) processes: HashMap<ProcessHandle, &'a ProcessGrowth>,
    /// By owner; of one connection, by stack.
    rows: Vec<(RowKey, Figures)>,
    /// By on whose behalf.
    pub(super) behalves: Vec<(RowKey, BehalfKey, Figures)>,
}

impl<'a> View<'a> {
    fn new(shape: Shape, growth: &'a Growth, selection: &Selection) -> Self {
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

    /// The largest of `rows`, with their number.
    pub(super) fn largest<T, K: Ord>(
        &self,
        rows: Vec<T>,
        figures: impl Fn(&T) -> &Figures,
        tie: impl Fn(&T) -> K,
    ) -> (Vec<T>, u32) {
        let total = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let rows = largest(rows, self.shape.order, self.shape.limit, figures, tie);
        (rows, total)
    }

    fn by_stack(&self, names: &dyn NameStacks) -> Rows {
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
        let events = self.rows.iter();
        let events = sum_by(events.map(|(key, figures)| (key.process, *figures)));
        let processes = self.processes.values().map(|process| {
            let mut figures = process.figures;
            figures.events = events.get(&process.handle).map_or(0, |sum| sum.events);
            (*process, figures)
        });
        processes
            .filter(|(_, figures)| !figures.is_still())
            .collect()
    }

    fn by_process(&self) -> Rows {
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

    fn by_container(&self) -> Rows {
        let exact = self.exact();
        let root = |process: &'a ProcessGrowth| process.info.container.root.as_str();
        let sums = sum_by(exact.iter().map(|(process, sum)| (root(process), *sum)));
        let names: HashMap<&str, &str> = exact
            .iter()
            .map(|(process, _)| (root(process), process.info.container.name.as_str()))
            .collect();
        let sums = sums.into_iter().collect();
        let (rows, total) = self.largest(sums, |row| &row.1, |row| row.0);
        let rows = rows.into_iter().map(|(root, figures)| v1::GrowthRow {
            container_id: names
                .get(root)
                .map_or_else(String::new, |name| (*name).to_owned()),
            cgroup: root.to_owned(),
            ..self.aggregate(&figures)
        });
        Rows {
            rows: rows.collect(),
            total,
        }
    }

    fn by_function(&self, names: &dyn NameStacks) -> Rows {
        let stacks: Vec<StackId> = self
            .rows
            .iter()
            .filter_map(|row| row.0.owner.stack())
            .collect();
        let named = names_by_stack(names, stacks);
        let mut functions = Functions::default();
        let mut stacks = Vec::new();
        let mut others = Vec::new();
        for (key, figures) in &self.rows {
            let frames = key.owner.stack().and_then(|stack| named.get(&stack));
            match frames {
                Some(frames) => stacks.push((*figures, functions.of(frames, key.process))),
                None => others.push((without_stack(key.owner), *figures)),
            }
        }
        let mut rows: Vec<(FunctionRow, FunctionFigures)> = by_function(stacks)
            .into_iter()
            .map(|(number, sum)| (FunctionRow::Function(number), sum))
            .collect();
        if self.shape.include_unattributed {
            rows.extend(sum_by(others).into_iter().map(|(owner, sum)| {
                let sum = FunctionFigures {
                    inclusive: sum,
                    own: sum,
                };
                (FunctionRow::Owner(owner), sum)
            }));
        }
        let (rows, total) = self.largest(rows, |row| &row.1.inclusive, |row| row.0);
        Rows {
            rows: rows
                .iter()
                .map(|(row, sum)| self.function_row(&functions, *row, sum))
                .collect(),
            total,
        }
    }

    fn function_row(
        &self,
        functions: &Functions,
        row: FunctionRow,
        sum: &FunctionFigures,
    ) -> v1::GrowthRow {
        let mut wire = v1::GrowthRow {
            self_live_bytes: sum.own.live,
            self_allocated_bytes: sum.own.allocated,
            ..self.aggregate(&sum.inclusive)
        };
        match row {
            FunctionRow::Owner(owner) => wire.owner = owner_kind(owner).into(),
            FunctionRow::Function(number) => {
                let function = &functions.known[number as usize];
                wire.frames = vec![frame_to_wire(&function.frame)];
                let process = function
                    .process
                    .and_then(|handle| self.processes.get(&handle));
                if let Some(process) = process {
                    put_process(&mut wire, &process.info);
                }
            }
        }
        wire
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FunctionRow {
    Function(u32),
    Owner(OwnerKey),
}

/// Stacks that are not kept any more are not among them.
fn names_by_stack(
    names: &dyn NameStacks,
    mut stacks: Vec<StackId>,
) -> HashMap<StackId, NamedStack> {
    stacks.sort_unstable();
    stacks.dedup();
    let named = names.name(&stacks);
    let named = stacks.into_iter().zip(named);
    named
        .filter_map(|(stack, named)| Some((stack, named?)))
        .collect()
}

pub(super) fn put_process(row: &mut v1::GrowthRow, info: &TargetInfo) {
    row.pid = info.pid;
    row.process_name.clone_from(&info.name);
    row.container_id.clone_from(&info.container.id);
    row.cgroup.clone_from(&info.container.cgroup);
}

/// By function, a stack that is not kept any more is as good as none.
fn without_stack(owner: OwnerKey) -> OwnerKey {
    match owner {
        OwnerKey::Stack(_) => OwnerKey::Folded,
        owner => owner,
    }
}

/// On the wire 0 is no stack.
pub(super) fn wire_stack_id(stack: StackId) -> u64 {
    u64::from(stack.0) + 1
}

pub(super) fn owner_kind(owner: OwnerKey) -> OwnerKind {
    match owner {
        OwnerKey::Stack(_) => OwnerKind::Stack,
        OwnerKey::PreExisting => OwnerKind::PreExisting,
        OwnerKey::ExecImage => OwnerKind::ExecImage,
        OwnerKey::Unattributed => OwnerKind::Unattributed,
        OwnerKey::Folded => OwnerKind::Folded,
        OwnerKey::OnConnection(..) => OwnerKind::Stack,
        OwnerKey::Behalf(_) => OwnerKind::Aggregate,
    }
}
