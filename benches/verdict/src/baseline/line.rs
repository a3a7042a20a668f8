//! Least squares.

/// A straight line through points of (x, y).
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    mean_x: f64,
    mean_y: f64,
    pub(super) slope: f64,
}

impl Line {
    /// None of fewer than two different x.
    pub(super) fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let square: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let product: f64 = points
            .iter()
            .map(|(x, y)| (x - mean_x) * (y - mean_y))
            .sum();
        (square > 0.0).then(|| Self {
            mean_x,
            mean_y,
            slope: product / square,
        })
    }

    pub(super) fn at(&self, x: f64) -> f64 {
        self.mean_y + self.slope * (x - self.mean_x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again() {
        let points: Vec<_> = (0..5)
            .map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x)))
            .collect();
        let line = Line::fit(&points).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9);
        assert!((line.at(10.0) - 23.0).abs() < 1e-9);
    }

    #[test]
    fn one_point_is_no_line() {
        assert!(Line::fit(&[(1.0, 1.0)]).is_none());
        assert!(Line::fit(&[]).is_none());
    }
}
