//! Lives whose truth is known.

use crate::compare::{Life, Window, random::Random};

pub(super) const MIB: f64 = 1_048_576.0;

/// A life of one window a minute.
#[derive(Clone, Copy)]
pub(super) struct Truth {
    pub(super) floor: f64,
    pub(super) per_hour: f64,
    pub(super) calls: f64,
    /// Standard deviation of what comes anew in each window, and how much of it stays.
    pub(super) noise: f64,
    pub(super) memory: f64,
    pub(super) minutes: u32,
}

impl Default for Truth {
    fn default() -> Self {
        Self {
            floor: 200.0 * MIB,
            per_hour: 0.0,
            calls: 0.0,
            noise: 0.5 * MIB,
            memory: 0.5,
            minutes: 180,
        }
    }
}

impl Truth {
    pub(super) fn life(&self, random: &mut Random) -> Life {
        let mut off = 0.0;
        (1..=self.minutes)
            .map(|minute| {
                off = self.memory * off + self.noise * random.normal();
                let age = f64::from(minute) * 60.0;
                // Both warm up alike.
                let warm = 20.0 * MIB * (1.0 - (-age / 900.0).exp());
                Window {
                    age,
                    seconds: 60.0,
                    floor: self.floor + warm + self.per_hour * age / 3_600.0 + off,
                    calls: self.calls,
                }
            })
            .collect()
    }
}
