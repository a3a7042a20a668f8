//! Work that begins and ends, within a process or as one.

use super::{Lives, Plan, Shape, Size};
use crate::{
    random::Random,
    traffic::{Asked, HOUR, Moment, Traffic},
};

/// A cache that is empty again after each deployment.
#[derive(Clone)]
struct Warm {
    capacity: f64,
    time: f64,
}

impl Shape for Warm {
    fn step(&mut self, moment: Moment, _: Asked, _: &mut Random) -> f64 {
        self.capacity * (1.0 - (-moment.age / self.time).exp())
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// A steady service that is deployed each few hours.
pub(super) fn deploys(size: Size, random: &mut Random) -> Plan {
    let shape = Warm {
        capacity: size.base * random.scale(0.02, 0.5),
        time: random.scale(0.1 * HOUR, 1.5 * HOUR),
    };
    let shortest = random.scale(HOUR, 8.0 * HOUR);
    let most = shape.capacity;
    let mut plan = Plan::benign(shape, Traffic::even(random), most);
    plan.lives = Some(Lives {
        shortest,
        longest: shortest * random.between(1.1, 3.0),
        pause: 60.0,
    });
    plan
}

/// A job that reads in its data, each time as a new process; how much there is differs.
#[derive(Clone)]
struct Job {
    most: f64,
    takes: f64,
    /// Of the most, in this life; drawn when it begins.
    share: Option<f64>,
}

impl Shape for Job {
    fn step(&mut self, moment: Moment, _: Asked, random: &mut Random) -> f64 {
        let share = *self.share.get_or_insert_with(|| random.between(0.5, 1.0));
        self.most * share * (moment.age / self.takes).min(1.0)
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// Of ten minutes to three hours, again and again.
pub(super) fn batch_lives(size: Size, random: &mut Random) -> Plan {
    let takes = random.scale(HOUR / 6.0, 3.0 * HOUR);
    let shape = Job {
        most: size.base * random.scale(0.3, 4.0),
        // Reads first, then works on what it has read.
        takes: takes * random.between(0.3, 0.95),
        share: None,
    };
    let most = shape.most;
    let mut plan = Plan::benign(shape, Traffic::even(random), most);
    plan.lives = Some(Lives {
        shortest: takes * 0.8,
        longest: takes * 1.3,
        pause: takes * random.between(0.05, 2.0),
    });
    plan
}

/// The same within one process, which gives all back at its end.
#[derive(Clone)]
struct Periodic {
    most: f64,
    every: f64,
    takes: f64,
    phase: f64,
}

impl Shape for Periodic {
    fn step(&mut self, moment: Moment, _: Asked, _: &mut Random) -> f64 {
        let at = (moment.clock + self.phase).rem_euclid(self.every);
        if at < self.takes {
            self.most * at / self.takes
        } else {
            0.0
        }
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// Each quarter of an hour to each eight hours.
pub(super) fn batch_in_process(size: Size, random: &mut Random) -> Plan {
    let every = random.scale(HOUR / 4.0, 8.0 * HOUR);
    let shape = Periodic {
        most: size.base * random.scale(0.1, 3.0),
        every,
        takes: every * random.between(0.1, 0.7),
        phase: random.between(0.0, every),
    };
    let most = shape.most;
    let traffic = if random.chance(0.5) {
        Traffic::none(random)
    } else {
        Traffic::even(random)
    };
    Plan::benign(shape, traffic, most).aged(24.0 * HOUR)
}
