//! Verdicts that change, handed on to those who watch as soon as they are durable.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use profiler_proto::v1::{self, event::Kind};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use super::events::memory;
use crate::store::{RunId, Write};

/// Changes that a watcher may be behind; then it is told so, and ended.
const BEHIND_MAX: usize = 2_048;
/// What a change may take of memory while it waits for watchers.
const CHANGE_BYTES: usize = 32 << 10;
/// Changes of one stream that are told in one second: nobody is to be too far behind for one agent.
const TOLD_MAX: usize = 256;

/// Watchers at one time.
const WATCHERS_MAX: usize = 64;

/// One change, shared by all who watch.
pub type Change = Arc<v1::VerdictChange>;

/// Where changes are told. Clones are the same.
#[derive(Clone, Debug)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    room: Arc<Semaphore>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(BEHIND_MAX),
            room: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }
}

impl Changes {
    /// What is told from now on, and a place to be held meanwhile; none if there are too many
    /// watchers.
    pub(crate) fn watch(&self) -> Option<(broadcast::Receiver<Change>, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.room).try_acquire_owned().ok()?;
        Some((self.sender.subscribe(), place))
    }

    /// What there will be to tell once these are durable, and how many changes are left out because
    /// they are more than `pace` lets or too large; nothing if nobody watches.
    pub(super) fn of(&self, writes: &[Write], pace: &mut Pace) -> (Vec<Untold>, u64) {
        let (mut untold, mut left_out) = (Vec::new(), 0);
        if self.sender.receiver_count() == 0 {
            return (untold, left_out);
        }
        let most = pace.left();
        for write in writes {
            for event in &write.events {
                let Some(Kind::VerdictChange(change)) = &event.kind else {
                    continue;
                };
                let outline = (untold.len() < most).then(|| outline(event, change));
                match outline.flatten() {
                    Some(change) => untold.push(((write.run, event.number), change)),
                    None => left_out += 1,
                }
            }
        }
        (untold, left_out)
    }

    /// Tells those that are `new`: what comes again was told before.
    pub(super) fn tell(&self, untold: Vec<Untold>, new: &[(RunId, u64)], pace: &mut Pace) {
        let new: HashSet<_> = new.iter().collect();
        for (_, change) in untold.into_iter().filter(|(key, _)| new.contains(key)) {
            pace.told += 1;
            // Who watched may have gone meanwhile.
            let _ = self.sender.send(change);
        }
    }
}

/// A change by its run and number.
pub(super) type Untold = ((RunId, u64), Change);

/// What one stream has told in the present second.
pub(super) struct Pace {
    since: Instant,
    told: usize,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            told: 0,
        }
    }

    fn left(&mut self) -> usize {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self::new();
        }
        TOLD_MAX.saturating_sub(self.told)
    }
}

/// The change, without what explains it if it is too large; none if it is still.
fn outline(event: &v1::Event, change: &v1::VerdictChange) -> Option<Change> {
    if memory(event) <= CHANGE_BYTES {
        return Some(Arc::new(change.clone()));
    }
    let mut change = change.clone();
    if let Some(verdict) = &mut change.verdict {
        verdict.gates = Vec::new();
        verdict.evidence = Vec::new();
        verdict.not_excluded = Vec::new();
        verdict.reconciliation = None;
        verdict.lineage = None;
        verdict.points = Vec::new();
    }
    (change.encoded_len() <= CHANGE_BYTES).then(|| Arc::new(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::fixtures::{at, change, run, with_events};

    fn numbered(count: u64) -> Vec<Write> {
        let events = (1..=count).map(|number| change(number, at(0)));
        vec![with_events(run(1), events.collect())]
    }

    #[test]
    fn only_what_is_new_is_told() {
        let (changes, mut pace) = (Changes::default(), Pace::new());
        let (mut watcher, _place) = changes.watch().expect("a place");
        let (untold, left_out) = changes.of(&numbered(3), &mut pace);
        assert_eq!((untold.len(), left_out), (3, 0));
        changes.tell(untold, &[(run(1), 2)], &mut pace);
        watcher.try_recv().expect("a change");
        watcher.try_recv().expect_err("no more");
    }

    #[test]
    fn one_stream_does_not_fill_the_ring() {
        let (changes, mut pace) = (Changes::default(), Pace::new());
        let (mut watcher, _place) = changes.watch().expect("a place");
        let mut told = 0;
        for _ in 0..3 {
            let (untold, left_out) = changes.of(&numbered(5_000), &mut pace);
            assert_eq!(untold.len() as u64 + left_out, 5_000);
            let new: Vec<_> = untold.iter().map(|(key, _)| *key).collect();
            told += new.len();
            changes.tell(untold, &new, &mut pace);
        }
        // The test can last longer than a second.
        assert!((TOLD_MAX..BEHIND_MAX).contains(&told), "{told}");
        watcher.try_recv().expect("not too far behind");
    }

    #[test]
    fn a_large_change_is_told_without_what_explains_it() {
        let (changes, mut pace) = (Changes::default(), Pace::new());
        let (_watcher, _place) = changes.watch().expect("a place");
        let mut writes = numbered(2);
        for (event, size) in writes[0].events.iter_mut().zip([1, 100_000]) {
            let Some(Kind::VerdictChange(change)) = &mut event.kind else {
                panic!("a change");
            };
            let verdict = change.verdict.as_mut().expect("a verdict");
            verdict.evidence = vec![v1::Evidence::default(); 1_000];
            verdict.health_reason = "x".repeat(size);
        }
        let (untold, left_out) = changes.of(&writes, &mut pace);
        assert_eq!((untold.len(), left_out), (1, 1));
        let verdict = untold[0].1.verdict.as_ref().expect("a verdict");
        assert_eq!(
            (verdict.evidence.len(), verdict.health_reason.len()),
            (0, 1)
        );
    }
}
