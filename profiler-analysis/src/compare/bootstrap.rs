//! Slopes as they could have been.

use super::{
    Band, block,
    line::{Line, leverage},
    random::Random,
};
use crate::student::student;

/// A slope, with the same from each draw.
pub(super) struct Slope {
    pub(super) value: f64,
    /// Of each draw, how far it is off.
    pub(super) off: Vec<f64>,
    /// Blocks less parameters.
    freedom: f64,
}

impl Slope {
    /// Circular block bootstrap of residuals (Politis and Romano 1992): blocks of what the line
    /// leaves over are put on the line in a random order, and the slope is taken again. `points`:
    /// hours and bytes.
    pub(super) fn of(points: &[(f64, f64)], draws: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let line = Line::through(points);
        let residuals = line.residuals(points);
        let leverage = leverage(points);
        let length = block::length(&residuals);
        Self {
            value: line.slope,
            off: (0..draws)
                .map(|_| draw(&residuals, &leverage, length, &mut random))
                .collect(),
            freedom: (residuals.len() as f64 / length as f64 - 2.0).max(1.0),
        }
    }

    /// The band of 95%: by the spread of the draws and, since blocks are few, by Student's t.
    pub(super) fn band(&self) -> Band {
        let squares: f64 = self.off.iter().map(|one| one.powi(2)).sum();
        let spread = (squares / (self.off.len() as f64).max(1.0)).sqrt();
        let half = student(self.freedom) * spread;
        Band {
            value: self.value,
            lower: self.value - half,
            upper: self.value + half,
        }
    }
}

fn draw(residuals: &[f64], leverage: &[f64], length: usize, random: &mut Random) -> f64 {
    let mut off = 0.0;
    let mut from = 0;
    for (at, part) in leverage.iter().enumerate() {
        if at % length == 0 {
            from = random.below(residuals.len());
        }
        off += part * residuals[(from + at % length) % residuals.len()];
    }
    off
}
