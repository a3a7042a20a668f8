//! Snapshots become batches in the spool.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use profiler_proto::v1;
use profiler_query::answer::{NameStacks, NamedStack};
use profiler_stream::{
    define::Dictionary,
    encode::{Encoder, part, stack_number},
    spool,
};

use super::{events::Events, now::Now, report::Report};
use crate::{
    ids::{BootTime, StackId},
    profile::Snapshot,
};

/// Once in this time a batch is whole, or once in so many, whichever comes first.
const WHOLE_EVERY: Duration = Duration::from_secs(60);
const WHOLE_OF: u32 = 6;
/// Stacks that are named at once. Those who ask something meanwhile are served in between.
const NAMED_AT_ONCE: usize = 2_000;

/// Writes the snapshots of this run.
pub(super) struct Writer {
    spool: spool::Writer,
    names: Arc<dyn NameStacks>,
    now: Now,
    report: Arc<Report>,
    encoder: Encoder,
    events: Events,
    /// Of the file that is being written.
    dictionary: Dictionary,
    interval: Duration,
    /// The moment of the last whole batch; none: the next one has to be.
    last_whole: Option<BootTime>,
}

impl Writer {
    pub(super) fn new(
        spool: spool::Writer,
        names: Arc<dyn NameStacks>,
        now: Now,
        report: Arc<Report>,
        interval: Duration,
    ) -> Self {
        Self {
            spool,
            names,
            now,
            report,
            encoder: Encoder::new(),
            events: Events::default(),
            dictionary: Dictionary::new(),
            interval,
            last_whole: None,
        }
    }

    pub(super) fn write(&mut self, snapshot: &Snapshot) {
        if self.spool.begins_file() {
            self.begin_file();
        }
        if !self.define(snapshot) {
            self.spool.end_file();
            self.begin_file();
            // A dictionary that is new takes more stacks than a snapshot can have.
            self.define(snapshot);
        }
        let whole = is_whole(self.last_whole, snapshot.time, self.interval);
        let mut parts = match whole {
            true => self.now.parts(snapshot),
            false => Vec::new(),
        };
        let new = self.now.verdicts.events_after(self.events.last());
        let events = self.events.next(new, whole);
        parts.extend(events.map(|events| part(v1::PartKind::Events, &events)));
        let wall = self.now.clock.read().to_wall(snapshot.time);
        let batch = self.encoder.batch(snapshot, wall, whole, parts);
        // One that is dropped is counted by the spool, and the next one begins a file.
        let kept = self.spool.append_batch(&batch);
        self.last_whole = match kept {
            Err(_) => None,
            Ok(()) if whole => Some(snapshot.time),
            Ok(()) => self.last_whole,
        };
        self.report.look();
    }

    fn begin_file(&mut self) {
        self.dictionary = Dictionary::new();
        self.last_whole = None;
    }

    /// Names the stacks of a snapshot that the file does not know: all of them, since a batch must
    /// not refer to one that is not defined. When this takes too long, the snapshots that come
    /// meanwhile are dropped and counted.
    ///
    /// Returns `false` when another file has to begin, for want of room.
    fn define(&mut self, snapshot: &Snapshot) -> bool {
        let stacks = snapshot
            .rows
            .iter()
            .filter_map(|(key, _)| key.owner.stack());
        let unknown = stacks.filter(|stack| !self.dictionary.knows(stack_number(*stack)));
        let unknown: BTreeSet<StackId> = unknown.collect();
        let unknown: Vec<StackId> = unknown.into_iter().collect();
        for stacks in unknown.chunks(NAMED_AT_ONCE) {
            let named = self.names.name(stacks);
            for (stack, named) in stacks.iter().zip(named) {
                if !self.define_stack(stack_number(*stack), named) {
                    return false;
                }
            }
        }
        while let Some(definitions) = self.dictionary.take() {
            self.spool.append_definitions(definitions);
        }
        true
    }

    fn define_stack(&mut self, number: u64, named: Option<NamedStack>) -> bool {
        let is_first = self.last_whole.is_none();
        let has_name = named.is_some();
        let NamedStack { frames, truncated } = named.unwrap_or(NamedStack {
            frames: Vec::new(),
            truncated: true,
        });
        let is_defined = self.dictionary.define(number, &frames, truncated);
        if is_defined && has_name {
            return true;
        }
        if is_defined || (is_first && self.dictionary.define(number, &[], true)) {
            self.report.count_unnamed();
            return true;
        }
        false
    }
}

/// Whether the batch of this moment is whole. Snapshots come a little early or late: the one that is
/// nearest to when one is due is.
fn is_whole(last: Option<BootTime>, now: BootTime, interval: Duration) -> bool {
    last.is_none_or(|last| {
        let since = Duration::from_nanos(now.0.saturating_sub(last.0));
        let every = WHOLE_EVERY.min(interval * WHOLE_OF);
        interval >= every || since + interval / 4 >= every
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of whole batches among those that come so many milliseconds after another.
    fn whole(interval: Duration, milliseconds: u64) -> Vec<u64> {
        let mut last = None;
        let places = (0..10).filter(|place| {
            let now = BootTime(place * milliseconds * 1_000_000);
            let is_whole = is_whole(last, now, interval);
            last = if is_whole { Some(now) } else { last };
            is_whole
        });
        places.collect()
    }

    #[test]
    fn a_batch_is_whole_once_a_minute_or_once_in_six() {
        let seconds = Duration::from_secs;
        assert_eq!(whole(seconds(10), 10_000), [0, 6]);
        assert_eq!(whole(seconds(10), 9_990), [0, 6]);
        assert_eq!(whole(seconds(1), 1_000), [0, 6]);
        assert_eq!(whole(seconds(20), 20_000), [0, 3, 6, 9]);
        assert_eq!(whole(seconds(60), 59_000), (0..10).collect::<Vec<_>>());
        assert_eq!(whole(seconds(300), 300_000), (0..10).collect::<Vec<_>>());
    }
}
