//! Growth that slows down, and none at all.

use super::{Plan, Shape, Size};
use crate::{
    random::Random,
    traffic::{Asked, DAY, HOUR, Moment, Traffic},
};

/// Holes between live blocks: with the root or the logarithm of time, up to a bound.
#[derive(Clone)]
struct Fragmentation {
    /// After thirty days; from there on holes are found for all that is asked.
    most: f64,
    root: bool,
    scale: f64,
}

impl Shape for Fragmentation {
    fn step(&mut self, moment: Moment, _: Asked, _: &mut Random) -> f64 {
        let long = 30.0 * DAY;
        let share = if self.root {
            (moment.age / long).sqrt()
        } else {
            (1.0 + moment.age / self.scale).ln() / (1.0 + long / self.scale).ln()
        };
        self.most * share.min(1.0)
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// A twentieth to two fifths of the base after thirty days.
pub(super) fn fragmentation(size: Size, random: &mut Random) -> Plan {
    let shape = Fragmentation {
        most: size.base * random.scale(0.05, 0.4),
        root: random.chance(0.5),
        scale: random.scale(0.1 * HOUR, 12.0 * HOUR),
    };
    let most = shape.most;
    Plan::benign(shape, Traffic::even(random), most).aged(3.0 * DAY)
}

/// A backup or a search reads many files. That is file memory; of anonymous memory it needs its
/// buffers while it runs.
#[derive(Clone)]
struct Scan {
    buffers: f64,
    every: f64,
    takes: f64,
    phase: f64,
}

impl Shape for Scan {
    fn step(&mut self, moment: Moment, _: Asked, _: &mut Random) -> f64 {
        let at = (moment.clock + self.phase).rem_euclid(self.every);
        if at < self.takes { self.buffers } else { 0.0 }
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// Each hour to each day.
pub(super) fn page_cache_scan(size: Size, random: &mut Random) -> Plan {
    let every = random.scale(HOUR, DAY);
    let shape = Scan {
        buffers: size.base * random.scale(0.005, 0.08),
        every,
        takes: every * random.between(0.05, 0.5),
        phase: random.between(0.0, DAY),
    };
    let most = shape.buffers;
    let traffic = if random.chance(0.5) {
        Traffic::none(random)
    } else {
        Traffic::even(random)
    };
    Plan::benign(shape, traffic, most).aged(3.0 * DAY)
}
