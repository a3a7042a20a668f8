//! What the engine costs.

use std::fmt;

use profiler_analysis::verdict::{Engine, EngineLimits, Rules, Sample};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::{
    host::STEP,
    random::Random,
    series::{Event, START, Series},
    shapes::Kind,
};

/// As many as the engine takes.
const SERIES: usize = 10_000;
/// Series that are made up; the others repeat them.
const DIFFERENT: usize = 200;
/// Simulated hours of one repeat: levels of windows fill up and the first verdicts are said.
const HOURS: f64 = 2.0;
const REPEATS: u64 = 3;

#[derive(Debug, Serialize)]
pub(crate) struct Speed {
    series: usize,
    cadence_seconds: f64,
    simulated_hours: f64,
    /// CPU seconds in a simulated second: median of the repeats.
    core_share: f64,
    /// Least and most of the repeats.
    spread: [f64; 2],
}

pub(crate) fn measure(seed: u64) -> Speed {
    let mut shares: Vec<_> = (0..REPEATS).map(|index| repeat(seed + index)).collect();
    shares.sort_by(f64::total_cmp);
    Speed {
        series: SERIES,
        cadence_seconds: STEP,
        simulated_hours: HOURS,
        core_share: shares[shares.len() / 2],
        spread: [shares[0], shares[shares.len() - 1]],
    }
}

/// CPU seconds in a simulated second. Only the engine's calls count, not the making of readings.
fn repeat(seed: u64) -> f64 {
    let mut random = Random::new(seed);
    let mut series: Vec<_> = (0..DIFFERENT)
        .map(|index| {
            let kind = Kind::ALL[index % Kind::ALL.len()];
            Series::new(kind, (random.unit() * 2_f64.powi(53)) as u64)
        })
        .collect();
    let starts: Vec<_> = (0..SERIES)
        .map(|index| series[index % DIFFERENT].start(index as u64))
        .collect();
    let mut engine = Engine::new(Rules::default(), EngineLimits::default());
    let (mut passed, mut used) = (0.0, 0.0);
    while passed < HOURS * 3600.0 {
        passed += STEP;
        let clock = START + passed;
        let samples: Vec<_> = series.iter_mut().map(|one| reading(one, clock)).collect();
        let before = cpu_seconds();
        for (index, start) in starts.iter().enumerate() {
            if let Some(sample) = samples[index % DIFFERENT] {
                engine.observe(&index, start, sample);
            }
        }
        engine.judge((clock * 1e9) as u64);
        used += cpu_seconds() - before;
    }
    used / passed
}

fn reading(series: &mut Series, clock: f64) -> Option<Sample> {
    match series.step(clock, STEP) {
        Event::Reading(sample) => Some(sample),
        Event::Ended(_) | Event::Down => None,
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "engine: {} series each {} s over {} h: {:.3}% of a core ({:.3}% to {:.3}%)",
            self.series,
            self.cadence_seconds,
            self.simulated_hours,
            self.core_share * 100.0,
            self.spread[0] * 100.0,
            self.spread[1] * 100.0
        )
    }
}
