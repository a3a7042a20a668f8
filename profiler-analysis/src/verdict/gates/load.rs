//! Is the growth what more load takes?

use super::super::Gate;
use super::super::look::{Line, Look};
use super::super::pyramid::Window;
use super::super::stats::Floor;
use super::{gate, trend::is_trend};

/// The share of the growth that must be left when load has been given its part.
const LEFT: f64 = 0.5;
/// Standard deviations of Kendall's S below which there is nothing to explain.
const GROWS: f64 = 1.0;
/// Standard errors by which load is given more than the estimate of its part.
const GENEROUS: f64 = 2.0;

/// What load stands for.
#[derive(Clone, Debug)]
pub(in super::super) struct Explained {
    /// In plain words.
    by: &'static str,
    /// Floors less the part that load explains.
    pub(in super::super) floors: Vec<Floor>,
    /// The line through what is left.
    pub(in super::super) line: Line,
}

type Measure = (&'static str, fn(&Window) -> f64, bool);

/// Levels of load, and whether memory is taken to stay at what the largest so far took.
const MEASURES: [Measure; 5] = [
    ("bytes received", |window| f64::from(window.bytes), false),
    ("calls received", |window| f64::from(window.calls), false),
    ("open connections", |window| f64::from(window.open), false),
    (
        "the most calls received",
        |window| f64::from(window.calls),
        true,
    ),
    (
        "the most open connections",
        |window| f64::from(window.open),
        true,
    ),
];

/// The measure of load that explains most of the growth.
/// None where there is next to no growth.
pub(in super::super) fn explain(look: &Look, line: &Line) -> Option<Explained> {
    if line.kendall.z < GROWS {
        return None;
    }
    let explained = MEASURES.iter().filter_map(|(by, of, most)| {
        let mut peak = 0.0_f64;
        let level = look.windows.iter().map(|window| {
            peak = peak.max(of(window));
            if *most { peak } else { of(window) }
        });
        let level: Vec<f64> = level.collect();
        let cost = cost(&look.floors, &level)?;
        let base = level.first().copied()?;
        let rest = look
            .floors
            .iter()
            .zip(&level)
            .map(|((at, bytes), load)| (*at, bytes - cost * (load - base)));
        let floors: Vec<Floor> = rest.collect();
        let line = Line::through(&floors);
        Some(Explained { by, floors, line })
    });
    explained.min_by(|a, b| a.line.slope.total_cmp(&b.line.slope))
}

/// Bytes for each unit of load, as many as can be so.
///
/// Least squares of floors on time and load together says what load takes where the two go apart.
/// Where they go together its error is large, and load is given what it can have: the upper end of
/// the estimate, but not more than the regression on load alone gives it. None where floors do not
/// follow load.
fn cost(floors: &[Floor], load: &[f64]) -> Option<f64> {
    let times: Vec<f64> = floors.iter().map(|floor| floor.0).collect();
    let bytes: Vec<f64> = floors.iter().map(|floor| floor.1).collect();
    let (t, y, x) = (centred(&times), centred(&bytes), centred(load));
    let (tt, xx, tx) = (dot(&t, &t), dot(&x, &x), dot(&t, &x));
    let (ty, xy) = (dot(&t, &y), dot(&x, &y));
    let alone = xy / xx;
    let free = xx - tx * tx / tt;
    if !alone.is_finite() || alone <= 0.0 || free.is_nan() {
        return None;
    }
    if free <= xx * 1e-6 {
        return Some(alone);
    }
    let joint = (xy - tx * ty / tt) / free;
    let pace = (ty - joint * tx) / tt;
    let rest: Vec<f64> = (0..y.len())
        .map(|i| y[i] - joint * x[i] - pace * t[i])
        .collect();
    let alike = memory(&rest);
    let freedom = (y.len() as f64 - 3.0).max(1.0);
    let error = (dot(&rest, &rest) / freedom / free * (1.0 + alike) / (1.0 - alike)).sqrt();
    let most = (joint + GENEROUS * error).min(alone);
    (most > 0.0).then_some(most)
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|value| value - mean).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Autocorrelation of neighbours, as far as it makes errors larger.
fn memory(rest: &[f64]) -> f64 {
    let all = dot(rest, rest);
    if all <= 0.0 || rest.is_empty() {
        return 0.0;
    }
    (dot(&rest[1..], &rest[..rest.len() - 1]) / all).clamp(0.0, 0.9)
}

/// Whether growth is left when load has been given its part: a large share of it, and more than
/// chance makes.
pub(in super::super) fn load(line: &Line, explained: Option<&Explained>) -> Gate {
    let Some(explained) = explained else {
        let meaning = "growth does not follow load".to_owned();
        return gate("load", true, 1.0, LEFT, "share", meaning);
    };
    let left = if line.slope > 0.0 {
        explained.line.slope / line.slope
    } else {
        0.0
    };
    let enough = left >= LEFT;
    let passed = enough && is_trend(&explained.line);
    let by = explained.by;
    let meaning = if passed {
        format!("more growth than can follow {by}")
    } else if enough {
        format!("what cannot follow {by} does not rise by more than chance makes it")
    } else {
        format!("growth follows {by}")
    };
    gate("load", passed, left, LEFT, "share", meaning)
}
