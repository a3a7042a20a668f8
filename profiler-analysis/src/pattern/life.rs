//! One connection, with what the others of its class had left for it.

use super::Evidence;
use super::held::Held;

/// What was free is small when it is at most this share of what a connection holds.
const SMALL: f64 = 0.125;
/// What closes in the last tenth of a life comes too late to bend its curve.
const BENDS: f64 = 0.9;

/// One connection.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) opened: u64,
    /// When it closed, or the latest time known.
    pub(super) end: u64,
    pub(super) found: bool,
    pub(super) calls: f64,
    pub(super) held: Held,
    /// An allocator had next to nothing free when it opened.
    pub(super) early: bool,
    /// Nor later: what it holds is what it demanded.
    pub(super) clean: bool,
    /// Others had left memory when it opened, that an allocator could have had for it.
    pub(super) later: bool,
    /// Most of what was free when it opened can't have come from its own class.
    pub(super) foreign: bool,
}

/// The lives behind `evidence`, in its order.
pub(super) fn of(evidence: &[Evidence]) -> Vec<Life> {
    let times = evidence
        .iter()
        .flat_map(|one| [Some(one.opened), one.closed]);
    let latest = times.flatten().max().unwrap_or(0);
    let closings = Closings::of(evidence);
    evidence
        .iter()
        .map(|one| life(one, latest, &closings))
        .collect()
}

fn life(one: &Evidence, latest: u64, closings: &Closings) -> Life {
    let end = one.closed.unwrap_or(latest).max(one.opened);
    let held = Held::of(one);
    let late = one.opened + ((end - one.opened) as f64 * BENDS) as u64;
    let is_little = |free: f64| !one.found && free <= SMALL * held.most();
    let pool = one.pool as f64;
    let clean = is_little(pool + closings.left_between(one.opened, late));
    Life {
        opened: one.opened,
        end,
        found: one.found,
        calls: one.calls as f64,
        early: is_little(pool),
        clean,
        later: !one.found && !clean && one.pool > 0,
        foreign: pool > 2.0 * closings.left_by(one.opened),
        held,
    }
}

/// When connections closed, and what all had left by then.
struct Closings(Vec<(u64, f64)>);

impl Closings {
    fn of(evidence: &[Evidence]) -> Self {
        let left = |one: &Evidence| Some((one.closed?, one.live_at_close as f64));
        let mut closings: Vec<(u64, f64)> = evidence.iter().filter_map(left).collect();
        closings.sort_unstable_by_key(|closing| closing.0);
        let mut sum = 0.0;
        for closing in &mut closings {
            sum += closing.1;
            closing.1 = sum;
        }
        Self(closings)
    }

    /// Bytes that were left after `start`, before `end`.
    fn left_between(&self, start: u64, end: u64) -> f64 {
        let first = self.0.partition_point(|closing| closing.0 <= start);
        let last = self.0.partition_point(|closing| closing.0 < end);
        (self.by(last) - self.by(first)).max(0.0)
    }

    /// Bytes that were left up to `time`.
    fn left_by(&self, time: u64) -> f64 {
        self.by(self.0.partition_point(|closing| closing.0 <= time))
    }

    fn by(&self, count: usize) -> f64 {
        count.checked_sub(1).map_or(0.0, |last| self.0[last].1)
    }
}
