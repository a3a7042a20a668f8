//! Series of a reading each ten seconds, through an engine.

use profiler_analysis::verdict::{
    Engine, EngineLimits, LifeEnd, LifeStart, Load, Rules, Sample, State, Verdict,
};

pub(crate) const MIB: f64 = 1024.0 * 1024.0;
pub(crate) const STEP: u64 = 10_000_000_000;
pub(crate) const HOUR: u64 = 360 * STEP;
/// Long after the clock began.
pub(crate) const START: u64 = 5_000 * HOUR;

/// Scatter of a reading between -1 and 1, the same for the same number.
pub(crate) fn scatter(number: u64) -> f64 {
    let mut x = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 29;
    (x >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

pub(crate) struct Run {
    pub(crate) engine: Engine<u32>,
    pub(crate) start: LifeStart,
    pub(crate) now: u64,
    pub(crate) limit: Option<u64>,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self {
            engine: Engine::new(Rules::default(), EngineLimits::default()),
            start: life(START),
            now: START,
            limit: Some(1 << 30),
        }
    }

    /// Readings over some hours, in MiB by hours of the life so far.
    pub(crate) fn hours(&mut self, hours: f64, mib: impl Fn(f64) -> f64) -> &mut Self {
        self.loaded(hours, mib, |_| Load::default())
    }

    pub(crate) fn loaded(
        &mut self,
        hours: f64,
        mib: impl Fn(f64) -> f64,
        load: impl Fn(f64) -> Load,
    ) -> &mut Self {
        for _ in 0..(hours * 360.0) as u64 {
            let age = (self.now - self.start.began) as f64 / HOUR as f64;
            let noise = 0.5 * MIB * scatter(self.now / STEP);
            let sample = Sample {
                time: self.now,
                bytes: (mib(age) * MIB + noise) as u64,
                limit: self.limit,
                load: load(age),
            };
            self.engine.observe(&1, &self.start, sample);
            self.engine.judge(self.now);
            self.now += STEP;
        }
        self
    }

    /// Ends the life, and makes the next one ready.
    pub(crate) fn end(&mut self, end: LifeEnd) -> &mut Self {
        self.engine.ended(&1, self.now, end);
        self.now += STEP;
        self.start = life(self.now);
        self
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        self.engine.verdict(&1).expect("it has readings")
    }

    pub(crate) fn state(&self) -> State {
        self.verdict().judgement.state
    }
}

fn life(began: u64) -> LifeStart {
    LifeStart {
        lineage: "shop/server".to_owned(),
        began,
        label: "abc".to_owned(),
    }
}
