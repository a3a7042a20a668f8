//! When the limit is reached, if it goes on like this.

use super::look::{Line, Look};
use super::stats::median;
use super::{Forecast, State};

/// Windows from which the height of the peaks above the line is taken.
const RECENT: usize = 8;
/// Nothing is said of what is further away than this many shortest windows: a hundred days.
const FAR: f64 = 100.0 * 24.0 * 60.0;

/// Lengths of a forecast by which bands differ, up to, in shortest windows: hours of minutes.
const LENGTHS: [f64; 5] = [60.0, 240.0, 720.0, 2880.0, f64::INFINITY];

/// Factors from the estimate to the ends of its band, by its length. They are the 4th and the 96th
/// percentile of true time over estimate on simulated series, two percent wider than nine of ten, so
/// that bands hold about nine of ten on other simulated ones (after split conformal prediction, Lei et
/// al., JASA 113, 2018). Of real programs nothing is known. Near a limit the estimate falls short, for
/// a peak is not yet an end; far from it, it goes too far.
type Bands = [(f64, f64); 5];
const GROWING: Bands = [
    (0.90, 12.71),
    (0.58, 4.46),
    (0.58, 2.25),
    (0.45, 1.92),
    (0.33, 1.23),
];
const LEAKING: Bands = [
    (0.70, 14.17),
    (0.70, 4.73),
    (0.69, 2.21),
    (0.84, 1.61),
    (0.80, 1.17),
];
const RESTARTED: Bands = [
    (0.88, 6.77),
    (0.83, 2.93),
    (0.65, 1.87),
    (0.38, 1.53),
    (0.33, 1.42),
];

/// Where the peaks are now, by the line's slope.
pub(super) fn top(look: &Look, line: &Line, now: f64, bytes: f64) -> f64 {
    let recent = look.windows.iter().zip(&look.floors).rev().take(RECENT);
    let heights = recent.map(|(window, (at, _))| window.max as f64 + line.slope * (now - at));
    median(heights).max(bytes)
}

/// Time until peaks at `top` with the line's slope reach the limit, without a band yet. `seconds` is
/// the length of a shortest window.
pub(super) fn forecast(line: &Line, top: f64, limit: f64, seconds: f64) -> Option<Forecast> {
    if limit <= 0.0 || line.slope <= 0.0 {
        return None;
    }
    let windows = (limit - top).max(0.0) / line.slope;
    if windows.is_nan() || windows > FAR {
        return None;
    }
    let estimate = windows * seconds;
    Some(Forecast {
        seconds: estimate,
        lower: estimate,
        upper: (line.lower > 0.0).then_some(estimate),
    })
}

/// With the band for what is said of the series. `seconds` is the length of a shortest window.
pub(super) fn banded(forecast: Forecast, state: State, seconds: f64) -> Forecast {
    let bands = match state {
        State::RestartMaskedLeak => &RESTARTED,
        State::Leaking | State::SawtoothLeak => &LEAKING,
        _ => &GROWING,
    };
    let length = forecast.seconds / seconds;
    let at = LENGTHS.iter().position(|most| length <= *most);
    let (lower, upper) = bands[at.unwrap_or(LENGTHS.len() - 1)];
    Forecast {
        lower: forecast.seconds * lower,
        upper: forecast.upper.map(|_| forecast.seconds * upper),
        ..forecast
    }
}
