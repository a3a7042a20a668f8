//! The forecast as it stands at each reading: the engine looks at an old series only now and then.

use profiler_analysis::verdict::{Forecast, Judgement, Sample};

/// Bytes that are below this share of those at the forecast end what it went on from.
const FELL: f64 = 0.9;
const SECOND: f64 = 1e9;
const HOUR: f64 = 3600.0;

/// A forecast, and the reading it was first seen with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forecasted {
    forecast: Forecast,
    /// Bytes a second.
    slope: f64,
    of: Sample,
}

impl Forecasted {
    /// The one of this judgement, which may be the one from before.
    pub(super) fn after(
        before: Option<Self>,
        judgement: &Judgement,
        reading: Sample,
    ) -> Option<Self> {
        let new = Self {
            forecast: judgement.forecast?,
            slope: judgement.slope.value / HOUR,
            of: reading,
        };
        let is_same = |old: &Self| old.forecast == new.forecast && old.slope == new.slope;
        Some(before.filter(is_same).unwrap_or(new))
    }

    /// At a later reading: nearer by the time between them, and by what the limit has changed. None
    /// if memory fell meanwhile, if there is no limit any more, or if the slope says nothing.
    pub(super) fn at(&self, now: Sample) -> Option<Forecast> {
        let limit = now.limit? as f64 - self.of.limit? as f64;
        if (now.bytes as f64) < self.of.bytes as f64 * FELL || self.slope <= 0.0 {
            return None;
        }
        let elapsed = now.time.saturating_sub(self.of.time) as f64 / SECOND;
        let later = limit / self.slope - elapsed;
        let moved = |seconds: f64| (seconds + later).max(0.0);
        Some(Forecast {
            seconds: moved(self.forecast.seconds),
            lower: moved(self.forecast.lower),
            upper: self.forecast.upper.map(moved),
        })
    }
}

#[cfg(test)]
mod tests {
    use profiler_analysis::verdict::Band;

    use super::*;

    fn reading(second: u64, bytes: u64, limit: u64) -> Sample {
        Sample {
            time: second * 1_000_000_000,
            bytes,
            limit: (limit > 0).then_some(limit),
            ..Sample::default()
        }
    }

    /// At 1,000 of 2,000 bytes, which are reached in 1,000 s.
    fn forecasted() -> Forecasted {
        let judgement = Judgement {
            forecast: Some(Forecast {
                seconds: 1_000.0,
                lower: 500.0,
                upper: None,
            }),
            slope: Band {
                value: HOUR,
                ..Band::default()
            },
            ..Judgement::default()
        };
        let first = Forecasted::after(None, &judgement, reading(10, 1_000, 2_000));
        let later = Forecasted::after(first, &judgement, reading(20, 1_010, 2_000));
        assert_eq!(first, later, "nothing was looked at anew");
        later.expect("a forecast")
    }

    fn seconds(now: Sample) -> Option<f64> {
        forecasted().at(now).map(|forecast| forecast.seconds)
    }

    #[test]
    fn a_limit_comes_nearer_with_time_and_further_where_it_is_raised() {
        assert_eq!(seconds(reading(10, 1_000, 2_000)), Some(1_000.0));
        assert_eq!(seconds(reading(610, 1_600, 2_000)), Some(400.0));
        assert_eq!(seconds(reading(610, 1_600, 3_000)), Some(1_400.0));
        assert_eq!(seconds(reading(5_000, 1_900, 2_000)), Some(0.0));
    }

    #[test]
    fn what_fell_or_has_no_limit_has_no_forecast() {
        assert_eq!(seconds(reading(20, 800, 2_000)), None);
        assert_eq!(seconds(reading(20, 1_000, 0)), None);
    }
}
