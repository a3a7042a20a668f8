//! Random numbers that a seed determines, today and in later releases.

use std::f64::consts::TAU;

use rand_pcg::{
    Pcg64Mcg,
    rand_core::{Rng as _, SeedableRng as _},
};

/// PCG's output is fixed by its definition; what is drawn from it is spelled out here, so that no
/// new release of a library changes the series.
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg64Mcg);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// Evenly from [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// From [low, high), each factor as likely as another.
    pub(crate) fn scale(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Whether something that comes `per_hour` times an hour by chance comes in `seconds`.
    pub(crate) fn comes(&mut self, per_hour: f64, seconds: f64) -> bool {
        self.chance(1.0 - (-per_hour * seconds / 3600.0).exp())
    }
}

/// Noise that remembers: first order autoregressive, with unit variance whatever the step.
#[derive(Clone, Debug)]
pub(crate) struct Drift {
    memory: f64,
    value: f64,
}

impl Drift {
    /// Forgets by a factor of e in `memory` seconds.
    pub(crate) fn new(memory: f64, random: &mut Random) -> Self {
        Self {
            memory,
            value: random.normal(),
        }
    }

    pub(crate) fn step(&mut self, seconds: f64, random: &mut Random) -> f64 {
        let kept = (-seconds / self.memory).exp();
        self.value = kept * self.value + (1.0 - kept * kept).sqrt() * random.normal();
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [random.unit(), random.normal(), random.scale(1.0, 100.0)].map(f64::to_bits)
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn the_numbers_of_a_seed_stay_what_they_are() {
        let mut random = Random::new(42);
        let drawn: Vec<u64> = (0..3).map(|_| (random.unit() * 1e6) as u64).collect();
        assert_eq!(drawn, [573_591, 133_306, 355_935]);
    }

    #[test]
    fn drift_has_unit_variance_at_any_step() {
        for step in [1.0, 10.0, 600.0] {
            let mut random = Random::new(3);
            let mut drift = Drift::new(60.0, &mut random);
            let count = 200_000;
            let sum: f64 = (0..count)
                .map(|_| drift.step(step, &mut random).powi(2))
                .sum();
            let variance = sum / f64::from(count);
            assert!((0.8..1.2).contains(&variance), "{variance} at {step} s");
        }
    }
}
