//! The test of Mann and Kendall as it stands in textbooks.

pub(crate) const ABOUT: &str = "Mann-Kendall without correction for autocorrelation on means of 60 s of the whole life, one-sided p < 0.01";

/// One-sided 1%.
const CRITICAL: f64 = 2.326;
/// Fewer say nothing.
const LEAST: usize = 8;

/// Whether there is a rising trend.
pub(super) fn fires(means: &[(f64, f64)]) -> bool {
    means.len() >= LEAST && z(means) > CRITICAL
}

/// The statistic, normal with unit variance where there is no trend and values are independent (Mann
/// 1945, Kendall 1975; ties do not occur in means of real numbers).
fn z(means: &[(f64, f64)]) -> f64 {
    let mut sum = 0_i64;
    for (index, (_, earlier)) in means.iter().enumerate() {
        for (_, later) in &means[index + 1..] {
            sum += i64::from(later > earlier) - i64::from(later < earlier);
        }
    }
    let count = means.len() as f64;
    let variance = count * (count - 1.0) * (2.0 * count + 5.0) / 18.0;
    (sum - sum.signum()) as f64 / variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_trend_in_noise_fires_and_noise_does_not_more_often_than_it_says() {
        let mut random = Random::new(1);
        let mut fired = [0, 0];
        for _ in 0..1000 {
            for (index, slope) in [0.0, 0.1].into_iter().enumerate() {
                let means: Vec<_> = (0..60)
                    .map(|x| (f64::from(x), f64::from(x) * slope + random.normal()))
                    .collect();
                fired[index] += u32::from(fires(&means));
            }
        }
        assert!(fired[0] < 25, "{} of 1000 without a trend", fired[0]);
        assert!(fired[1] > 950, "{} of 1000 with a trend", fired[1]);
    }
}
