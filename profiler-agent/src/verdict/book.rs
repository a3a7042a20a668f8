//! Series with what was read last: what verdicts are made of when they are asked for.

use std::{collections::BTreeMap, sync::Arc};

use profiler_analysis::verdict::{Engine, EngineLimits, Forecast, LifeEnd, Rules, Sample};
use profiler_proto::v1;

use super::{
    forecast::Forecasted,
    key::Key,
    lives::{Life, Lives},
    quota::Quota,
    time::Base,
};
use crate::{
    profile::{Snapshot, TargetInfo},
    resident::{Figures, Group, Source},
};

/// What is known of one series besides its readings.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) group: Group,
    /// Its oldest process.
    pub(super) main: Arc<TargetInfo>,
    pub(super) figures: Figures,
    /// Series time.
    pub(super) time: u64,
    /// What stacks and connections say, as it was looked at last.
    pub(super) evidence: Vec<v1::Evidence>,
    pub(super) forecast: Option<Forecasted>,
    pub(super) healthy: bool,
    pub(super) health_reason: String,
}

impl Entry {
    /// The last reading.
    pub(super) fn reading(&self) -> Sample {
        Sample {
            time: self.time,
            bytes: self.figures.series_bytes(),
            limit: self.figures.limit.as_ref().map(|limit| limit.bytes),
            ..Sample::default()
        }
    }

    /// As of the last reading.
    pub(super) fn forecast(&self) -> Option<Forecast> {
        self.forecast?.at(self.reading())
    }
}

/// All series.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) base: Base,
    /// The shortest window of series, in nanoseconds.
    pub(super) window: u64,
    pub(super) engine: Engine<Key>,
    pub(super) lives: Lives,
    pub(super) quota: Quota,
    pub(super) entries: BTreeMap<Key, Entry>,
    /// Of the last moment.
    pub(super) snapshot: Arc<Snapshot>,
}

impl Book {
    pub(super) fn new(rules: Rules, base: Base) -> Self {
        Self {
            base,
            window: u64::try_from(rules.window.as_nanos()).unwrap_or(u64::MAX),
            engine: Engine::new(rules, EngineLimits::default()),
            lives: Lives::new(),
            quota: Quota::default(),
            entries: BTreeMap::new(),
            snapshot: Arc::default(),
        }
    }

    /// A kill was told as that of `victim`: counters of v2's cgroups around it count it too, and
    /// nobody has to tell it again.
    pub(super) fn tell_around(&mut self, victim: &Key) {
        let Key::Group(victim) = victim else { return };
        for (key, life) in &mut self.lives {
            let Key::Group(root) = key else { continue };
            let is_around = victim
                .strip_prefix(root.as_str())
                .is_some_and(|below| below.starts_with('/'));
            let entry = self.entries.get(key).filter(|_| is_around);
            if entry.is_some_and(|entry| entry.figures.source == Source::Cgroup2) {
                life.killed_below();
            }
        }
    }

    /// A life is over.
    pub(super) fn end(&mut self, key: &Key, life: &Life, time: u64, end: LifeEnd) {
        self.engine.ended(key, time, end);
        let lineage = &life.start.lineage;
        if let Some(owner) = &life.owner
            && self.engine.has_lineage(lineage)
            && let Some(gone) = self.quota.ended(lineage, owner, time)
        {
            self.engine.forget_lineage(&gone);
        }
    }
}
