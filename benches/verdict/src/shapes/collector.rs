//! Heaps with a garbage collector.

use super::{Plan, Shape, Size};
use crate::{
    random::Random,
    traffic::{Asked, DAY, HOUR, Moment, Traffic},
};

/// Garbage piles up with the calls until a collection takes it away. What survives may grow.
#[derive(Clone)]
struct Sawtooth {
    /// Garbage at which a collection comes, and what piles up in a second.
    threshold: f64,
    per_second: f64,
    garbage: f64,
    /// Not all garbage goes at each collection.
    leftover: f64,
    leak_per_second: f64,
    leaked: f64,
    /// A runtime that knows its limit collects earlier when it comes near.
    ceiling: f64,
}

impl Shape for Sawtooth {
    fn step(&mut self, moment: Moment, asked: Asked, random: &mut Random) -> f64 {
        let work = moment.step * asked.level;
        self.leaked += self.leak_per_second * work;
        self.garbage += self.per_second * work;
        let room = (self.ceiling - self.leaked).max(0.0);
        if self.garbage >= self.threshold.min(room) {
            self.garbage = self.leftover * self.threshold.min(room) * random.unit();
        }
        self.leaked + self.garbage
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

fn teeth(size: Size, random: &mut Random) -> Sawtooth {
    let threshold = size.base * random.scale(0.06, 0.9);
    let period = random.scale(20.0, 2400.0);
    Sawtooth {
        threshold,
        per_second: threshold / period,
        garbage: 0.0,
        leftover: random.between(0.0, 0.15),
        leak_per_second: 0.0,
        leaked: 0.0,
        ceiling: f64::INFINITY,
    }
}

/// Collections each 20 s to 40 min.
pub(super) fn sawtooth(size: Size, random: &mut Random) -> Plan {
    let shape = teeth(size, random);
    // One step's garbage comes on top of the threshold before the collection is seen.
    let most = shape.threshold * 1.2 + shape.per_second * 60.0 * 4.0;
    let traffic = if random.chance(0.5) {
        Traffic::even(random)
    } else {
        Traffic::daily(random)
    };
    Plan::benign(shape, traffic, most).aged(3.0 * DAY)
}

/// The same with a floor that rises: OOM in 4 h to 4 d.
pub(super) fn leak(size: Size, random: &mut Random) -> Plan {
    let mut shape = teeth(size, random);
    // Half of the runtimes know their limit, the other half are killed at the top of a tooth.
    shape.threshold = shape.threshold.min(size.headroom * 0.5);
    if random.chance(0.5) {
        shape.ceiling = size.headroom * 0.98;
    }
    let until = random.scale(4.0 * HOUR, 4.0 * DAY);
    shape.leak_per_second = size.headroom / until;
    Plan::leaking(shape, Traffic::even(random)).aged(until * 0.5)
}

/// A heap that may grow to its maximum does, collection by collection, and stays there, for what has
/// been touched is not given back.
#[derive(Clone)]
struct Expansion {
    maximum: f64,
    touched: f64,
    period: f64,
    /// Of what is untouched, with each collection.
    share: f64,
    next: f64,
}

impl Shape for Expansion {
    fn step(&mut self, moment: Moment, asked: Asked, random: &mut Random) -> f64 {
        self.next -= moment.step * asked.level;
        if self.next <= 0.0 {
            self.next = self.period * random.between(0.7, 1.3);
            self.touched += (self.maximum - self.touched) * self.share * random.between(0.3, 1.7);
        }
        self.touched
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// At its maximum after half an hour to a day.
pub(super) fn expansion(size: Size, random: &mut Random) -> Plan {
    let maximum = size.base * random.scale(0.2, 3.0);
    let share = random.scale(0.01, 0.15);
    let time = random.scale(0.2 * HOUR, 6.0 * HOUR);
    let shape = Expansion {
        maximum,
        touched: 0.0,
        period: time * share,
        share,
        next: 0.0,
    };
    Plan::benign(shape, Traffic::even(random), maximum)
}
