//! Keeps the store within its retention, by a clock that it does not trust blindly: what has gone
//! by a wrong one does not come back.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    clock,
    store::{Retained, Retention, Store, StoreError, WallTime},
};

/// From one round to the next.
const ROUND: Duration = Duration::from_secs(60);

/// A clock may be further ahead than expected by this, and by no more than half of what is kept.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);

/// A clock that was further ahead is not believed for this time, whatever batches say.
const DOUBT: Duration = Duration::from_secs(3600);

/// What went since the collector's start.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Retained>);

impl Kept {
    /// The sums.
    pub fn totals(&self) -> Retained {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, round: Retained) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.thinned += round.thinned;
        sum.expired += round.expired;
        sum.evicted += round.evicted;
        sum.definitions += round.definitions;
        sum.events += round.events;
    }
}

/// Takes out what is too old or too much, round by round, until it is dropped.
pub async fn keep(store: Arc<dyn Store>, retention: Retention, kept: Arc<Kept>) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut belief = Belief::new(&retention);
    loop {
        rounds.tick().await;
        match round(&*store, &retention, &mut belief).await {
            Ok(round) => {
                if round.evicted > 0 {
                    tracing::warn!(
                        batches = round.evicted,
                        "the store is full: the oldest batches went before their time; raise \
                         store_bytes or lower keep"
                    );
                }
                kept.add(round);
            }
            Err(error) => tracing::error!(%error, "old batches could not be taken out"),
        }
    }
}

async fn round(
    store: &dyn Store,
    retention: &Retention,
    belief: &mut Belief,
) -> Result<Retained, StoreError> {
    let newest = store.status().await?.newest;
    let (now, at) = (clock::now(), Instant::now());
    store
        .retain(retention, belief.moment(now, at, newest))
        .await
}

/// What time it is for retention: that of the clock, unless it jumped ahead of itself and of all
/// batches. Then time goes on from the last moment that was believed, or stands still at the newest
/// batch.
struct Belief {
    slack: Duration,
    /// A moment that was believed, and when that was.
    believed: Option<(WallTime, Instant)>,
    /// Since when the clock is doubted, and the moment to go on from.
    doubt: Option<(WallTime, Instant)>,
}

impl Belief {
    fn new(retention: &Retention) -> Self {
        Self {
            slack: AHEAD_MAX.min(retention.coarse / 2),
            believed: None,
            doubt: None,
        }
    }

    fn moment(&mut self, now: WallTime, at: Instant, newest: Option<WallTime>) -> WallTime {
        let expected = self.believed.map(|(time, then)| later(time, at - then));
        let known = expected.max(newest);
        let jumped = known.is_some_and(|known| now > later(known, self.slack));
        if let Some(known) = known.filter(|_| jumped && self.doubt.is_none()) {
            tracing::error!(
                ahead_seconds = (now.0 - known.0) / 1_000_000_000,
                "the clock of this host is far ahead of the newest batch: nothing goes by it for an \
                 hour, and until agents send batches of that time; is it right?"
            );
            self.doubt = Some((known, at));
        }
        match self.doubt {
            Some((known, since)) if jumped || at - since < DOUBT => {
                now.min(later(known, at - since))
            }
            _ => {
                self.doubt = None;
                self.believed = Some((now, at));
                now
            }
        }
    }
}

fn later(time: WallTime, by: Duration) -> WallTime {
    let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    WallTime(time.0.saturating_add(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    const NOW: WallTime = WallTime(1_800_000_000_000_000_000);

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let mut belief = Belief::new(&Retention::default());
        let begin = Instant::now();
        for minute in 0..10 {
            let now = later(NOW, MINUTE * minute);
            assert_eq!(belief.moment(now, begin + MINUTE * minute, Some(NOW)), now);
        }
        let mut belief = Belief::new(&Retention::default());
        assert_eq!(belief.moment(NOW, begin, None), NOW, "an empty store");
    }

    #[test]
    fn a_clock_that_jumps_ahead_makes_nothing_go() {
        let mut belief = Belief::new(&Retention::default());
        let begin = Instant::now();
        belief.moment(NOW, begin, Some(NOW));
        let wrong = later(NOW, YEAR);
        for minute in 1..=200 {
            let after = MINUTE * minute;
            let moment = belief.moment(later(wrong, after), begin + after, Some(NOW));
            assert_eq!(moment, later(NOW, after));
        }
        let right = later(NOW, MINUTE * 201);
        assert_eq!(belief.moment(right, begin + MINUTE * 201, Some(NOW)), right);
    }

    #[test]
    fn a_clock_that_starts_ahead_is_believed_when_batches_agree_for_an_hour() {
        let mut belief = Belief::new(&Retention::default());
        let begin = Instant::now();
        let ahead = later(NOW, YEAR);
        assert_eq!(belief.moment(ahead, begin, Some(NOW)), NOW);
        for minute in 1..60 {
            let (now, at) = (later(ahead, MINUTE * minute), begin + MINUTE * minute);
            assert!(belief.moment(now, at, Some(now)) <= later(NOW, MINUTE * minute));
        }
        let (now, at) = (later(ahead, MINUTE * 60), begin + MINUTE * 60);
        assert_eq!(belief.moment(now, at, Some(now)), now);
    }
}
