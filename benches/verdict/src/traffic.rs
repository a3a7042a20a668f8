//! What is asked of a process: calls, bytes and open connections.

use std::f64::consts::TAU;

use crate::random::{Drift, Random};

pub(crate) const HOUR: f64 = 3600.0;
pub(crate) const DAY: f64 = 24.0 * HOUR;

/// One step of time, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Since the life began, at the step's end.
    pub(crate) age: f64,
    /// The host's clock, for the time of day.
    pub(crate) clock: f64,
    pub(crate) step: f64,
}

/// What was asked in one step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    /// Against the mean of a day: 1 is as usual.
    pub(crate) level: f64,
    pub(crate) calls: f64,
    pub(crate) bytes: f64,
    /// Open at the end of the step.
    pub(crate) connections: f64,
}

/// Load that rises from a share to all of itself and stays there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    pub(crate) from: f64,
    pub(crate) seconds: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    calls_per_second: f64,
    bytes_per_call: f64,
    /// Seconds that a call holds its connection, and connections that are always open.
    hold: f64,
    pool: f64,
    /// How far a day's high is above its mean; the mean is 1.
    swing: f64,
    phase: f64,
    roughness: f64,
    drift: Drift,
    ramp: Option<Ramp>,
}

impl Traffic {
    /// Of a server, more or less the same all day.
    pub(crate) fn even(random: &mut Random) -> Self {
        let swing = random.between(0.0, 0.25);
        Self::with_swing(swing, random)
    }

    /// That follows the day.
    pub(crate) fn daily(random: &mut Random) -> Self {
        let swing = random.between(0.3, 0.9);
        Self::with_swing(swing, random)
    }

    /// Nothing comes over the network. Its work goes on as in [`Self::even`].
    pub(crate) fn none(random: &mut Random) -> Self {
        Self {
            calls_per_second: 0.0,
            pool: 0.0,
            ..Self::even(random)
        }
    }

    /// Clients that come one by one and stay.
    pub(crate) fn ramp(ramp: Ramp, random: &mut Random) -> Self {
        Self {
            ramp: Some(ramp),
            hold: random.scale(60.0, 3600.0),
            pool: 0.0,
            ..Self::even(random)
        }
    }

    fn with_swing(swing: f64, random: &mut Random) -> Self {
        Self {
            calls_per_second: random.scale(0.2, 2000.0),
            bytes_per_call: random.scale(200.0, 20_000.0),
            hold: random.scale(0.05, 30.0),
            pool: random.between(0.0, 30.0).floor(),
            swing,
            phase: random.between(0.0, DAY),
            roughness: random.scale(0.02, 0.3),
            drift: Drift::new(random.scale(30.0, 1800.0), random),
            ramp: None,
        }
    }

    /// Calls that are expected in a second, as a mean over a day.
    pub(crate) fn calls_per_second(&self) -> f64 {
        self.calls_per_second
    }

    /// Connections that are open on average once a ramp is over.
    pub(crate) fn connections(&self) -> f64 {
        self.pool + self.calls_per_second * self.hold
    }

    pub(crate) fn step(&mut self, moment: Moment, random: &mut Random) -> Asked {
        let day = 1.0 + self.swing * (TAU * (moment.clock + self.phase) / DAY).sin();
        let drift = self.drift.step(moment.step, random);
        // Log-normal with mean 1.
        let rough = (self.roughness * drift - self.roughness * self.roughness / 2.0).exp();
        let ramp = self.ramp.map_or(1.0, |ramp| {
            let done = (moment.age / ramp.seconds).clamp(0.0, 1.0);
            ramp.from + (1.0 - ramp.from) * done
        });
        let level = day * rough * ramp;
        let per_second = self.calls_per_second * level;
        let expected = per_second * moment.step;
        let counted = expected + expected.sqrt() * random.normal();
        let calls = counted.max(0.0);
        // Long connections do not follow each gust of calls.
        let steady = if self.hold > 60.0 { day * ramp } else { level };
        let open = self.calls_per_second * steady * self.hold;
        Asked {
            level,
            calls,
            bytes: calls * self.bytes_per_call,
            connections: (self.pool + open + open.sqrt() * 0.5 * random.normal()).max(0.0),
        }
    }
}
