//! A straight line through points.

/// Least squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    at: f64,
    level: f64,
}

impl Line {
    /// Through `(x, y)`; flat where all have the same x.
    pub(super) fn through(points: &[(f64, f64)]) -> Self {
        let count = (points.len() as f64).max(1.0);
        let at = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let level = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|(x, _)| (x - at).powi(2)).sum();
        let joint: f64 = points.iter().map(|(x, y)| (x - at) * (y - level)).sum();
        let slope = if spread > 0.0 { joint / spread } else { 0.0 };
        Self { slope, at, level }
    }

    /// What is left of each point, scaled up for what the two parameters took (Efron and Tibshirani
    /// 1993, 9.5).
    pub(super) fn residuals(&self, points: &[(f64, f64)]) -> Vec<f64> {
        let count = points.len() as f64;
        let scale = (count / (count - 2.0).max(1.0)).sqrt();
        let left = |(x, y): &(f64, f64)| (y - self.level - self.slope * (x - self.at)) * scale;
        points.iter().map(left).collect()
    }
}

/// How much a residual at each point adds to the slope: slopes are linear in the values.
pub(super) fn leverage(points: &[(f64, f64)]) -> Vec<f64> {
    let at = points.iter().map(|(x, _)| x).sum::<f64>() / (points.len() as f64).max(1.0);
    let spread: f64 = points.iter().map(|(x, _)| (x - at).powi(2)).sum();
    let part = |(x, _): &(f64, f64)| match spread > 0.0 {
        true => (x - at) / spread,
        false => 0.0,
    };
    points.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_points_on_a_line_nothing_is_left() {
        let points: Vec<_> = (0..10)
            .map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x)))
            .collect();
        let line = Line::through(&points);
        assert!((line.slope - 2.0).abs() < 1e-9);
        assert!(line.residuals(&points).iter().all(|left| left.abs() < 1e-9));
    }

    #[test]
    fn leverage_makes_the_slope() {
        let points = [(0.0, 5.0), (1.0, 1.0), (4.0, 9.0), (5.0, 2.0)];
        let sum: f64 = leverage(&points)
            .iter()
            .zip(points)
            .map(|(part, (_, y))| part * y)
            .sum();
        assert!((sum - Line::through(&points).slope).abs() < 1e-9);
        assert!(Line::through(&[(1.0, 2.0), (1.0, 4.0)]).slope.abs() < 1e-9);
        assert!(leverage(&[]).is_empty());
    }
}
