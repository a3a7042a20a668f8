//! Caches that fill up.

use super::{Plan, Shape, Size};
use crate::{
    random::Random,
    traffic::{Asked, DAY, HOUR, Moment, Traffic},
};

/// Each miss fills a place of those that are left: an exponential approach.
#[derive(Clone)]
struct Plateau {
    capacity: f64,
    time: f64,
    filled: f64,
}

impl Shape for Plateau {
    fn step(&mut self, moment: Moment, asked: Asked, _: &mut Random) -> f64 {
        let passed = moment.step * asked.level / self.time;
        self.filled += (self.capacity - self.filled) * (1.0 - (-passed).exp());
        self.filled
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// Full for all purposes after 10 minutes to a day.
pub(super) fn plateau(size: Size, random: &mut Random) -> Plan {
    let capacity = size.base * random.scale(0.2, 3.0);
    let shape = Plateau {
        capacity,
        time: random.scale(0.1 * HOUR, 6.0 * HOUR),
        filled: 0.0,
    };
    Plan::benign(shape, Traffic::even(random), capacity)
}

/// Keys whose frequencies follow a power law: the number of different ones goes with the logarithm
/// of the calls, until the cache is full and evicts.
#[derive(Clone)]
struct Lru {
    capacity: f64,
    /// Bytes by which it grows while the calls become e times as many.
    growth: f64,
    scale: f64,
    passed: f64,
}

impl Shape for Lru {
    fn step(&mut self, moment: Moment, asked: Asked, _: &mut Random) -> f64 {
        self.passed += moment.step * asked.level;
        (self.growth * (1.0 + self.passed / self.scale).ln()).min(self.capacity)
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// Full after 2 hours to 4 days.
pub(super) fn lru(size: Size, random: &mut Random) -> Plan {
    let capacity = size.base * random.scale(0.2, 3.0);
    let full_after = random.scale(2.0 * HOUR, 4.0 * DAY);
    let scale = full_after / random.scale(10.0, 1000.0);
    let shape = Lru {
        capacity,
        growth: capacity / (1.0 + full_after / scale).ln(),
        scale,
        passed: 0.0,
    };
    Plan::benign(shape, Traffic::even(random), capacity)
}
