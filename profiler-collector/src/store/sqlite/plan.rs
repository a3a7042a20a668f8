//! Which batches of a run retention takes. Pure.
//!
//! A chain is a whole batch and the differences up to the next one. It is kept with all its
//! differences as long as one of them is young; then its whole batch stands for it, as long as it is
//! the last one of its step.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::store::{Retention, WallTime};

/// Steps, in nanoseconds; they are counted from 1970.
const MINUTE: i64 = 60 * 1_000_000_000;
const QUARTER: i64 = 15 * MINUTE;
const COARSE: i64 = 180 * MINUTE;

/// A batch of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) time: WallTime,
    pub(super) whole: bool,
}

/// Batches to take, each in the order of their sequence.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Doomed {
    pub(super) expired: Vec<i64>,
    pub(super) thinned: Vec<i64>,
}

/// What to take of a run whose batches these are, in the order of their sequence.
pub(super) fn plan(entries: &[Entry], retention: &Retention, now: WallTime) -> Doomed {
    let ages = Ages::new(retention, now);
    let last = last_of_steps(entries, &ages);
    let mut doomed = Doomed::default();
    for chain in entries.chunk_by(|_, next| !next.whole) {
        let young = chain.iter().any(|entry| ages.step(entry.time).is_none());
        let expired = chain.iter().all(|entry| entry.time.0 < ages.coarse);
        let ids = chain.iter().map(|entry| entry.id);
        if expired {
            doomed.expired.extend(ids);
        } else if !young {
            doomed.thinned.extend(ids.filter(|id| !last.contains(id)));
        }
    }
    doomed
}

/// The last whole batch of each step.
fn last_of_steps(entries: &[Entry], ages: &Ages) -> HashSet<i64> {
    let mut last: HashMap<(i64, i64), Entry> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.whole) {
        let Some(step) = ages.step(entry.time) else {
            continue;
        };
        let kept = last
            .entry((step, entry.time.0.div_euclid(step)))
            .or_insert(*entry);
        if entry.time >= kept.time {
            *kept = *entry;
        }
    }
    last.into_values().map(|entry| entry.id).collect()
}

/// The moments before which batches are of a tier.
struct Ages {
    full: i64,
    minutes: i64,
    quarters: i64,
    coarse: i64,
}

impl Ages {
    fn new(retention: &Retention, now: WallTime) -> Self {
        let before = |age: Duration| {
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            now.0.saturating_sub(age)
        };
        Self {
            full: before(retention.full),
            minutes: before(retention.minutes),
            quarters: before(retention.quarters),
            coarse: before(retention.coarse),
        }
    }

    /// The length of the step of which one batch is kept at this time; `None`: all are kept. A step
    /// comes into a tier as a whole, when its end is old enough.
    fn step(&self, time: WallTime) -> Option<i64> {
        [
            (COARSE, self.quarters),
            (QUARTER, self.minutes),
            (MINUTE, self.full),
        ]
        .into_iter()
        .find(|(step, before)| {
            time.0
                .div_euclid(*step)
                .saturating_add(1)
                .saturating_mul(*step)
                <= *before
        })
        .map(|(step, _)| step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// Steps of up to five minutes from one batch to the next; every so often a node was away for
    /// hours.
    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let step = prop_oneof![8 => 1_i64..60, 3 => 60_i64..300, 1 => 3_600_i64..20_000];
        let one = (step, proptest::bool::weighted(0.2));
        vec(one, 1..400).prop_map(|steps| {
            let mut time = 0;
            let made = steps.into_iter().zip(1..).map(|((step, whole), id)| {
                time += step * SECOND;
                let time = WallTime(time);
                Entry { id, time, whole }
            });
            made.collect()
        })
    }

    fn kept(entries: &[Entry], retention: &Retention, now: WallTime) -> Vec<Entry> {
        let Doomed { expired, thinned } = plan(entries, retention, now);
        let stays = |entry: &&Entry| !expired.contains(&entry.id) && !thinned.contains(&entry.id);
        entries.iter().filter(stays).copied().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_kept_can_be_read_as_before(entries in entries(), later in 0_i64..2_000_000) {
            let retention = Retention::default();
            let last = entries[entries.len() - 1];
            let now = WallTime(last.time.0 + later * SECOND);
            let kept = kept(&entries, &retention, now);
            // A difference is kept with all that comes before it in its chain.
            for entry in kept.iter().filter(|entry| !entry.whole) {
                let before = entries.iter().find(|before| before.id + 1 == entry.id);
                if let Some(before) = before {
                    prop_assert!(kept.iter().any(|kept| kept.id == before.id));
                }
            }
            let young = now.0 - i64::try_from(retention.full.as_nanos()).expect("hours");
            let all_young = entries.iter().filter(|entry| entry.time.0 > young);
            let kept_young = kept.iter().filter(|entry| entry.time.0 > young);
            prop_assert_eq!(all_young.count(), kept_young.count());
        }

        #[test]
        fn rounds_in_between_change_nothing(entries in entries(), rounds in vec(0_i64..300_000, 1..6)) {
            let retention = Retention::default();
            let last = entries[entries.len() - 1];
            let mut now = last.time;
            let mut step_by_step = entries.clone();
            for wait in rounds {
                now.0 += wait * SECOND;
                step_by_step = kept(&step_by_step, &retention, now);
            }
            let at_once = kept(&entries, &retention, now);
            let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&step_by_step), ids(&at_once));
        }
    }
}
