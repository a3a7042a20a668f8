//! One simulated thing on a host: a shape with traffic, noise, a limit and its lives.

use profiler_analysis::verdict::{LifeEnd, LifeStart, Load, Sample};

use crate::{
    noise::Noise,
    random::Random,
    shapes::{Kind, Plan, Size},
    traffic::{Asked, DAY, Moment},
};

const MIB: f64 = 1024.0 * 1024.0;
const SECOND: f64 = 1e9;
/// The host has been up for this long when it is first looked at, in seconds.
pub(crate) const START: f64 = 20.0 * DAY;
/// Truth is sought for this long.
const FAR: f64 = 30.0 * DAY;

/// What comes of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    Reading(Sample),
    /// The life is over; there is no reading until the next.
    Ended(LifeEnd),
    Down,
}

#[derive(Clone)]
struct Life {
    number: u32,
    plan: Plan,
    began: f64,
    /// When it ends without a kill.
    until: f64,
    load: Asked,
    connections: f64,
}

#[derive(Clone)]
pub(crate) struct Series {
    pub(crate) kind: Kind,
    pub(crate) limit: Option<f64>,
    base: f64,
    /// Of the base, missing when a life begins, and the time in which it comes, in seconds.
    cold: f64,
    warm_up: f64,
    fresh: Plan,
    noise: Noise,
    life: Life,
    back: Option<f64>,
    random: Random,
}

impl Series {
    /// Draws one. `seed` determines it wholly.
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let base = random.scale(20.0 * MIB, 8192.0 * MIB);
        let headroom = base * (random.scale(1.2, 8.0) - 1.0);
        let size = Size { base, headroom };
        let plan = kind.plan(size, &mut random);
        let limited = kind == Kind::RestartMaskedLeak || random.chance(0.85);
        // Who sets a limit knows the peak of what is well.
        let limit = headroom.max(plan.most.unwrap_or(0.0) * 1.15 + base * 0.1) + base;
        let age = if random.chance(1.0 / 3.0) {
            plan.age * random.unit()
        } else {
            0.0
        };
        let mut series = Self {
            kind,
            limit: limited.then_some(limit),
            base,
            cold: random.between(0.1, 0.8),
            warm_up: random.scale(20.0, 900.0),
            noise: Noise::new(base, &mut random),
            life: Life::new(0, &plan, START - age, &mut random),
            fresh: plan,
            back: None,
            random,
        };
        series.run_before(age);
        series
    }

    /// What happened before anyone looked, in rougher steps.
    fn run_before(&mut self, age: f64) {
        let step = 60.0;
        for index in 1..=(age / step) as u64 {
            self.curve(START - age + index as f64 * step, step);
        }
        self.life.load = Asked::default();
    }

    /// The life that is on, or was last.
    pub(crate) fn life(&self) -> u32 {
        self.life.number
    }

    /// How the engine is told of the life.
    pub(crate) fn start(&self, name: u64) -> LifeStart {
        LifeStart {
            lineage: format!("{}-{name}", self.kind.name()),
            began: nanoseconds(self.life.began),
            label: format!("{}-{name}-{}", self.kind.name(), self.life.number),
        }
    }

    /// Whether its life is leaking at a time on the host's clock.
    pub(crate) fn leaks_by(&self, clock: f64) -> bool {
        self.kind.leaks() && clock >= self.life.began + self.fresh.onset
    }

    /// Without noise: the bytes at the end of a step that ends at `clock`.
    fn curve(&mut self, clock: f64, step: f64) -> f64 {
        let life = &mut self.life;
        let moment = Moment {
            age: clock - life.began,
            clock,
            step,
        };
        let asked = life.plan.traffic.step(moment, &mut self.random);
        life.load.calls += asked.calls;
        life.load.bytes += asked.bytes;
        life.connections = asked.connections;
        let grown = life.plan.shape.step(moment, asked, &mut self.random);
        let missing = self.cold * (-moment.age / self.warm_up).exp();
        self.base * (1.0 - missing) + grown
    }

    /// One step, which ends at `clock` on the host's clock, in seconds.
    pub(crate) fn step(&mut self, clock: f64, step: f64) -> Event {
        if let Some(back) = self.back {
            if clock < back {
                return Event::Down;
            }
            self.back = None;
            let number = self.life.number + 1;
            self.life = Life::new(number, &self.fresh, clock - step, &mut self.random);
        }
        let curve = self.curve(clock, step);
        if self.limit.is_some_and(|limit| curve >= limit) {
            // Backing off takes longer from kill to kill.
            let longest = (10.0 * f64::from(2_u32.pow(self.life.number.min(5)))).min(300.0);
            return self.end(clock, longest, LifeEnd::OomKilled);
        }
        if clock >= self.life.until {
            let pause = self.fresh.lives.map_or(0.0, |lives| lives.pause);
            return self.end(clock, pause, LifeEnd::Ended);
        }
        let bytes = self.noise.read(curve, self.limit, step, &mut self.random);
        Event::Reading(Sample {
            time: nanoseconds(clock),
            bytes,
            limit: self.limit.map(|limit| limit as u64),
            load: self.life.load(),
        })
    }

    fn end(&mut self, clock: f64, pause: f64, end: LifeEnd) -> Event {
        self.back = Some(clock + pause * self.random.between(0.2, 1.0));
        Event::Ended(end)
    }

    /// Seconds from `clock` on until this life meets its limit, if it does within thirty days.
    pub(crate) fn time_to_limit(&self, clock: f64, step: f64) -> Option<f64> {
        let limit = self.limit?;
        let mut future = self.clone();
        let steps = (FAR / step) as u64;
        (1..=steps)
            .map(|index| index as f64 * step)
            .find(|passed| future.curve(clock + passed, step) >= limit)
    }
}

impl Life {
    fn new(number: u32, plan: &Plan, began: f64, random: &mut Random) -> Self {
        let until = plan.lives.map_or(f64::INFINITY, |lives| {
            began + random.between(lives.shortest, lives.longest)
        });
        Self {
            number,
            plan: plan.clone(),
            began,
            until,
            load: Asked::default(),
            connections: 0.0,
        }
    }

    fn load(&self) -> Load {
        Load {
            received_bytes: self.load.bytes as u64,
            received_calls: self.load.calls as u64,
            open_connections: self.connections.round() as u64,
        }
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * SECOND).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind often enough to meet its extremes.
    fn each(count: u64) -> impl Iterator<Item = Series> {
        let seeds = move |kind| (0..count).map(move |seed| Series::new(kind, seed * 7919 + 1));
        Kind::ALL.into_iter().flat_map(seeds)
    }

    #[test]
    fn leaking_shapes_cross_their_limit_in_the_end_and_benign_ones_never_do() {
        for series in each(12).filter(|series| series.limit.is_some()) {
            let crosses = series.time_to_limit(START, 60.0).is_some();
            assert_eq!(crosses, series.kind.leaks(), "{}", series.kind.name());
        }
    }

    #[test]
    fn benign_shapes_are_never_killed_over_their_lives() {
        for mut series in each(4).filter(|series| !series.kind.leaks()) {
            for index in 1..=(30.0 * DAY / 60.0) as u32 {
                let event = series.step(START + f64::from(index) * 60.0, 60.0);
                assert_ne!(
                    event,
                    Event::Ended(LifeEnd::OomKilled),
                    "{}",
                    series.kind.name()
                );
            }
        }
    }

    #[test]
    fn readings_stay_below_the_limit_and_counters_do_not_fall_within_a_life() {
        for mut series in each(3) {
            let (mut life, mut calls) = (series.life(), 0);
            for index in 1..=720 {
                let event = series.step(START + f64::from(index) * 10.0, 10.0);
                let Event::Reading(sample) = event else {
                    continue;
                };
                assert!(sample.bytes > 0 && sample.limit.is_none_or(|limit| sample.bytes <= limit));
                if series.life() != life {
                    (life, calls) = (series.life(), 0);
                }
                assert!(sample.load.received_calls >= calls);
                calls = sample.load.received_calls;
            }
        }
    }

    #[test]
    fn a_seed_determines_a_series() {
        let readings = |seed| {
            let mut series = Series::new(Kind::LoadLeak, seed);
            (1..100)
                .map(|i| series.step(START + f64::from(i) * 10.0, 10.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(readings(1), readings(1));
        assert_ne!(readings(1), readings(2));
    }

    #[test]
    fn the_time_to_the_limit_is_when_the_kill_comes() {
        let mut series = Series::new(Kind::RestartMaskedLeak, 5);
        let seconds = series.time_to_limit(START, 10.0).unwrap();
        let killed = (1..)
            .map(|i| f64::from(i) * 10.0)
            .find(|passed| series.step(START + passed, 10.0) == Event::Ended(LifeEnd::OomKilled));
        // Noise of readings draws from the same numbers as the load, so that calls differ a little.
        assert!((killed.unwrap() / seconds - 1.0).abs() < 0.05);
    }

    #[test]
    fn a_kill_begins_another_life_of_the_same_lineage() {
        let mut series = Series::new(Kind::RestartMaskedLeak, 5);
        let first = series.start(1);
        let mut passed = 0.0;
        while series.life() == 0 {
            passed += 10.0;
            series.step(START + passed, 10.0);
        }
        let second = series.start(1);
        assert_eq!(first.lineage, second.lineage);
        assert!(second.began > first.began);
    }
}
