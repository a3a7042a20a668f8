//! Snapshots, and the difference between two, as figures that answers are made of.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use profiler_analysis::{Figures, sum_by};

use super::{BehalfKey, OwnerKey, ProcessEntry, Row, RowKey, Snapshot, TargetInfo, Totals};
use crate::ids::{BootTime, Cookie, PeerId, ProcessHandle};

/// A process with its exact figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessGrowth {
    /// Which.
    pub handle: ProcessHandle,
    /// Facts.
    pub info: Arc<TargetInfo>,
    /// Its totals at the end; all zero when it was no longer known then.
    pub totals: Totals,
    /// Its growth.
    pub figures: Figures,
}

/// Growth since observation began, or between two moments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// The moment that it begins with; none when it counts from the start of observation.
    pub from: Option<BootTime>,
    /// The moment that it ends with.
    pub time: BootTime,
    /// By process and owner. Between two moments only those of which something changed.
    pub rows: Vec<(RowKey, Figures)>,
    /// All processes known at either moment.
    pub processes: Vec<ProcessGrowth>,
}

impl Growth {
    /// Since observation began.
    pub fn since_start(snapshot: &Snapshot) -> Self {
        let rows = snapshot.rows.iter();
        let processes = snapshot.processes.iter();
        Self {
            from: None,
            time: snapshot.time,
            rows: rows.map(|(key, row)| (*key, figures(row))).collect(),
            processes: processes
                .map(|entry| process(entry, total_figures(&entry.totals)))
                .collect(),
        }
    }

    /// The processes, to choose from.
    pub fn targets(&self) -> impl Iterator<Item = (ProcessHandle, &TargetInfo)> + Clone {
        let processes = self.processes.iter();
        processes.map(|process| (process.handle, &*process.info))
    }

    /// From one snapshot to a later one. What a process had that is no longer known in the later
    /// one counts as given back.
    ///
    /// `folded`: of connections that are no longer kept apart, the totals that they are in.
    pub fn between(
        before: &Snapshot,
        after: &Snapshot,
        folded: &HashMap<Cookie, Option<PeerId>>,
    ) -> Self {
        let successors = Successors::new(before, after, folded);
        Self {
            from: Some(before.time),
            time: after.time,
            rows: rows_between(before, after, &successors),
            processes: processes_between(before, after, &successors),
        }
    }
}

/// What stands now for processes and connections that were put together with others between the two
/// moments. What they had before belongs to its figures before, or it would seem to be demanded
/// again.
struct Successors<'a> {
    /// From a process that is gone to the group that it is in.
    processes: HashMap<ProcessHandle, ProcessHandle>,
    folded: &'a HashMap<Cookie, Option<PeerId>>,
    /// Connections that are kept apart still.
    apart: HashSet<Cookie>,
}

impl<'a> Successors<'a> {
    fn new(
        before: &Snapshot,
        after: &Snapshot,
        folded: &'a HashMap<Cookie, Option<PeerId>>,
    ) -> Self {
        let key = |info: &TargetInfo| (info.container.root.clone(), info.name.clone());
        let groups = after.processes.iter();
        let groups: HashMap<_, _> = groups
            .filter(|entry| entry.info.is_group())
            .map(|entry| (key(&entry.info), entry.handle))
            .collect();
        let still: HashSet<_> = after.processes.iter().map(|entry| entry.handle).collect();
        let gone = before.processes.iter();
        let gone = gone.filter(|entry| !still.contains(&entry.handle));
        let connection = |key: &RowKey| match key.owner {
            OwnerKey::Behalf(BehalfKey::Connection(cookie)) => Some(cookie),
            _ => None,
        };
        Self {
            processes: gone
                .filter_map(|entry| Some((entry.handle, *groups.get(&key(&entry.info))?)))
                .collect(),
            folded,
            apart: after
                .rows
                .iter()
                .filter_map(|(key, _)| connection(key))
                .collect(),
        }
    }

    fn process(&self, process: ProcessHandle) -> ProcessHandle {
        *self.processes.get(&process).unwrap_or(&process)
    }

    fn row(&self, key: &RowKey) -> RowKey {
        let process = self.process(key.process);
        let owner = match key.owner {
            OwnerKey::Behalf(BehalfKey::Connection(_) | BehalfKey::Peer(_))
                if process != key.process =>
            {
                OwnerKey::Behalf(BehalfKey::Folded)
            }
            OwnerKey::Behalf(BehalfKey::Connection(cookie)) if !self.apart.contains(&cookie) => {
                OwnerKey::Behalf(match self.folded.get(&cookie) {
                    Some(Some(peer)) => BehalfKey::Peer(*peer),
                    Some(None) => BehalfKey::Folded,
                    None => BehalfKey::Connection(cookie),
                })
            }
            owner => owner,
        };
        RowKey { process, owner }
    }
}

fn rows_between(
    before: &Snapshot,
    after: &Snapshot,
    successors: &Successors<'_>,
) -> Vec<(RowKey, Figures)> {
    let rows = before.rows.iter();
    let mut known = sum_by(rows.map(|(key, row)| (successors.row(key), figures(row))));
    let mut rows: Vec<_> = after
        .rows
        .iter()
        .map(|(key, row)| {
            let old = known.remove(key).unwrap_or_default();
            (*key, Figures::between(&old, &figures(row)))
        })
        .collect();
    rows.extend(known.iter().map(|(key, old)| (*key, Figures::gone(old))));
    rows.retain(|(_, figures)| !figures.is_still());
    rows
}

fn processes_between(
    before: &Snapshot,
    after: &Snapshot,
    successors: &Successors<'_>,
) -> Vec<ProcessGrowth> {
    let mut known = sum_by(before.processes.iter().map(|entry| {
        let handle = successors.process(entry.handle);
        (handle, total_figures(&entry.totals))
    }));
    let mut processes: Vec<_> = after
        .processes
        .iter()
        .map(|entry| {
            let old = known.remove(&entry.handle).unwrap_or_default();
            process(entry, Figures::between(&old, &total_figures(&entry.totals)))
        })
        .collect();
    let gone = before.processes.iter();
    processes.extend(gone.filter_map(|entry| {
        let old = known.get(&entry.handle)?;
        Some(ProcessGrowth {
            totals: Totals::default(),
            ..process(entry, Figures::gone(old))
        })
    }));
    processes
}

fn process(entry: &ProcessEntry, figures: Figures) -> ProcessGrowth {
    ProcessGrowth {
        handle: entry.handle,
        info: Arc::clone(&entry.info),
        totals: entry.totals,
        figures,
    }
}

fn figures(row: &Row) -> Figures {
    Figures {
        allocated: row.allocated,
        freed: row.freed,
        live: row.live(),
        live_delta: signed(row.live()),
        events: row.events,
        resident: row.resident,
        resident_delta: row.resident.map_or(0, signed),
        oldest: moment(row.oldest),
        newest: moment(row.newest),
    }
}

fn total_figures(totals: &Totals) -> Figures {
    Figures {
        allocated: totals.allocated,
        freed: totals.freed,
        live: totals.live(),
        live_delta: signed(totals.live()),
        events: 0,
        resident: None,
        resident_delta: 0,
        oldest: moment(totals.oldest),
        newest: moment(totals.newest),
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn moment(time: BootTime) -> Option<u64> {
    (time != BootTime(0)).then_some(time.0)
}
