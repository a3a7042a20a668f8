//! What each round says of states and of health, and what of it has changed.

use std::collections::BTreeSet;

use profiler_proto::v1;
use profiler_query::answer::Clocks;

use super::{book::Book, forecast::Forecasted, key::Key, shared::lock, words, worker::Worker};
use crate::{
    health::{Growth, HealthReading},
    ids::BootTime,
};

impl Worker {
    /// Returns what has changed its state or its health.
    pub(super) fn judge(
        &self,
        book: &mut Book,
        time: u64,
        clocks: Clocks,
    ) -> Vec<v1::VerdictChange> {
        let states: BTreeSet<Key> = book.engine.judge(time).into_iter().collect();
        let mut changed = states.clone();
        self.look_after_health(book, time, clocks.now, &mut changed);
        let change = |key: &Key| {
            let verdict = book.verdict(key, clocks)?;
            let before = book.engine.verdict(key)?.before;
            Some(v1::VerdictChange {
                time: verdict.time,
                from: match states.contains(key) {
                    true => words::state(before).into(),
                    false => verdict.state,
                },
                verdict: Some(verdict),
            })
        };
        changed.iter().filter_map(change).collect()
    }

    fn look_after_health(
        &self,
        book: &mut Book,
        time: u64,
        now: BootTime,
        changed: &mut BTreeSet<Key>,
    ) {
        let mut probes = lock(&self.shared.probes);
        let Book {
            entries, engine, ..
        } = book;
        for (key, entry) in entries.iter_mut() {
            let Some(verdict) = engine.verdict(key) else {
                continue;
            };
            if entry.time == time {
                let judgement = &verdict.judgement;
                let read = entry.reading();
                entry.forecast = Forecasted::after(entry.forecast, judgement, read);
                let reading = HealthReading {
                    time: now.0,
                    state: judgement.state,
                    growth: Growth::of(judgement),
                    bytes: read.bytes,
                    limit: read.limit,
                    limit_alone: entry.figures.limit.as_ref().map(|limit| limit.alone),
                    time_to_limit_seconds: entry.forecast().map(|forecast| forecast.seconds),
                };
                probes.observe(key, &entry.group.container, reading);
            }
            let health = probes.health(key, now);
            // Also since what is too old says nothing any more.
            if health.healthy != entry.healthy {
                changed.insert(key.clone());
            }
            entry.healthy = health.healthy;
            entry.health_reason = health.reason;
        }
    }
}
