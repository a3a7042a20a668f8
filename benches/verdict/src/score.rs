//! Scores from outcomes.

use profiler_analysis::verdict::Forecast;
use serde::Serialize;

use crate::host::Outcome;

/// Shares from 0 to 1. None: there was nothing to take it of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Score {
    /// With both classes as large: TPR / (TPR + FPR).
    pub(crate) precision: Option<f64>,
    /// Of what leaks, the share that is called a leak.
    pub(crate) recall: Option<f64>,
    /// Of what does not leak, the share that is called a leak.
    pub(crate) false_positive_rate: Option<f64>,
    /// Median of |forecast - truth| / truth over leaking series where both are known.
    pub(crate) forecast_error: Option<f64>,
    /// The same over those that every rule that forecasts has a forecast for: rules that leave out
    /// what is hard can be compared by no other figure.
    pub(crate) common_error: Option<f64>,
    /// Share of those with a band closed at both ends whose truth lies in it; nominal 0.9.
    pub(crate) band_coverage: Option<f64>,
    /// Bands without an upper end, which say too little to be right or wrong.
    pub(crate) open_bands: usize,
    /// Series with both, and those that every rule that forecasts has a forecast for.
    pub(crate) forecasts: usize,
    pub(crate) common: usize,
    /// Leaking series whose truth is known, with a forecast or not; the share that has one.
    pub(crate) truths: usize,
    pub(crate) answered: Option<f64>,
    pub(crate) leaking: usize,
    pub(crate) benign: usize,
}

/// What one rule says of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) leaks: bool,
    pub(crate) called: bool,
    /// Seconds to the limit.
    pub(crate) truth: Option<f64>,
    pub(crate) forecast: Option<Forecast>,
    /// Whether every rule that forecasts has a forecast.
    pub(crate) common: bool,
    /// Whether the rule gives a band at all.
    pub(crate) banded: bool,
}

impl Score {
    pub(crate) fn of(answers: &[Answer]) -> Self {
        let rate = |leaks: bool| {
            let class = answers.iter().filter(|answer| answer.leaks == leaks);
            share(class.map(|answer| answer.called))
        };
        let (recall, false_positive_rate) = (rate(true), rate(false));
        let leaking = answers.iter().filter(|answer| answer.leaks).count();
        let known: Vec<_> = answers.iter().filter_map(Known::of).collect();
        let error = |of: &[&Known]| median(of.iter().map(|known| known.error()).collect());
        let common: Vec<_> = known.iter().filter(|known| known.answer.common).collect();
        let banded = known.iter().filter(|known| known.answer.banded);
        let (closed, open): (Vec<&Known>, Vec<&Known>) =
            banded.partition(|known| known.forecast.upper.is_some());
        let truths = answers.iter().filter(|answer| answer.truth.is_some());
        Self {
            precision: balanced(recall, false_positive_rate),
            recall,
            false_positive_rate,
            forecast_error: error(&known.iter().collect::<Vec<_>>()),
            common_error: error(&common),
            band_coverage: share(closed.iter().map(|known| known.is_in_band())),
            open_bands: open.len(),
            forecasts: known.len(),
            common: common.len(),
            truths: truths.clone().count(),
            answered: share(truths.map(|answer| answer.forecast.is_some())),
            leaking,
            benign: answers.len() - leaking,
        }
    }
}

/// An answer with both a forecast and the truth.
struct Known<'a> {
    answer: &'a Answer,
    truth: f64,
    forecast: Forecast,
}

impl<'a> Known<'a> {
    fn of(answer: &'a Answer) -> Option<Self> {
        Some(Self {
            answer,
            truth: answer.truth?,
            forecast: answer.forecast?,
        })
    }

    fn error(&self) -> f64 {
        ((self.forecast.seconds - self.truth) / self.truth).abs()
    }

    fn is_in_band(&self) -> bool {
        let upper = self.forecast.upper.unwrap_or(f64::INFINITY);
        self.forecast.lower <= self.truth && self.truth <= upper
    }
}

fn balanced(recall: Option<f64>, false_positive_rate: Option<f64>) -> Option<f64> {
    let (recall, false_positive_rate) = (recall?, false_positive_rate?);
    let called = recall + false_positive_rate;
    (called > 0.0).then_some(recall / called)
}

pub(crate) fn share(values: impl Iterator<Item = bool>) -> Option<f64> {
    let (mut all, mut held) = (0_u32, 0_u32);
    for value in values {
        all += 1;
        held += u32::from(value);
    }
    (all > 0).then(|| f64::from(held) / f64::from(all))
}

pub(crate) fn median(values: Vec<f64>) -> Option<f64> {
    quantile(values, 0.5)
}

/// Between the two nearest values, linearly.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = share * values.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    Some(values[below] + (values[above] - values[below]) * place.fract())
}

/// The rules that are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Verdict,
    PredictLinear,
    MannKendall,
    Coroot,
}

impl Rule {
    const FORECASTING: [Self; 2] = [Self::Verdict, Self::PredictLinear];
    pub(crate) const BASELINES: [Self; 3] = [Self::PredictLinear, Self::MannKendall, Self::Coroot];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::PredictLinear => "predict_linear",
            Self::MannKendall => "mann_kendall",
            Self::Coroot => "coroot",
        }
    }

    pub(crate) fn called(self, outcome: &Outcome) -> bool {
        match self {
            Self::Verdict => outcome.called(),
            Self::PredictLinear => outcome.said.predict_linear,
            Self::MannKendall => outcome.said.mann_kendall,
            Self::Coroot => outcome.said.coroot,
        }
    }

    fn forecast(self, outcome: &Outcome) -> Option<Forecast> {
        match self {
            Self::Verdict => outcome.forecast(),
            Self::PredictLinear => outcome.said.forecast.map(|seconds| Forecast {
                seconds,
                lower: seconds,
                upper: Some(seconds),
            }),
            Self::MannKendall | Self::Coroot => None,
        }
    }

    /// Of all series at a horizon, but for those whose leak is still to begin.
    pub(crate) fn score(self, outcomes: &[Outcome], hours: u32) -> Score {
        let at = outcomes.iter().filter(|outcome| outcome.hours == hours);
        let answers = at.filter_map(|outcome| {
            Some(Answer {
                leaks: outcome.leaks?,
                called: self.called(outcome),
                truth: outcome.truth,
                forecast: self.forecast(outcome),
                common: Self::FORECASTING
                    .iter()
                    .all(|rule| rule.forecast(outcome).is_some()),
                banded: self == Self::Verdict,
            })
        });
        Score::of(&answers.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(leaks: bool, called: bool) -> Answer {
        Answer {
            leaks,
            called,
            truth: None,
            forecast: None,
            common: false,
            banded: true,
        }
    }

    fn close(value: Option<f64>, expected: f64) -> bool {
        (value.unwrap() - expected).abs() < 1e-9
    }

    #[test]
    fn precision_does_not_hang_on_how_many_are_benign() {
        let mut answers = vec![answer(true, true); 8];
        answers.extend(vec![answer(true, false); 2]);
        answers.extend(vec![answer(false, true); 20]);
        answers.extend(vec![answer(false, false); 80]);
        let score = Score::of(&answers);
        assert!(close(score.recall, 0.8));
        assert!(close(score.false_positive_rate, 0.2));
        assert!(close(score.precision, 0.8));
        assert_eq!((score.leaking, score.benign), (10, 100));
    }

    #[test]
    fn nothing_called_has_no_precision() {
        let score = Score::of(&[answer(true, false), answer(false, false)]);
        assert_eq!(score.precision, None);
        assert_eq!(score.forecast_error, None);
        assert_eq!(score.band_coverage, None);
    }

    #[test]
    fn forecasts_are_scored_where_the_truth_is_known() {
        let with = |truth, seconds, lower, upper| Answer {
            truth,
            forecast: Some(Forecast {
                seconds,
                lower,
                upper,
            }),
            ..answer(true, true)
        };
        let score = Score::of(&[
            with(Some(100.0), 110.0, 90.0, Some(120.0)),
            with(Some(100.0), 150.0, 120.0, Some(200.0)),
            with(Some(100.0), 80.0, 70.0, None),
            with(None, 1.0, 1.0, Some(1.0)),
            answer(true, true),
        ]);
        assert!(close(score.forecast_error, 0.2));
        assert!(close(score.band_coverage, 0.5));
        assert_eq!((score.open_bands, score.forecasts, score.truths), (1, 3, 3));
    }

    #[test]
    fn leaving_out_what_is_hard_changes_the_share_answered_and_not_the_common_error() {
        let of = |seconds: Option<f64>, common| Answer {
            truth: Some(100.0),
            forecast: seconds.map(|seconds| Forecast {
                seconds,
                lower: seconds,
                upper: Some(seconds),
            }),
            common,
            ..answer(true, true)
        };
        let daring = Score::of(&[of(Some(120.0), true), of(Some(500.0), false)]);
        let careful = Score::of(&[of(Some(120.0), true), of(None, false)]);
        assert!(close(daring.common_error, 0.2) && close(careful.common_error, 0.2));
        assert!(close(daring.forecast_error, 2.1));
        assert!(close(daring.answered, 1.0) && close(careful.answered, 0.5));
        assert_eq!((daring.common, careful.common), (1, 1));
    }

    #[test]
    fn quantiles_lie_between_values() {
        let values = vec![3.0, 1.0, 2.0];
        assert!(close(quantile(values.clone(), 0.0), 1.0));
        assert!(close(quantile(values.clone(), 0.75), 2.5));
        assert!(close(quantile(values, 1.0), 3.0));
        assert_eq!(quantile(Vec::new(), 0.5), None);
    }
}
