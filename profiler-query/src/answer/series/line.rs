//! One series as it goes on.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use profiler_proto::v1;

use super::Key;
use crate::{
    answer::{Clocks, target},
    ids::{BootTime, ProcessHandle},
    model::{ProcessEntry, TargetInfo, Totals},
};

const HOUR: f64 = 3600e9;

/// One life: the memory of its processes, moment by moment.
#[derive(Debug)]
pub(super) struct Line {
    key: Key,
    /// Of one of its processes.
    info: Arc<TargetInfo>,
    /// Pids that were alive when it was looked at last.
    pids: HashSet<u32>,
    /// Its processes as they were then.
    processes: HashMap<ProcessHandle, Totals>,
    /// Demanded and given back by all of its processes since it began.
    allocated: u64,
    freed: u64,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    time: BootTime,
    committed: u64,
    released: u64,
    live: u64,
    allocated: u64,
    freed: u64,
    processes: u32,
}

impl Line {
    /// Begins with processes one of which at least is alive.
    pub(super) fn new(key: Key, time: BootTime, entries: &[&ProcessEntry]) -> Self {
        let mut alive = entries.iter().filter(|entry| entry.info.exited.is_none());
        let info = alive.next().or(entries.first());
        let mut line = Self {
            key,
            info: info.map_or_else(
                || Arc::new(TargetInfo::nothing_on(Arc::default())),
                |entry| Arc::clone(&entry.info),
            ),
            pids: HashSet::new(),
            processes: totals(entries),
            allocated: 0,
            freed: 0,
            points: Vec::new(),
        };
        line.put_point(time, entries);
        line
    }

    /// Whether these processes, one of which is alive, belong to the same life: one that was alive
    /// before still is. A pid stays the same when a process changes its program, and is not given
    /// again for long.
    pub(super) fn goes_on(&self, key: &Key, entries: &[&ProcessEntry]) -> bool {
        let mut alive = entries.iter().filter(|entry| entry.info.exited.is_none());
        !matches!(key, Key::Container(..)) || alive.any(|entry| self.pids.contains(&entry.info.pid))
    }

    /// Goes on with what there is of its processes, and those that came.
    pub(super) fn add(&mut self, time: BootTime, entries: &[&ProcessEntry]) {
        let mut before = std::mem::replace(&mut self.processes, totals(entries));
        for entry in entries {
            let old = before.remove(&entry.handle).unwrap_or_default();
            let new = &entry.totals;
            let allocated = new.allocated.saturating_sub(old.allocated);
            let freed = new.freed.saturating_sub(old.freed);
            self.allocated = self.allocated.saturating_add(allocated);
            self.freed = self.freed.saturating_add(freed);
        }
        // What went with its process was given back too.
        let gone = before.values().map(Totals::live);
        self.freed = gone.fold(self.freed, u64::saturating_add);
        if let Some(alive) = entries.iter().find(|entry| entry.info.exited.is_none()) {
            self.info = Arc::clone(&alive.info);
            self.put_point(time, entries);
        }
    }

    fn put_point(&mut self, time: BootTime, entries: &[&ProcessEntry]) {
        let alive = entries.iter().filter(|entry| entry.info.exited.is_none());
        self.pids = alive.clone().map(|entry| entry.info.pid).collect();
        let sum = |figure: fn(&Totals) -> u64| {
            let figures = alive.clone().map(|entry| figure(&entry.totals));
            figures.fold(0, u64::saturating_add)
        };
        self.points.push(Point {
            time,
            committed: sum(|totals| totals.committed),
            released: sum(|totals| totals.released),
            live: sum(Totals::live),
            allocated: self.allocated,
            freed: self.freed,
            processes: u32::try_from(alive.count()).unwrap_or(u32::MAX),
        });
    }

    /// Of the line through the live bytes of all points, in bytes by hour.
    pub(super) fn slope(&self) -> f64 {
        if self.points.len() < 3 {
            return 0.0;
        }
        let start = self.points[0].time.0;
        let hours = |point: &Point| point.time.0.saturating_sub(start) as f64 / HOUR;
        let count = self.points.len() as f64;
        let mean =
            |value: &dyn Fn(&Point) -> f64| self.points.iter().map(value).sum::<f64>() / count;
        let (mean_hours, mean_live) = (mean(&hours), mean(&|point| point.live as f64));
        let sums = self.points.iter().map(|point| {
            let distance = hours(point) - mean_hours;
            (
                distance * (point.live as f64 - mean_live),
                distance * distance,
            )
        });
        let (both, square) = sums.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        match square > 0.0 {
            true => both / square,
            false => 0.0,
        }
    }

    /// Names it, for an order among those that grow equally.
    pub(super) fn place(&self) -> (&Key, BootTime) {
        (&self.key, self.points[0].time)
    }

    /// `last`: the last moment that was looked at; `heard`: the last one of each node, which may
    /// be silent since.
    pub(super) fn to_wire(
        &self,
        slope: f64,
        last: BootTime,
        heard: &HashMap<String, BootTime>,
        clocks: Clocks,
    ) -> v1::Series {
        let ends = self.points.first().zip(self.points.last());
        let alive = ends.is_some_and(|(_, end)| end.time == last);
        let heard = heard.get(&self.info.node.name);
        let has_ended = ends.is_some_and(|(_, end)| heard.is_some_and(|heard| end.time < *heard));
        let time = |point: &Point| clocks.to_wall(point.time);
        let points = self.points.iter().map(|point| v1::SeriesPoint {
            time: Some(time(point)),
            committed_bytes: point.committed,
            committed_live_bytes: point.live,
            committed_allocated_bytes: point.allocated,
            committed_freed_bytes: point.freed,
            processes: point.processes,
        });
        v1::Series {
            target: Some(self.target(has_ended, clocks)),
            first: ends.map(|(first, _)| time(first)),
            last: ends.map(|(_, end)| time(end)),
            alive,
            points: points.collect(),
            live_slope_bytes_per_hour: slope,
        }
    }

    /// The process, or what its processes have in common.
    fn target(&self, has_ended: bool, clocks: Clocks) -> v1::Target {
        if let Key::Process(process) = self.key {
            let totals = self.processes.get(&process).copied().unwrap_or_default();
            let target = target(&self.info, &totals, clocks);
            return match has_ended {
                true => exited(target),
                false => target,
            };
        }
        let mut common = TargetInfo {
            container: Arc::clone(&self.info.container),
            ..TargetInfo::nothing_on(Arc::clone(&self.info.node))
        };
        match self.key {
            Key::Node(_) => common.container = Arc::default(),
            _ => Arc::make_mut(&mut common.container).cgroup = self.info.container.root.clone(),
        }
        let sum = self.points.last();
        let target = v1::Target {
            started: None,
            committed_bytes: sum.map_or(0, |sum| sum.committed),
            released_bytes: sum.map_or(0, |sum| sum.released),
            committed_allocated_bytes: self.allocated,
            committed_freed_bytes: self.freed,
            ..target(&common, &Totals::default(), clocks)
        };
        match has_ended {
            true => exited(target),
            false => target,
        }
    }
}

fn exited(target: v1::Target) -> v1::Target {
    v1::Target {
        state: v1::TargetState::Exited.into(),
        ..target
    }
}

fn totals(entries: &[&ProcessEntry]) -> HashMap<ProcessHandle, Totals> {
    let entries = entries.iter();
    entries.map(|entry| (entry.handle, entry.totals)).collect()
}
