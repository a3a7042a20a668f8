//! Slopes between all pairs of points.

use super::Floor;

/// Slopes of all pairs of floors, smallest first. Bytes per hour.
#[derive(Clone, Debug)]
pub(in super::super) struct Slopes(Vec<f64>);

impl Slopes {
    pub(in super::super) fn of(floors: &[Floor]) -> Self {
        let mut slopes = Vec::with_capacity(floors.len() * floors.len().saturating_sub(1) / 2);
        for (at, (from, low)) in floors.iter().enumerate() {
            for (to, high) in &floors[at + 1..] {
                if to > from {
                    slopes.push((high - low) / (to - from));
                }
            }
        }
        slopes.sort_unstable_by(f64::total_cmp);
        Self(slopes)
    }

    /// Sen's slope: their median (Sen, JASA 63, 1968). 0 without pairs.
    pub(in super::super) fn median(&self) -> f64 {
        middle(&self.0)
    }

    /// Both ends of the band that lies `z` standard deviations of Kendall's S about the median, by
    /// ranks (Gilbert, Statistical Methods for Environmental Pollution Monitoring, 16.4). Where there
    /// are too few pairs for a rank, no slope bounds that end: it is infinite.
    pub(in super::super) fn band(&self, z: f64, deviation: f64) -> (f64, f64) {
        let pairs = self.0.len() as f64;
        let reach = z * deviation;
        let low = ((pairs - reach) / 2.0).floor();
        let high = ((pairs + reach) / 2.0).ceil();
        let at = |rank: f64, outside: f64| {
            if rank >= 1.0 && rank <= pairs {
                self.0[rank as usize - 1]
            } else {
                outside
            }
        };
        (at(low, f64::NEG_INFINITY), at(high + 1.0, f64::INFINITY))
    }
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// 0 of nothing.
pub(in super::super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    middle(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(floors: u32) -> Vec<Floor> {
        (0..floors)
            .map(|at| (f64::from(at), f64::from(at * at)))
            .collect()
    }

    #[test]
    fn no_slope_bounds_what_there_are_too_few_pairs_for() {
        let open = (f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(Slopes::of(&line(0)).band(2.576, 0.0), open);
        assert_eq!(Slopes::of(&line(1)).band(2.576, 0.0), open);
        assert_eq!(Slopes::of(&line(4)).band(2.576, 2.9), open);
    }

    #[test]
    fn many_pairs_bound_both_ends() {
        let slopes = Slopes::of(&line(12));
        let (lower, upper) = slopes.band(2.576, 14.6);
        assert!(slopes.0[0] < lower && lower < slopes.median());
        assert!(slopes.median() < upper && upper < slopes.0[65]);
    }
}
