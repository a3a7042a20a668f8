//! Statistics over pairs of measurements.

use std::fmt;

use serde::Serialize;

use super::random::Random;

const RESAMPLES: usize = 10_000;

/// A figure with its 95% interval.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ({:.3} to {:.3})", self.value, self.low, self.high)
    }
}

/// The median; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    median_in_place(&mut sorted)
}

/// The median with a percentile bootstrap interval over the values.
pub(crate) fn median_with_interval(values: &[f64], random: &mut Random) -> Estimate {
    let value = median(values);
    if values.len() < 2 {
        return Estimate {
            value,
            low: value,
            high: value,
        };
    }
    let mut sample = vec![0.0; values.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            for slot in &mut sample {
                *slot = values[random.below(values.len())];
            }
            median_in_place(&mut sample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    Estimate {
        value,
        low: medians[RESAMPLES / 40],
        high: medians[RESAMPLES - 1 - RESAMPLES / 40],
    }
}

fn median_in_place(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_values() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn the_interval_holds_the_truth_about_as_often_as_it_says() {
        // Values spread evenly over 0.9..1.1: their median is 1.
        let mut random = Random::new(7);
        let mut held = 0;
        for _ in 0..20 {
            let values: Vec<f64> = (0..25)
                .map(|_| 0.9 + random.below(2001) as f64 / 10_000.0)
                .collect();
            let estimate = median_with_interval(&values, &mut random);
            assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
            held += usize::from(estimate.low <= 1.0 && 1.0 <= estimate.high);
        }
        assert!((16..=20).contains(&held), "{held} of 20");
    }

    #[test]
    fn one_value_has_no_spread() {
        let estimate = median_with_interval(&[1.5], &mut Random::new(1));
        assert!((estimate.low - 1.5).abs() < f64::EPSILON);
        assert!((estimate.high - 1.5).abs() < f64::EPSILON);
    }
}
