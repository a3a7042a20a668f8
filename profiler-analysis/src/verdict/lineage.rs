//! Lives of the same thing, one after the other: what they tell of the next.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::gates::gate;
use super::series::AGE;
use super::stats::median;
use super::{Gate, GateOutcome, Judgement, LifeEnd, Series, State};

/// Lives in a row that have to end while they grow.
const LIVES: usize = 3;
/// Lives that are looked at for how the thing usually goes; those that must have ended well, one
/// after the other, for their peaks to be usual.
const RECENT: usize = 8;
const WELL: usize = 2;
/// Share of the way to the limit that a life's growth has to cover, and of the height it began at and
/// bytes, beyond what is just noise.
const RISEN: f64 = 0.1;
const NOISE: f64 = 0.02;
const NOISE_BYTES: f64 = 2.0 * 1024.0 * 1024.0;
/// A life that ends no longer after the next began than this share of its age, or one shortest window,
/// is the one before it: a rollout starts the next first, and an end is seen late.
const SIDE_BY_SIDE: f64 = 0.1;
/// Lives that must have warmed up to say how long that takes; by how much longer is waited; the least
/// and the most that is learned, in shortest windows.
const LEARNED: usize = 3;
const LONGER: f64 = 1.2;
const LEAST: f64 = AGE / 2.0;
const MOST: f64 = 24.0 * 60.0;
/// A life that is this many times as old as those before it became is judged by itself.
const OUTLIVED: f64 = 2.0;

/// A life that begins, or is seen for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeStart {
    /// What makes it the same thing as lives before it: image and workload, or executable and unit.
    pub lineage: String,
    /// When it began, in nanoseconds; may be long before the first reading.
    pub began: u64,
    /// For people: the container's id, for example.
    pub label: String,
}

/// A life that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastLife {
    /// As it was given.
    pub start: LifeStart,
    /// When it ended.
    pub ended: u64,
    /// How.
    pub end: LifeEnd,
    /// Anonymous bytes after the first window (or at the first reading), at most, and at the end.
    pub first: u64,
    /// At most.
    pub peak: u64,
    /// At the end.
    pub last: u64,
    /// The limit; 0: none.
    pub limit: u64,
    /// Slope of the line through its floors, in bytes per hour.
    pub slope: f64,
}

/// Lives of the same thing, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// Oldest first, as many as are kept.
    pub lives: Vec<PastLife>,
    /// All that have ended.
    pub ended: u32,
    /// Of those, by an OOM kill.
    pub oom_kills: u32,
}

/// What is remembered of a life beside what is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lived {
    /// In shortest windows.
    age: f64,
    /// Its growth went on to its end.
    grew: bool,
    /// It was told as a leak.
    leaked: bool,
    /// How long it took until it was at its height, in shortest windows; none if it grew to its end.
    warm_up: Option<f64>,
}

impl Lived {
    /// Of a life that ends now, and was told as `state`.
    pub(super) fn of(series: &Series, judgement: &Judgement, state: State, end: LifeEnd) -> Self {
        // What it was said to be for those before it alone is nothing that it did itself.
        let leaked = match state {
            State::RestartMaskedLeak => rose(series),
            state => state.is_leak(),
        };
        let grew = leaked || grew(series, judgement, end);
        let age = series.age();
        Self {
            age,
            grew,
            leaked,
            warm_up: (!grew && age >= AGE).then(|| warm_up(series)),
        }
    }

    /// Whether there is nothing to learn from it.
    fn says_nothing(&self, end: LifeEnd) -> bool {
        self.age < 1.0 && !self.grew && end == LifeEnd::Ended
    }

    fn is_sound(&self) -> bool {
        self.age.is_finite() && self.warm_up.is_none_or(f64::is_finite)
    }
}

/// Whether a life grew until it ended: by its gates where there are windows enough, else, if it was
/// killed for want of memory, by its readings alone, for a life of minutes leaves no more.
fn grew(series: &Series, judgement: &Judgement, end: LifeEnd) -> bool {
    if judgement.outcome("trend") == Some(GateOutcome::NotJudged) {
        return end == LifeEnd::OomKilled && rose(series);
    }
    ["trend", "persistence", "not_one_step", "size", "load"]
        .iter()
        .all(|name| judgement.outcome(name) == Some(GateOutcome::Passed))
}

/// Whether its readings rose by more than noise, and by a share of what was left to the limit. Only
/// what was read counts: how far away the limit was says nothing of growth.
fn rose(series: &Series) -> bool {
    let (settled, peak) = (series.settled() as f64, series.peak() as f64);
    let limit = series.last().limit.unwrap_or(0) as f64;
    let noise = NOISE_BYTES.max(settled * NOISE);
    peak - settled >= noise.max((limit - settled) * RISEN)
}

/// Until its floors had come nine tenths of the way to what they were in its last quarter.
fn warm_up(series: &Series) -> f64 {
    let points = series.points();
    let length = series.pyramid().length(0) as f64;
    let late = &points[points.len() * 3 / 4..];
    let height = median(late.iter().map(|point| point.min as f64));
    let start = series.settled() as f64;
    let enough = start + (height - start) * 0.9;
    let there = points.iter().find(|point| point.min as f64 >= enough);
    there.map_or(0.0, |point| {
        point.time.saturating_sub(series.began()) as f64 / length
    })
}

/// A lineage with what is remembered beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Remembered {
    lineage: Lineage,
    lived: VecDeque<Lived>,
    touched: u64,
}

/// All lineages of which a life has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lineages {
    by_name: BTreeMap<String, Remembered>,
    dropped: u64,
}

impl Lineages {
    /// Takes in a life that is over. One that is shorter than a window and did not grow says nothing,
    /// and is only counted where its lineage is known.
    pub(super) fn remember(&mut self, life: PastLife, lived: Lived, lineages: usize, lives: usize) {
        let name = &life.start.lineage;
        let says_nothing = lived.says_nothing(life.end);
        if !self.by_name.contains_key(name) {
            if says_nothing {
                return;
            }
            if self.by_name.len() >= lineages {
                self.drop_least();
            }
        }
        let remembered = self.by_name.entry(name.clone()).or_default();
        remembered.touched = remembered.touched.max(life.ended);
        let lineage = &mut remembered.lineage;
        lineage.ended = lineage.ended.saturating_add(1);
        lineage.oom_kills = lineage
            .oom_kills
            .saturating_add(u32::from(life.end == LifeEnd::OomKilled));
        if !says_nothing {
            lineage.lives.push(life);
            remembered.lived.push_back(lived);
            remembered.shorten(lives);
        }
    }

    /// Those with a single short life go first: names are made at will, lives that last or come back
    /// are not. Among equals goes the one of which no life has ended for the longest time.
    fn drop_least(&mut self) {
        let least = self
            .by_name
            .iter()
            .min_by_key(|(_, remembered)| (!remembered.is_passing(), remembered.touched));
        if let Some(name) = least.map(|(name, _)| name.clone()) {
            self.forget(&name);
        }
    }

    pub(super) fn forget(&mut self, name: &str) {
        let dropped = self.by_name.remove(name).is_some();
        self.dropped = self.dropped.saturating_add(u64::from(dropped));
    }

    /// How old a life must be, by how long lives before it took to warm up; in shortest windows.
    pub(super) fn warm_up(&self, name: &str) -> f64 {
        let lived = self.by_name.get(name).map(|remembered| &remembered.lived);
        let known: Vec<f64> = lived
            .into_iter()
            .flatten()
            .filter_map(|life| life.warm_up)
            .collect();
        if known.len() < LEARNED {
            return AGE;
        }
        (median(known) * LONGER).clamp(LEAST, MOST)
    }

    /// Whether lives end while they grow, one after the other; none where no life has ended. Three
    /// that were killed for want of memory are enough, and one that had been told as a leak; where
    /// they end otherwise (a deploy, a schedule) the present one has to grow too, by more than its
    /// load explains. Lives beside each other are not one after the other.
    pub(super) fn masked(&self, name: &str, present: &Series, own: &Judgement) -> Option<Gate> {
        let remembered = self.by_name.get(name)?;
        let window = present.pyramid().length(0);
        let before = remembered.before(present.began(), window);
        let growing = before.take_while(|(_, lived)| lived.grew);
        let grows = own.state.is_leak()
            || own.state == State::Growing && own.outcome("load") != Some(GateOutcome::Failed);
        let (mut killed, mut all, mut oldest, mut sure) = (0, 0, 0.0_f64, false);
        for (life, lived) in growing {
            let by_oom = life.end == LifeEnd::OomKilled;
            killed += usize::from(by_oom);
            sure |= by_oom && lived.leaked;
            all += 1;
            oldest = oldest.max(lived.age);
        }
        let outlived = !grows && present.age() > oldest * OUTLIVED;
        let ended = all >= LIVES && grows && !remembered.settles();
        let passed = !outlived && (sure || killed >= LIVES || ended);
        let meaning = if passed {
            format!(
                "the last {all} lives grew until they ended, {killed} of them killed for want of memory"
            )
        } else if outlived {
            "it has outlived the lives before it and does not grow".to_owned()
        } else {
            format!("of the lives before it, the last {all} grew until they ended")
        };
        Some(Gate {
            name: "lineage".to_owned(),
            outcome: if passed {
                GateOutcome::Passed
            } else {
                GateOutcome::Failed
            },
            figure: all as f64,
            threshold: LIVES as f64,
            unit: "lives".to_owned(),
            meaning,
        })
    }

    /// Whether lives before it came as high and ended well: what grows to there is no leak yet.
    pub(super) fn usual(&self, name: &str, present: &Series) -> Gate {
        let recent = self.by_name.get(name).into_iter();
        let recent = recent.flat_map(Remembered::recent);
        // Who restarts what was told to leak has not made it well.
        let well: Vec<f64> = recent
            .take_while(|(life, lived)| life.end == LifeEnd::Ended && !lived.leaked)
            .map(|(life, _)| life.peak as f64)
            .collect();
        let peak = if well.len() >= WELL {
            median(well)
        } else {
            0.0
        };
        let top = present.last().bytes as f64;
        let passed = top > peak;
        let meaning = if passed {
            "lives before it did not come as high and end well"
        } else {
            "lives before it came as high and ended well"
        };
        gate("usual", passed, top, peak, "bytes", meaning.to_owned())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Lineage> {
        self.by_name.get(name).map(|remembered| &remembered.lineage)
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Drops what lives cannot have made, and what is beyond bounds.
    pub(super) fn keep_sound(&mut self, lineages: usize, lives: usize) {
        self.by_name.retain(|_, remembered| remembered.is_sound());
        while self.by_name.len() > lineages {
            self.drop_least();
        }
        for remembered in self.by_name.values_mut() {
            remembered.shorten(lives);
        }
    }
}

impl Remembered {
    /// Lives that were over when the next began, latest first, back from a life that began at `began`:
    /// of those that ran side by side, one. `window` is the shortest, in nanoseconds.
    fn before(&self, mut began: u64, window: u64) -> impl Iterator<Item = (&PastLife, &Lived)> {
        let lives = self.lineage.lives.iter().rev().zip(self.lived.iter().rev());
        lives.filter(move |(life, _)| {
            let age = life.ended.saturating_sub(life.start.began);
            let late = window.max((age as f64 * SIDE_BY_SIDE) as u64);
            let is_before = life.start.began < began && life.ended <= began.saturating_add(late);
            if is_before {
                began = life.start.began;
            }
            is_before
        })
    }

    /// The last lives, latest first.
    fn recent(&self) -> impl Iterator<Item = (&PastLife, &Lived)> {
        let lives = self.lineage.lives.iter().rev().zip(self.lived.iter().rev());
        lives.take(RECENT)
    }

    /// Whether there is a life among the last that came to rest before it ended by itself.
    fn settles(&self) -> bool {
        self.recent()
            .any(|(life, lived)| life.end == LifeEnd::Ended && lived.warm_up.is_some())
    }

    /// Whether a single life that was too short to be judged is all of it.
    fn is_passing(&self) -> bool {
        let short = self.lived.iter().all(|lived| lived.age < AGE);
        self.lineage.ended <= 1 && short
    }

    fn shorten(&mut self, lives: usize) {
        let over = self.lineage.lives.len().saturating_sub(lives);
        self.lineage.lives.drain(..over);
        self.lived.drain(..over.min(self.lived.len()));
    }

    fn is_sound(&self) -> bool {
        let lives = &self.lineage.lives;
        lives.len() == self.lived.len()
            && lives.iter().all(|life| life.slope.is_finite())
            && self.lived.iter().all(Lived::is_sound)
    }
}
