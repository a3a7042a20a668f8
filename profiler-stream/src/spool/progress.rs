//! How far each run has come: what was kept, what the collector has, what was dropped and why.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::RangeInclusive,
};

use super::RunId;

/// Runs that are remembered, those with files aside.
const RUNS_MAX: usize = 512;
/// Ranges of one run that are remembered, those after what is acknowledged aside: of them there are
/// no more than pending batches.
const RANGES_MAX: usize = 1024;

/// Why a batch was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Cause {
    /// The spool reached its bound in bytes.
    Full = 0,
    /// It was older than the bound.
    Old = 1,
    /// The disk was full, or could not be written.
    Disk = 2,
    /// A collector could not store it.
    Refused = 3,
    /// It is larger than a record can be.
    TooLarge = 4,
    /// What was on the disk could not be read any more.
    Damaged = 5,
    /// It is of a time that is yet to come by the host's clock, which was set back since: no
    /// collector takes it.
    Ahead = 6,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Old,
        Self::Disk,
        Self::Refused,
        Self::TooLarge,
        Self::Damaged,
        Self::Ahead,
    ];

    /// A stable name for a loss.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "spool_full",
            Self::Old => "spool_old",
            Self::Disk => "spool_disk",
            Self::Refused => "spool_refused",
            Self::TooLarge => "spool_too_large",
            Self::Damaged => "spool_damaged",
            Self::Ahead => "spool_ahead",
        }
    }
}

/// Sequence numbers that were dropped, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct Range {
    #[prost(uint64, tag = "1")]
    pub(super) first: u64,
    #[prost(uint64, tag = "2")]
    pub(super) last: u64,
    #[prost(enumeration = "Cause", tag = "3")]
    pub(super) cause: i32,
}

/// One run.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RunProgress {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) run_id: Vec<u8>,
    /// The largest sequence number that was kept or dropped.
    #[prost(uint64, tag = "2")]
    pub(super) last: u64,
    /// Up to here the collector has what was not dropped.
    #[prost(uint64, tag = "3")]
    pub(super) acked: u64,
    /// In order; they do not overlap.
    #[prost(message, repeated, tag = "4")]
    pub(super) dropped: Vec<Range>,
}

/// All runs, in the order in which they were begun, and counts of all time.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Progress {
    #[prost(message, repeated, tag = "1")]
    pub(super) runs: Vec<RunProgress>,
    #[prost(uint64, tag = "2")]
    pub(super) kept: u64,
    #[prost(uint64, tag = "3")]
    pub(super) acked: u64,
    /// By cause.
    #[prost(map = "int32, uint64", tag = "4")]
    pub(super) dropped: HashMap<i32, u64>,
}

/// A change.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Event {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) run_id: Vec<u8>,
    #[prost(oneof = "What", tags = "2, 3, 4")]
    pub(super) what: Option<What>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(super) enum What {
    /// This batch is on the disk.
    #[prost(uint64, tag = "2")]
    Kept(u64),
    /// The collector has everything up to here.
    #[prost(message, tag = "3")]
    Acked(Acked),
    #[prost(message, tag = "4")]
    Dropped(Range),
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct Acked {
    #[prost(uint64, tag = "1")]
    pub(super) sequence: u64,
    /// So many were pending before.
    #[prost(uint64, tag = "2")]
    pub(super) batches: u64,
}

impl Event {
    pub(super) fn new(run: RunId, what: What) -> Self {
        Self {
            run_id: run.to_vec(),
            what: Some(what),
        }
    }
}

impl Range {
    pub(super) fn new(sequences: RangeInclusive<u64>, cause: Cause) -> Self {
        Self {
            first: *sequences.start(),
            last: *sequences.end(),
            cause: cause.into(),
        }
    }

    fn len(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl Progress {
    pub(super) fn run(&self, run: RunId) -> Option<&RunProgress> {
        self.runs.iter().rev().find(|known| known.run_id == run)
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event.what {
            Some(What::Kept(sequence)) => {
                let run = self.run_mut(&event.run_id);
                run.last = run.last.max(sequence);
                self.kept = self.kept.saturating_add(1);
            }
            Some(What::Acked(acked)) => {
                let run = self.run_mut(&event.run_id);
                run.acked = run.acked.max(acked.sequence);
                self.acked = self.acked.saturating_add(acked.batches);
            }
            Some(What::Dropped(range)) => {
                let is_new = self.run_mut(&event.run_id).drop_range(range);
                if is_new {
                    let count = self.dropped.entry(range.cause).or_default();
                    *count = count.saturating_add(range.len());
                }
            }
            None => {}
        }
    }

    /// What was written can be read so; what was not written by this can be anything.
    pub(super) fn is_sound(&self) -> bool {
        let ids: HashSet<_> = self.runs.iter().map(|run| &run.run_id).collect();
        ids.len() == self.runs.len() && self.runs.iter().all(RunProgress::is_sound)
    }

    /// By cause, those that never were left out.
    pub(super) fn dropped(&self) -> BTreeMap<Cause, u64> {
        let counts = self.dropped.iter();
        let counts =
            counts.filter_map(|(cause, count)| Some((Cause::try_from(*cause).ok()?, *count)));
        counts.collect()
    }

    /// Forgets the oldest runs that are too many; those of `with_files` stay.
    pub(super) fn forget(&mut self, with_files: impl Fn(&[u8]) -> bool) {
        let mut many = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.retain(|run| {
            let goes = many > 0 && !with_files(&run.run_id);
            many -= usize::from(goes);
            !goes
        });
    }

    fn run_mut(&mut self, run: &[u8]) -> &mut RunProgress {
        let found = self.runs.iter().rposition(|known| known.run_id == run);
        let place = found.unwrap_or_else(|| {
            self.runs.push(RunProgress {
                run_id: run.to_vec(),
                ..RunProgress::default()
            });
            self.runs.len() - 1
        });
        &mut self.runs[place]
    }
}

impl RunProgress {
    /// This batch, which is on the disk, still has to be sent.
    pub(super) fn is_pending(&self, sequence: u64) -> bool {
        let place = self.dropped.partition_point(|range| range.last < sequence);
        let dropped = self.dropped.get(place);
        sequence > self.acked && dropped.is_none_or(|range| range.first > sequence)
    }

    /// Sequence numbers after what the collector has that are neither in `pending` (ascending) nor
    /// dropped.
    pub(super) fn missing(&self, pending: &[u64]) -> Vec<RangeInclusive<u64>> {
        let pending = pending.iter().map(|sequence| (*sequence, *sequence));
        let dropped = self.dropped.iter().map(|range| (range.first, range.last));
        let mut there: Vec<_> = pending.chain(dropped).collect();
        there.sort_unstable();
        let mut missing = Vec::new();
        let mut next = self.acked.saturating_add(1);
        for (first, last) in there {
            if first > next {
                missing.push(next..=first - 1);
            }
            next = next.max(last.saturating_add(1));
        }
        if next <= self.last {
            missing.push(next..=self.last);
        }
        missing
    }

    /// `false`: it is none, or some of it was dropped before.
    fn drop_range(&mut self, range: Range) -> bool {
        let place = self
            .dropped
            .partition_point(|other| other.last < range.first);
        let next = self.dropped.get(place);
        if range.first > range.last || next.is_some_and(|next| next.first <= range.last) {
            return false;
        }
        self.last = self.last.max(range.last);
        self.dropped.insert(place, range);
        self.join(place);
        if let Some(before) = place.checked_sub(1) {
            self.join(before);
        }
        while self.dropped.len() > RANGES_MAX && self.dropped[0].last <= self.acked {
            self.dropped.remove(0);
        }
        true
    }

    /// Ranges are ranges, in order, and do not overlap.
    fn is_sound(&self) -> bool {
        let dropped = &self.dropped;
        dropped.iter().all(|range| range.first <= range.last)
            && dropped.is_sorted_by(|range, next| range.last < next.first)
    }

    /// Makes one of the range at a place and the next one, if they are one.
    fn join(&mut self, place: usize) {
        let [one, next, ..] = self.dropped[place..] else {
            return;
        };
        if one.cause == next.cause && one.last.saturating_add(1) == next.first {
            self.dropped[place].last = next.last;
            self.dropped.remove(place + 1);
        }
    }
}

/// Ascending sequence numbers as ranges.
pub(super) fn ranges(sequences: &[u64]) -> Vec<RangeInclusive<u64>> {
    let runs = sequences.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    runs.filter_map(|run| Some(*run.first()?..=*run.last()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop_one(run: &mut RunProgress, sequence: u64, cause: Cause) -> bool {
        run.drop_range(Range::new(sequence..=sequence, cause))
    }

    #[test]
    fn neighbours_of_one_cause_are_one_range() {
        let mut run = RunProgress::default();
        for sequence in [5, 3, 4, 6] {
            assert!(drop_one(&mut run, sequence, Cause::Full));
        }
        assert!(drop_one(&mut run, 7, Cause::Disk));
        assert!(!drop_one(&mut run, 4, Cause::Old), "it was dropped before");
        let ranges = [
            Range::new(3..=6, Cause::Full),
            Range::new(7..=7, Cause::Disk),
        ];
        assert_eq!(run.dropped, ranges);
        assert_eq!(run.missing(&[1]), [2..=2]);
    }

    #[test]
    fn ranges_are_forgotten_only_when_what_follows_them_is_acknowledged() {
        let mut run = RunProgress::default();
        for sequence in (2..=6_000).step_by(2) {
            drop_one(&mut run, sequence, Cause::Disk);
        }
        assert_eq!(run.dropped.len(), 3_000);
        assert!(run.is_pending(3) && !run.is_pending(4));
        run.acked = 5_999;
        drop_one(&mut run, 6_002, Cause::Disk);
        assert_eq!(run.dropped.len(), RANGES_MAX);
        assert!(run.is_pending(6_001));
        assert_eq!(run.missing(&[6_001]), []);
    }
}
