//! All series of a host: their lives, their lineages, and false discoveries kept in bounds over all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::alive::{Alive, Verdict};
use super::discovery;
use super::lineage::{LifeStart, Lineage, Lineages, Lived, PastLife};
use super::pairs;
use super::{LifeEnd, Rules, Sample, Series};

/// Bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineLimits {
    /// Series that are alive.
    pub series: usize,
    /// Lineages, those without a life included.
    pub lineages: usize,
    /// Past lives of a lineage that are kept one by one.
    pub lives: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            series: 10_000,
            lineages: 4_096,
            lives: 32,
        }
    }
}

/// How the engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStatus {
    /// Series that are alive.
    pub series: usize,
    /// Lineages.
    pub lineages: usize,
    /// Series that found no room.
    pub series_refused: u64,
    /// Lineages without a life that had to go.
    pub lineages_dropped: u64,
}

/// Series that are judged at one call at least, and the share of all beyond that: work is spread over
/// calls, since windows of all series end together.
const TURN: usize = 256;
const TURNS: usize = 4;

/// All series of a host, by a key of the caller's.
///
/// One that was read from outside goes through [`Engine::resumed`] before it is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "K: Ord + Clone + Serialize + serde::de::DeserializeOwned")]
pub struct Engine<K: Ord> {
    rules: Rules,
    limits: EngineLimits,
    #[serde(with = "pairs")]
    series: BTreeMap<K, Alive>,
    lineages: Lineages,
    /// The key after which the next turn begins.
    turn: Option<K>,
    refused: u64,
    /// Keys that found no room, each counted once.
    #[serde(skip, default = "BTreeSet::new")]
    outside: BTreeSet<K>,
}

impl<K: Ord + Clone> Engine<K> {
    /// Without any series.
    pub fn new(rules: Rules, limits: EngineLimits) -> Self {
        Self {
            rules,
            limits,
            series: BTreeMap::new(),
            lineages: Lineages::default(),
            turn: None,
            refused: 0,
            outside: BTreeSet::new(),
        }
    }

    /// One that was read from outside: without what no readings can have made, and within other
    /// limits. None if its windows are not those of `rules`.
    pub fn resumed(mut self, rules: &Rules, limits: EngineLimits) -> Option<Self> {
        if self.rules != *rules {
            return None;
        }
        self.limits = limits;
        let length = rules.nanoseconds();
        self.series.retain(|_, alive| alive.is_sound(length));
        self.series.values_mut().for_each(Alive::judge_again);
        while self.series.len() > limits.series {
            self.series.pop_last();
        }
        self.lineages.keep_sound(limits.lineages, limits.lives);
        Some(self)
    }

    /// Takes in a reading of a series. A key that is new begins a life; one whose `began` differs
    /// from before ends the life before and begins another. What it belongs to may be known better
    /// later: the last lineage counts.
    pub fn observe(&mut self, key: &K, start: &LifeStart, sample: Sample) {
        if let Some(alive) = self.series.get_mut(key) {
            if alive.start.began == start.began {
                alive.start.lineage.clone_from(&start.lineage);
                alive.series.push(sample);
                return;
            }
            self.ended(key, sample.time, LifeEnd::Ended);
        }
        if self.series.len() >= self.limits.series {
            if self.outside.len() < self.limits.series && self.outside.insert(key.clone()) {
                self.refused = self.refused.saturating_add(1);
            }
            return;
        }
        self.outside.remove(key);
        self.series
            .insert(key.clone(), Alive::new(start.clone(), sample, &self.rules));
    }

    /// A life is over. Its lineage remembers it.
    pub fn ended(&mut self, key: &K, time: u64, end: LifeEnd) {
        self.outside.remove(key);
        let Some(alive) = self.series.remove(key) else {
            return;
        };
        let judgement = alive.series.judge(&self.rules);
        let state = alive.verdict.judgement.state;
        let lived = Lived::of(&alive.series, &judgement, state, end);
        let life = PastLife {
            start: alive.start,
            ended: time,
            end,
            first: alive.series.settled(),
            peak: alive.series.peak(),
            last: alive.series.last().bytes,
            limit: alive.series.last().limit.unwrap_or(0),
            slope: judgement.slope.value,
        };
        self.lineages
            .remember(life, lived, self.limits.lineages, self.limits.lives);
    }

    /// A series ends of which nothing is to be remembered.
    pub fn forget(&mut self, key: &K) {
        self.outside.remove(key);
        self.series.remove(key);
    }

    /// Judges what has a new window since it was judged last. Returns the keys whose state has
    /// changed.
    pub fn judge(&mut self, now: u64) -> Vec<K> {
        let turn = self.next_turn();
        let mut before = Vec::with_capacity(turn.len());
        for key in turn {
            if let Some(alive) = self.series.get_mut(&key) {
                before.push((alive.look(&self.lineages, &self.rules), key));
            }
        }
        let chances = self
            .series
            .values()
            .map(|alive| alive.verdict.judgement.p_value);
        let chance = discovery::threshold(chances);
        let mut changed = Vec::new();
        for (before, key) in before {
            if let Some(alive) = self.series.get_mut(&key)
                && alive.settle(before, &self.lineages, chance, now)
            {
                changed.push(key);
            }
        }
        changed
    }

    /// Keys of a share of the series that are due, going round.
    fn next_turn(&mut self) -> Vec<K> {
        let share = TURN.max(self.series.len() / TURNS);
        let after = self.turn.take();
        let due = self
            .series
            .iter()
            .filter(|(_, alive)| alive.is_due())
            .map(|(key, _)| key.clone());
        let (mut later, sooner): (Vec<K>, Vec<K>) = due.partition(|key| after.as_ref() < Some(key));
        later.extend(sooner);
        if later.len() > share {
            later.truncate(share);
            self.turn = later.last().cloned();
        }
        later
    }

    /// What was said last.
    pub fn verdict(&self, key: &K) -> Option<&Verdict> {
        self.series.get(key).map(|alive| &alive.verdict)
    }

    /// Its readings.
    pub fn series(&self, key: &K) -> Option<&Series> {
        self.series.get(key).map(|alive| &alive.series)
    }

    /// The lives before it.
    pub fn lineage(&self, key: &K) -> Option<&Lineage> {
        self.series
            .get(key)
            .and_then(|alive| self.lineages.get(&alive.start.lineage))
    }

    /// Whether a life of this lineage is remembered.
    pub fn has_lineage(&self, name: &str) -> bool {
        self.lineages.get(name).is_some()
    }

    /// All lives of a lineage are forgotten, which counts as a loss.
    pub fn forget_lineage(&mut self, name: &str) {
        self.lineages.forget(name);
    }

    /// All keys that are alive.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.series.keys()
    }

    /// How it is.
    pub fn status(&self) -> EngineStatus {
        EngineStatus {
            series: self.series.len(),
            lineages: self.lineages.len(),
            series_refused: self.refused,
            lineages_dropped: self.lineages.dropped(),
        }
    }
}
