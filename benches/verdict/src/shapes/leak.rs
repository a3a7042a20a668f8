//! Growth without an end.

use super::{Plan, Shape, Size};
use crate::{
    random::Random,
    traffic::{Asked, DAY, HOUR, Moment, Traffic},
};

/// So much in a second, from some time on: timers, threads, metrics.
#[derive(Clone)]
struct Steady {
    per_second: f64,
    onset: f64,
}

impl Shape for Steady {
    fn step(&mut self, moment: Moment, _: Asked, _: &mut Random) -> f64 {
        self.per_second * (moment.age - self.onset).max(0.0)
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// OOM after a time in `range`, in seconds.
pub(super) fn steady(size: Size, range: (f64, f64), random: &mut Random) -> Plan {
    let until = random.scale(range.0, range.1);
    let shape = Steady {
        per_second: size.headroom / until,
        onset: 0.0,
    };
    let traffic = if random.chance(0.3) {
        Traffic::none(random)
    } else {
        Traffic::even(random)
    };
    Plan::leaking(shape, traffic).aged(until * 0.5)
}

/// Begins after half an hour to 14 h; OOM 3 h to 2 d later.
pub(super) fn late(size: Size, random: &mut Random) -> Plan {
    let onset = random.scale(0.5 * HOUR, 14.0 * HOUR);
    let shape = Steady {
        per_second: size.headroom / random.scale(3.0 * HOUR, 2.0 * DAY),
        onset,
    };
    let mut plan = Plan::leaking(shape, Traffic::even(random));
    plan.onset = onset;
    plan
}

/// Something is lost with each call.
#[derive(Clone)]
struct ByLoad {
    per_call: f64,
    leaked: f64,
}

impl Shape for ByLoad {
    fn step(&mut self, _: Moment, asked: Asked, _: &mut Random) -> f64 {
        self.leaked += self.per_call * asked.calls;
        self.leaked
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

fn per_call(size: Size, until: f64, traffic: Traffic) -> Plan {
    let shape = ByLoad {
        per_call: size.headroom / (until * traffic.calls_per_second()),
        leaked: 0.0,
    };
    Plan::leaking(shape, traffic)
}

/// With the calls of the day: OOM after 6 h to 4 d.
pub(super) fn by_load(size: Size, random: &mut Random) -> Plan {
    let until = random.scale(6.0 * HOUR, 4.0 * DAY);
    per_call(size, until, Traffic::daily(random)).aged(until * 0.5)
}

/// Killed after 20 min to 4 h, again and again.
pub(super) fn restart_masked(size: Size, random: &mut Random) -> Plan {
    let until = random.scale(HOUR / 3.0, 4.0 * HOUR);
    if random.chance(0.5) {
        let traffic = Traffic::even(random);
        return per_call(size, until, traffic);
    }
    let shape = Steady {
        per_second: size.headroom / until,
        onset: 0.0,
    };
    Plan::leaking(shape, Traffic::even(random))
}

/// A job leaves something behind each time that it runs.
#[derive(Clone)]
struct Staircase {
    every: f64,
    height: f64,
    next: f64,
    leaked: f64,
}

impl Shape for Staircase {
    fn step(&mut self, moment: Moment, _: Asked, random: &mut Random) -> f64 {
        self.next -= moment.step;
        if self.next <= 0.0 {
            self.next += self.every * random.between(0.9, 1.1);
            self.leaked += self.height * random.between(0.5, 1.5);
        }
        self.leaked
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// OOM after 3 h to 4 d, in twelve steps or more.
pub(super) fn staircase(size: Size, random: &mut Random) -> Plan {
    let until = random.scale(3.0 * HOUR, 4.0 * DAY);
    let every = random.scale(HOUR / 12.0, 2.0 * HOUR).min(until / 12.0);
    let shape = Staircase {
        every,
        height: size.headroom * every / until,
        next: every * random.unit(),
        leaked: 0.0,
    };
    let traffic = if random.chance(0.3) {
        Traffic::none(random)
    } else {
        Traffic::even(random)
    };
    Plan::leaking(shape, traffic).aged(until * 0.5)
}
