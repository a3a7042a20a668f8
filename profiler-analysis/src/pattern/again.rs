//! Whether later connections demanded what the early ones had.
//!
//! If close frees inside the allocator, the process grows to the largest sum that is open at one
//! time, so that later connections demand only as far as they bring that above what the early ones
//! came to. If it does not, each demands at the rate of the early ones. Where the demand of the
//! later ones lies between the two is the ratio: 0 is free, 1 is not.
//!
//! What closed while the early ones were open may have gone to them, if it was free. So the rate
//! that they show holds for "not free" alone, and there it is exact.

use super::jackknife;
use super::life::Life;
use super::open::{Course, most_at_once};
use super::rise::Rise;

/// Not free from this ratio on, and at its lower bound.
const KEPT: f64 = 0.8;
const KEPT_LOW: f64 = 0.6;
/// What was free is used up first. So the ratio of the first halves of lives has to be this.
const KEPT_FIRST: f64 = 0.75;
/// Early connections, and later ones.
const EARLY: usize = 4;
pub(super) const LATER: usize = 3;
/// The share of later connections that has to demand something of its own.
pub(super) const AGREE: f64 = 0.8;
/// Something of its own: at least this share of what is expected of it.
const OWN: f64 = 0.25;
/// The two suppositions have to differ by this share of the growth.
pub(super) const APART: f64 = 0.2;

/// The demand of later connections, if it can be compared.
#[derive(Debug)]
pub(super) struct Again {
    /// The ratio, and its lower 95% bound.
    pub(super) value: f64,
    low: f64,
    /// Of the first halves of lives.
    first: f64,
    /// The share of later connections that demanded something of their own.
    agreeing: f64,
    /// How far the suppositions lie apart, as a share of the larger.
    apart: f64,
}

impl Again {
    /// `rise` is that of all connections: how they rise if nothing was free.
    pub(super) fn of(lives: &[Life], rise: Rise) -> Option<Self> {
        let count = |which: fn(&Life) -> bool| lives.iter().filter(|life| which(life)).count();
        if count(is_early) < EARLY || count(is_later) < LATER {
            return None;
        }
        let weights: Vec<f64> = lives.iter().map(|life| weight(life, rise)).collect();
        let rows = |bytes: fn(&Life) -> f64| -> Vec<[f64; 4]> {
            let begun = lives.iter().zip(&weights).filter(|pair| !pair.0.found);
            begun
                .map(|(life, weight)| row(life, *weight, bytes(life)))
                .collect()
        };
        let whole = rows(|life| life.held.most());
        let first = rows(|life| life.held.at((life.calls / 2.0).floor()));
        let relative_whole = jackknife::interval(&whole, relative)?;
        let relative_first = relative(&sum(&first))?;
        let [early, early_weight, ..] = sum(&whole);
        let scale = Scale::of(lives, &weights);
        let rate = early / early_weight;
        let needs: Vec<f64> = weights.iter().map(|weight| rate * weight).collect();
        Some(Self {
            value: scale.ratio(relative_whole.value),
            low: scale.ratio(relative_whole.low),
            first: scale.ratio(relative_first),
            agreeing: agreeing(lives, &needs, is_later),
            apart: (scale.kept - scale.reused) / (scale.kept + 1.0),
        })
    }

    /// The figures speak against "not free".
    pub(super) fn denies(&self) -> bool {
        self.value < KEPT_LOW || self.first < KEPT_FIRST
    }

    pub(super) fn stays(&self) -> bool {
        self.apart >= APART
            && self.value >= KEPT
            && self.low >= KEPT_LOW
            && self.first >= KEPT_FIRST
            && self.agreeing >= AGREE
    }
}

fn is_early(life: &Life) -> bool {
    life.early
}

fn is_later(life: &Life) -> bool {
    !life.early && !life.found
}

/// What a life counts for in what is expected of it.
fn weight(life: &Life, rise: Rise) -> f64 {
    match rise {
        _ if life.found => 0.0,
        Rise::Plateau => 1.0,
        Rise::Rising => life.calls,
    }
}

/// Bytes and weight of an early life, then those of a later one.
fn row(life: &Life, weight: f64, bytes: f64) -> [f64; 4] {
    if life.early {
        [bytes, weight, 0.0, 0.0]
    } else {
        [0.0, 0.0, bytes, weight]
    }
}

fn sum(rows: &[[f64; 4]]) -> [f64; 4] {
    rows.iter().fold([0.0; 4], |sums, row| {
        std::array::from_fn(|column| sums[column] + row[column])
    })
}

/// Bytes by weight of the later lives, as a share of those of the early ones.
fn relative(sums: &[f64; 4]) -> Option<f64> {
    let [early, early_weight, later, later_weight] = *sums;
    let is_defined = early > 0.0 && later_weight > 0.0;
    is_defined.then(|| (later / later_weight) / (early / early_weight))
}

/// What later connections demand under each supposition, as a multiple of what the early ones did.
struct Scale {
    kept: f64,
    reused: f64,
}

impl Scale {
    fn of(lives: &[Life], weights: &[f64]) -> Self {
        let total = |which: fn(&Life) -> bool| -> f64 {
            let pairs = lives.iter().zip(weights).filter(|pair| which(pair.0));
            pairs.map(|pair| pair.1).sum()
        };
        let reused = [Course::AtOnce, Course::Steadily].map(|course| {
            let all = most_at_once(lives, weights, course, |_| true);
            let early = most_at_once(lives, weights, course, is_early);
            (all - early) / early.max(1.0)
        });
        Self {
            kept: total(is_later) / total(is_early).max(1.0),
            reused: reused[0].max(reused[1]),
        }
    }

    /// Where a rate of the later lives, as a share of that of the early ones, lies between the two.
    fn ratio(&self, relative: f64) -> f64 {
        let apart = (self.kept - self.reused).max(f64::EPSILON);
        (relative * self.kept - self.reused) / apart
    }
}

/// The share of later connections that made the process grow by a good part of their need.
pub(super) fn agreeing(lives: &[Life], needs: &[f64], is_later: impl Fn(&Life) -> bool) -> f64 {
    let later = || lives.iter().zip(needs).filter(|pair| is_later(pair.0));
    let growing = later().filter(|(life, need)| life.held.most() >= OWN * **need);
    growing.count() as f64 / later().count().max(1) as f64
}
