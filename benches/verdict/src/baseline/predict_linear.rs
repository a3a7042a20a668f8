//! The alert on `predict_linear` of Prometheus in its usual form.

use super::line::Line;
use crate::traffic::HOUR;

pub(crate) const ABOUT: &str = "predict_linear(container_memory_rss[1h], 4 * 3600) > container_spec_memory_limit_bytes > 0, scraped each 30 s";

/// As far ahead as the alert looks, in seconds.
const AHEAD: f64 = 4.0 * HOUR;

/// Whether the line through the last hour is above the limit in four hours. Like Prometheus it needs
/// two points; without a limit there is nothing to compare with.
pub(super) fn fires(hour: &[(f64, f64)], limit: Option<f64>) -> bool {
    let line = Line::fit(hour);
    let (Some(line), Some(limit), Some((now, _))) = (line, limit, hour.last()) else {
        return false;
    };
    line.at(now + AHEAD) > limit
}

/// Seconds until that line meets the limit.
pub(super) fn forecast(hour: &[(f64, f64)], limit: Option<f64>) -> Option<f64> {
    let line = Line::fit(hour)?;
    let (now, _) = hour.last()?;
    (line.slope > 0.0).then_some(((limit? - line.at(*now)) / line.slope).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 bytes at the end of the hour, and so many more with each hour.
    fn hour(slope: f64) -> Vec<(f64, f64)> {
        let at = |minute: i32| f64::from(minute) * 60.0;
        let value = |x: f64| 100.0 + slope * (x / HOUR - 1.0);
        (0..=60)
            .map(|minute| (at(minute), value(at(minute))))
            .collect()
    }

    #[test]
    fn it_fires_where_the_limit_is_less_than_four_hours_away() {
        assert!(fires(&hour(10.0), Some(139.0)));
        assert!(!fires(&hour(10.0), Some(141.0)));
        assert!(!fires(&hour(10.0), None));
        assert!(!fires(&[], Some(1.0)));
    }

    #[test]
    fn the_line_meets_the_limit_when_it_does() {
        let seconds = forecast(&hour(10.0), Some(120.0)).unwrap();
        assert!((seconds - 2.0 * HOUR).abs() < 1.0, "{seconds}");
        assert!(forecast(&hour(-10.0), Some(120.0)).is_none());
    }
}
