//! Memory over time, one series for each life of a process or container.

mod line;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use profiler_proto::v1::{self, SeriesBy};
use tonic::Status;

use self::line::Line;
use super::{
    Asked, Clocks, Filter, NotChosen,
    bounds::{at_most, in_order},
};
use crate::{
    ids::{BootTime, ProcessHandle},
    model::{ProcessEntry, Snapshot, TargetInfo},
};

/// Series and points when none are asked for in particular, and at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 1_000;
const POINTS_DEFAULT: u32 = 120;
const POINTS_MAX: u32 = 2_000;

/// Points that are gathered for one answer, of all series together: about 30 MB.
const GATHERED_MAX: usize = 500_000;

/// A question for series that was checked.
#[derive(Debug)]
pub struct Series {
    /// What is asked about.
    pub filter: Filter,
    /// The moment to begin with; none: as far back as anything is kept.
    pub begin: Asked,
    /// The moment to end with; none: now.
    pub end: Asked,
    /// Snapshots to gather at the most, evenly spread.
    pub points: u32,
    by: SeriesBy,
    limit: usize,
}

/// What has one series at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Process(ProcessHandle),
    /// Node and cgroup.
    Container(String, String),
    Node(String),
}

/// Series as they are put together from snapshots.
#[derive(Debug)]
pub struct Gathered<'a> {
    question: &'a Series,
    lines: Vec<Line>,
    /// The line that goes on, of those with the same key the last.
    current: HashMap<Key, usize>,
    /// Every process that was there, to tell what was never.
    known: HashMap<ProcessHandle, Arc<TargetInfo>>,
    points: usize,
    /// When something was heard of each node last.
    heard: HashMap<String, BootTime>,
    first: Option<BootTime>,
    last: Option<BootTime>,
}

impl Series {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn new(request: v1::ListSeriesRequest) -> Result<Self, Status> {
        let v1::ListSeriesRequest {
            selector,
            by,
            from,
            to,
            points,
            limit,
        } = request;
        let by = SeriesBy::try_from(by)
            .map_err(|_| Status::invalid_argument(format!("by: {by} is no kind of series")))?;
        let begin = Asked::new("from", from);
        let end = Asked::new("to", to);
        in_order(begin.time.as_ref(), end.time.as_ref())?;
        Ok(Self {
            filter: Filter::new(selector.as_ref())?,
            begin,
            end,
            points: at_most("points", points, POINTS_DEFAULT, POINTS_MAX)?,
            by,
            limit: at_most("limit", limit, LIMIT_DEFAULT, LIMIT_MAX)? as usize,
        })
    }

    /// Nothing yet.
    pub fn gather(&self) -> Gathered<'_> {
        Gathered {
            question: self,
            lines: Vec::new(),
            current: HashMap::new(),
            known: HashMap::new(),
            points: 0,
            heard: HashMap::new(),
            first: None,
            last: None,
        }
    }

    fn key(&self, entry: &ProcessEntry) -> Key {
        let info = &entry.info;
        match self.by {
            SeriesBy::Process => Key::Process(entry.handle),
            SeriesBy::Node => Key::Node(info.node.name.clone()),
            SeriesBy::Unspecified | SeriesBy::Container => {
                Key::Container(info.node.name.clone(), info.container.root.clone())
            }
        }
    }
}

impl Gathered<'_> {
    /// Takes over the next snapshot; its rows are not looked at. Snapshots come oldest first, and
    /// a process has the same handle in all of them.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: there are too many series for so many points.
    pub fn add(&mut self, snapshot: &Snapshot) -> Result<(), Status> {
        self.first = self.first.or(Some(snapshot.time));
        self.last = Some(snapshot.time);
        let filter = &self.question.filter;
        let mut by_key: BTreeMap<Key, Vec<&ProcessEntry>> = BTreeMap::new();
        for entry in &snapshot.processes {
            self.hear(&entry.info.node.name, snapshot.time);
            // What has ended and was put together is no life of its own.
            if entry.info.is_group() {
                continue;
            }
            if !filter.is_empty() {
                let known = self.known.entry(entry.handle);
                known.or_insert_with(|| Arc::clone(&entry.info));
            }
            if filter.takes(&entry.info) {
                let entries = by_key.entry(self.question.key(entry)).or_default();
                entries.push(entry);
            }
        }
        for (key, entries) in by_key {
            self.add_to(key, snapshot.time, &entries);
        }
        if self.points > GATHERED_MAX {
            return Err(Status::resource_exhausted(format!(
                "these are more than {GATHERED_MAX} points; ask for fewer points, a shorter time, \
                 or fewer targets"
            )));
        }
        Ok(())
    }

    fn hear(&mut self, node: &str, time: BootTime) {
        match self.heard.get_mut(node) {
            Some(last) => *last = time,
            None => drop(self.heard.insert(node.to_owned(), time)),
        }
    }

    fn add_to(&mut self, key: Key, time: BootTime, entries: &[&ProcessEntry]) {
        let is_alive = entries.iter().any(|entry| entry.info.exited.is_none());
        let current = self.current.get(&key).copied();
        let current = current.filter(|line| !is_alive || self.lines[*line].goes_on(&key, entries));
        match current {
            Some(line) => self.lines[line].add(time, entries),
            None if is_alive => {
                self.current.insert(key.clone(), self.lines.len());
                self.lines.push(Line::new(key, time, entries));
            }
            None => return,
        }
        self.points += usize::from(is_alive);
    }

    /// The series that grew fastest.
    ///
    /// # Errors
    /// What is asked about was never there.
    pub fn finish(self, clocks: Clocks) -> Result<v1::ListSeriesResponse, NotChosen> {
        let known = self.known.iter();
        let filter = &self.question.filter;
        filter.choose(known.map(|(handle, info)| (*handle, &**info)))?;
        let total = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        let lines = self.lines.iter();
        let mut lines: Vec<(f64, &Line)> = lines.map(|line| (line.slope(), line)).collect();
        lines.sort_by(|(slope, line), (other_slope, other)| {
            let by_slope = other_slope.total_cmp(slope);
            by_slope.then_with(|| line.place().cmp(&other.place()))
        });
        lines.truncate(self.question.limit);
        let last = self.last.unwrap_or_default();
        let lines = lines.into_iter();
        Ok(v1::ListSeriesResponse {
            series: lines
                .map(|(slope, line)| line.to_wire(slope, last, &self.heard, clocks))
                .collect(),
            total,
            from: self.first.map(|time| clocks.to_wall(time)),
            to: self.last.map(|time| clocks.to_wall(time)),
        })
    }
}
