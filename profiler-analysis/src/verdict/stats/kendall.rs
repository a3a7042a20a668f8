//! Whether floors rise more often than chance lets them.

use super::{Floor, upper_tail};

/// The test of Mann and Kendall.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Kendall {
    /// Standard deviations above no trend.
    pub(in super::super) z: f64,
    /// Chance of such a rise without a trend.
    pub(in super::super) p: f64,
    /// Standard deviation of S, autocorrelation taken in.
    pub(in super::super) deviation: f64,
}

/// Mann-Kendall with the variance of Hamed and Rao (Journal of Hydrology 204, 1998), equations 8 and
/// 9: S of floors that remember each other scatters more. `slope` is Sen's, which is taken out before
/// the autocorrelation of the ranks is. Where the correction would make the test more daring, it is
/// left out.
pub(in super::super) fn kendall(floors: &[Floor], slope: f64) -> Kendall {
    let n = floors.len() as f64;
    let heights: Vec<f64> = floors.iter().map(|floor| floor.1).collect();
    let s = rises(&heights);
    let plain = (n * (n - 1.0) * (2.0 * n + 5.0) - ties(&heights)) / 18.0;
    let rest: Vec<f64> = floors
        .iter()
        .map(|(hour, bytes)| bytes - slope * hour)
        .collect();
    let deviation = (plain.max(0.0) * correction(&ranks(&rest))).sqrt();
    let z = if deviation > 0.0 {
        (s - s.signum()) / deviation
    } else {
        0.0
    };
    let z = if s == 0.0 { 0.0 } else { z };
    Kendall {
        z,
        p: upper_tail(z),
        deviation,
    }
}

/// Pairs that rise less pairs that fall.
fn rises(heights: &[f64]) -> f64 {
    let mut s = 0_i32;
    for (at, low) in heights.iter().enumerate() {
        for high in &heights[at + 1..] {
            s += i32::from(high > low) - i32::from(high < low);
        }
    }
    f64::from(s)
}

/// What ties take from the variance.
fn ties(heights: &[f64]) -> f64 {
    let mut sorted = heights.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let alike = sorted.chunk_by(|a, b| a == b).map(|tied| tied.len() as f64);
    alike.map(|t| t * (t - 1.0) * (2.0 * t + 5.0)).sum()
}

/// The mean rank for ties.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: &f64| values.iter().filter(|other| *other < value).count() as f64;
    let alike = |value: &f64| values.iter().filter(|other| *other == value).count() as f64;
    values
        .iter()
        .map(|value| below(value) + (alike(value) + 1.0) / 2.0)
        .collect()
}

/// n / n* of Hamed and Rao, at least 1, from autocorrelations of ranks that chance does not make
/// (5%, two sides).
fn correction(ranks: &[f64]) -> f64 {
    let n = ranks.len() as f64;
    let mean = ranks.iter().sum::<f64>() / n.max(1.0);
    let all: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    if all <= 0.0 || ranks.len() < 4 {
        return 1.0;
    }
    let chance = 1.96 / n.sqrt();
    let mut sum = 0.0;
    for lag in 1..ranks.len() - 2 {
        let pairs = ranks.iter().zip(&ranks[lag..]);
        let r = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / all;
        if r.abs() > chance {
            let left = n - lag as f64;
            sum += left * (left - 1.0) * (left - 2.0) * r;
        }
    }
    (1.0 + 2.0 * sum / (n * (n - 1.0) * (n - 2.0))).max(1.0)
}
