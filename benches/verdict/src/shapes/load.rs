//! Memory that follows what is asked.

use super::{Plan, Shape, Size};
use crate::{
    random::Random,
    traffic::{Asked, DAY, HOUR, Moment, Ramp, Traffic},
};

/// Buffers for the work at hand; they are given back some time after the work.
#[derive(Clone)]
struct Diurnal {
    at_mean: f64,
    lag: f64,
    level: f64,
    /// Twice the mean and gusts: pools have a bound.
    most: f64,
}

impl Shape for Diurnal {
    fn step(&mut self, moment: Moment, asked: Asked, _: &mut Random) -> f64 {
        self.level += (asked.level - self.level) * (1.0 - (-moment.step / self.lag).exp());
        (self.at_mean * self.level).min(self.most)
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// A tenth to all of the base at the mean of the day.
pub(super) fn diurnal(size: Size, random: &mut Random) -> Plan {
    let at_mean = size.base * random.scale(0.1, 1.0);
    let most = at_mean * 2.5;
    let shape = Diurnal {
        at_mean,
        lag: random.scale(120.0, 3600.0),
        level: 0.5,
        most,
    };
    Plan::benign(shape, Traffic::daily(random), most).aged(3.0 * DAY)
}

/// So many bytes for each connection that is open.
#[derive(Clone)]
struct PerConnection {
    bytes: f64,
    most: f64,
}

impl Shape for PerConnection {
    fn step(&mut self, _: Moment, asked: Asked, _: &mut Random) -> f64 {
        (self.bytes * asked.connections).min(self.most)
    }

    fn copy(&self) -> Box<dyn Shape> {
        Box::new(self.clone())
    }
}

/// Clients that come within half an hour to 12 h and stay.
pub(super) fn connection_ramp(size: Size, random: &mut Random) -> Plan {
    let ramp = Ramp {
        from: random.between(0.02, 0.3),
        seconds: random.scale(0.5 * HOUR, 12.0 * HOUR),
    };
    let traffic = Traffic::ramp(ramp, random);
    let all = size.base * random.scale(0.2, 2.0);
    let shape = PerConnection {
        bytes: all / traffic.connections(),
        most: all * 1.5,
    };
    let most = shape.most;
    Plan::benign(shape, traffic, most)
}
