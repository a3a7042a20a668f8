//! How often a process's mappings are read, and files that could not be opened tried again.

use std::time::{Duration, Instant};

/// Shortest time between two reads of a process's mappings, in the long run …
const REFRESH_MIN: Duration = Duration::from_millis(200);
/// … of which so many may come at once, as when a program loads its libraries.
const REFRESH_BURST: u32 = 16;
/// Reading mappings takes at most this part of the time: one in so many.
const REFRESH_SHARE: u32 = 20;
/// A file that could not be opened is tried again after so long, then after twice that …
const RETRY_MIN: Duration = Duration::from_secs(10);
/// … and so on, up to this.
const RETRY_MAX: Duration = Duration::from_secs(640);

/// How often the mappings may be read.
#[derive(Debug)]
pub(super) struct Refreshes {
    left: u32,
    /// When the last one was earned.
    earned: Option<Instant>,
    interval: Duration,
}

impl Default for Refreshes {
    fn default() -> Self {
        Self {
            left: REFRESH_BURST,
            earned: None,
            interval: REFRESH_MIN,
        }
    }
}

impl Refreshes {
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let earned = *self.earned.get_or_insert(now);
        let since = now.saturating_duration_since(earned);
        let more = since.as_nanos() / self.interval.as_nanos().max(1);
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(REFRESH_BURST);
            self.earned = Some(now);
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }

    /// One took so long: the more, the rarer they are.
    pub(super) fn cost(&mut self, time: Duration) {
        self.interval = time.saturating_mul(REFRESH_SHARE).max(REFRESH_MIN);
    }
}

/// When files that could not be opened are tried again.
#[derive(Debug)]
pub(super) struct Retries {
    next: Option<Instant>,
    interval: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            next: None,
            interval: RETRY_MIN,
        }
    }
}

impl Retries {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// There is something to try again, or not.
    pub(super) fn plan(&mut self, wanted: bool, now: Instant) {
        if !wanted {
            *self = Self::default();
        } else if self.next.is_none() {
            self.next = Some(now + self.interval);
        }
    }

    /// All were tried.
    pub(super) fn tried(&mut self) {
        self.next = None;
        self.interval = self.interval.saturating_mul(2).min(RETRY_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refreshes_come_in_a_burst_and_then_one_by_one() {
        let start = Instant::now();
        let mut refreshes = Refreshes::default();
        let allowed = (0..100).filter(|_| refreshes.take(start)).count();
        assert_eq!(allowed, REFRESH_BURST as usize);
        let later = start + REFRESH_MIN;
        assert!(refreshes.take(later) && !refreshes.take(later));
        refreshes.cost(Duration::from_secs(1));
        assert!(!refreshes.take(later + Duration::from_secs(19)));
        assert!(refreshes.take(later + Duration::from_secs(20)));
    }

    #[test]
    fn retries_become_rarer_and_end_when_nothing_is_left() {
        let mut now = Instant::now();
        let mut retries = Retries::default();
        assert!(!retries.is_due(now));
        for step in [10, 20, 40, 80, 160, 320, 640, 640] {
            retries.plan(true, now);
            let due = now + Duration::from_secs(step);
            assert!(!retries.is_due(due - Duration::from_millis(1)) && retries.is_due(due));
            // A further file does not put it off.
            retries.plan(true, due);
            assert!(retries.is_due(due));
            retries.tried();
            now = due;
        }
        retries.plan(false, now);
        retries.plan(true, now);
        assert!(retries.is_due(now + RETRY_MIN));
    }
}
