//! What stands between the curve and a reading of it.

use crate::random::{Drift, Random};

/// Pages are counted, not bytes.
const PAGE: f64 = 4096.0;

/// Slow drift, short spikes of requests that need much, and the kernel's batched counting.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    drift: Drift,
    /// Standard deviations, in bytes.
    slow: f64,
    counting: f64,
    spikes_per_hour: f64,
    spike_height: f64,
    spike_length: f64,
    spike: f64,
}

impl Noise {
    /// For a process of about `base` bytes.
    pub(crate) fn new(base: f64, random: &mut Random) -> Self {
        let spiky = random.chance(0.5);
        Self {
            drift: Drift::new(random.scale(30.0, 1800.0), random),
            slow: base * random.scale(0.0005, 0.015),
            counting: base * random.scale(0.0001, 0.001),
            spikes_per_hour: if spiky { random.scale(0.2, 6.0) } else { 0.0 },
            spike_height: base * random.scale(0.01, 0.15),
            spike_length: random.scale(15.0, 180.0),
            spike: 0.0,
        }
    }

    /// What is read where the curve is at `curve`, below `limit`.
    pub(crate) fn read(
        &mut self,
        curve: f64,
        limit: Option<f64>,
        step: f64,
        random: &mut Random,
    ) -> u64 {
        self.spike *= (-step / self.spike_length).exp();
        if random.comes(self.spikes_per_hour, step) {
            self.spike += self.spike_height * random.between(0.3, 1.7);
        }
        let drift = self.slow * self.drift.step(step, random);
        let counting = self.counting * random.normal();
        let mut bytes = curve + drift + self.spike + counting;
        if let Some(limit) = limit {
            // Above the limit the kernel reclaims, or kills: then the curve says so.
            bytes = bytes.min(limit * 0.999);
        }
        ((bytes.max(PAGE) / PAGE).round() * PAGE) as u64
    }
}
