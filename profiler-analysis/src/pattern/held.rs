//! What a connection holds from one call to the next.

use super::{Evidence, Point};

/// A closed connection that did not demand again in so many calls had kept what it had.
const QUIET_CALLS: u64 = 8;
/// The same in mean distances between its demands: longer by chance once in 50 times.
const QUIET_GAPS: u64 = 4;

/// The highest level that stayed, over calls: a staircase that only rises.
#[derive(Debug)]
pub(super) struct Held {
    /// Calls by then, and the level from there on, bytes.
    steps: Vec<(f64, f64)>,
}

impl Held {
    /// What stays after a demand is what is there right before the next: `live` then, less what
    /// that demand added. After the last it is what is there now or was at close. Of several
    /// demands of one call the last counts: what goes before the call is over is scratch.
    pub(super) fn of(evidence: &Evidence) -> Self {
        let mut curve = evidence.curve.clone();
        curve.sort_by_key(|point| point.calls);
        let after = curve.iter().skip(1).map(Some).chain([None]);
        let mut steps = Vec::new();
        let mut highest = 0;
        for (point, next) in curve.iter().zip(after) {
            let stays = match next {
                Some(next) if next.calls == point.calls => continue,
                Some(next) => before(point, next),
                None => at_end(evidence, point, curve.len() as u64),
            };
            if stays > highest {
                highest = stays;
                let calls = point.calls.min(evidence.calls);
                steps.push((calls as f64, stays as f64));
            }
        }
        Self { steps }
    }

    /// The level after `calls`.
    pub(super) fn at(&self, calls: f64) -> f64 {
        let passed = self.steps.partition_point(|step| step.0 <= calls);
        passed.checked_sub(1).map_or(0.0, |last| self.steps[last].1)
    }

    /// The highest level of all.
    pub(super) fn most(&self) -> f64 {
        self.steps.last().map_or(0.0, |last| last.1)
    }

    /// Each rise: calls by then, and bytes.
    pub(super) fn rises(&self) -> impl Iterator<Item = (f64, f64)> {
        let levels = self.steps.iter().map(|step| step.1);
        let before = std::iter::once(0.0).chain(levels);
        let pairs = self.steps.iter().zip(before);
        pairs.map(|(step, before)| (step.0, step.1 - before))
    }
}

fn before(point: &Point, next: &Point) -> u64 {
    let added = next.allocated.saturating_sub(point.allocated);
    next.live.saturating_sub(added).min(point.live)
}

/// Many programs free a connection's memory right before they close it, so that little is there at
/// close. Calls without a new demand tell that it was there until then.
fn at_end(evidence: &Evidence, last: &Point, demands: u64) -> u64 {
    if evidence.closed.is_none() {
        return evidence.live;
    }
    let quiet = evidence.calls.saturating_sub(last.calls);
    let gaps = (last.calls / demands).max(1).saturating_mul(QUIET_GAPS);
    if quiet >= QUIET_CALLS.max(gaps) {
        return last.live.max(evidence.live_at_close);
    }
    evidence.live_at_close
}
