//! Intervals for figures that are made of sums over connections.

use super::Interval;
use crate::student::student;

/// The figure that `statistic` makes of the column sums of `rows`, with its 95% interval by the
/// delete-one jackknife (Efron and Stein 1981) and Student's t. None where it is not defined.
pub(super) fn interval<const N: usize>(
    rows: &[[f64; N]],
    statistic: impl Fn(&[f64; N]) -> Option<f64>,
) -> Option<Interval> {
    let count = rows.len() as f64;
    let sums = rows.iter().fold([0.0; N], |sums, row| {
        std::array::from_fn(|column| sums[column] + row[column])
    });
    let value = statistic(&sums)?;
    let without = |row: &[f64; N]| statistic(&std::array::from_fn(|n| sums[n] - row[n]));
    let estimates: Vec<f64> = rows.iter().map(without).collect::<Option<_>>()?;
    if estimates.len() < 2 {
        return None;
    }
    let mean = estimates.iter().sum::<f64>() / count;
    let squares: f64 = estimates.iter().map(|one| (one - mean).powi(2)).sum();
    let half = student(count - 1.0) * (squares * (count - 1.0) / count).sqrt();
    let interval = Interval {
        value,
        low: value - half,
        high: value + half,
    };
    (interval.low.is_finite() && interval.high.is_finite()).then_some(interval)
}

/// First sum over second.
pub(super) fn ratio(sums: &[f64; 2]) -> Option<f64> {
    (sums[1] > 0.0).then(|| sums[0] / sums[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_mean_it_is_the_textbook_interval() {
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0].map(|value| [value, 1.0]);
        let mean = interval(&rows, ratio).unwrap();
        let half = 2.776 * (2.5_f64 / 5.0).sqrt();
        assert!((mean.value - 3.0).abs() < 1e-9);
        assert!((mean.high - 3.0 - half).abs() < 0.02, "{mean:?}");
        assert!((3.0 - half - mean.low).abs() < 0.02, "{mean:?}");
    }

    #[test]
    fn needs_two_rows_and_a_figure_without_each() {
        assert_eq!(interval(&[[1.0, 1.0]], ratio), None);
        assert_eq!(interval(&[[1.0, 1.0], [1.0, 0.0]], ratio), None);
        assert_eq!(interval(&[], ratio), None);
    }
}
