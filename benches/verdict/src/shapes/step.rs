//! Growth in steps that come to an end.

use super::{Plan, Shape, Size};
use crate::{
    random::Random,
    traffic::{Asked, HOUR, Moment, Traffic},
};

/// A model that is loaded, a feature that is turned on.
#[derive(Clone)]
struct Once {
    height: f64,
    at: f64,
    takes: f64,
}

impl Shape for Once {
    fn step(&mut self, moment: Moment, _: Asked, _: &mut Random) -> f64 {
        self.height * ((moment.age - self.at) / self.takes).clamp(0.0, 1.0)
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// At 5 min to 20 h, within seconds to a quarter of an hour.
pub(super) fn once(size: Size, random: &mut Random) -> Plan {
    let shape = Once {
        height: size.base * random.scale(0.05, 1.5),
        at: random.scale(0.1 * HOUR, 20.0 * HOUR),
        takes: random.scale(5.0, 900.0),
    };
    let most = shape.height;
    let traffic = if random.chance(0.3) {
        Traffic::none(random)
    } else {
        Traffic::even(random)
    };
    Plan::benign(shape, traffic, most)
}

/// The kernel puts 2 MiB pages in the place of small ones one by one, filling the holes between
/// them, and splits some again.
#[derive(Clone)]
struct HugePages {
    most: f64,
    held: f64,
    /// Pages that are tried in an hour while none is huge, and those split in an hour.
    tries: f64,
    splits: f64,
}

const HUGE: f64 = 2.0 * 1024.0 * 1024.0;

impl Shape for HugePages {
    fn step(&mut self, moment: Moment, _: Asked, random: &mut Random) -> f64 {
        let left = 1.0 - self.held / self.most;
        if random.comes(self.tries * left, moment.step) {
            // khugepaged scans in batches.
            let jump = HUGE * (1.0 + 7.0 * random.unit()).floor() * random.between(0.3, 1.0);
            self.held = (self.held + jump).min(self.most);
        }
        if random.comes(self.splits, moment.step) {
            self.held = (self.held - HUGE * random.between(0.5, 4.0)).max(0.0);
        }
        self.held
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// Up to a third more than the base.
pub(super) fn huge_pages(size: Size, random: &mut Random) -> Plan {
    let most = (size.base * random.scale(0.02, 0.35)).max(4.0 * HUGE);
    let time = random.scale(0.5 * HOUR, 8.0 * HOUR);
    let tries = most / (HUGE * 3.0) / (time / HOUR);
    let shape = HugePages {
        most,
        held: 0.0,
        tries,
        splits: tries * random.between(0.0, 0.2),
    };
    Plan::benign(shape, Traffic::even(random), most).aged(24.0 * HOUR)
}
