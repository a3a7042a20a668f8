//! Whether a new version holds on to more memory than the old one: the slopes of their floors, and
//! bytes per request, at equal age of the processes.
//!
//! A floor is the smallest reading of a stretch of time, so that what is given back in between does
//! not count. At equal age both warm up alike, and what is left is the difference between them. Bands
//! come from a circular block bootstrap of residuals, since readings that follow each other are alike. They stand for the variation within the lives that were compared, not for that
//! between lives: a second canary may differ by more.

mod align;
mod block;
mod bootstrap;
mod decide;
mod line;
mod random;
mod side;

use serde::Serialize;

pub use align::Ages;

/// A window of one life.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// Age of the process at its end, in seconds.
    pub age: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// The smallest reading, in bytes.
    pub floor: f64,
    /// Receiving calls per second.
    pub calls: f64,
}

/// Windows of one process or container, oldest first.
pub type Life = Vec<Window>;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// Ages that are compared at most, in seconds.
    pub ages: Ages,
    /// How much more the canary may grow.
    pub margin: Margin,
    /// Draws of the bootstrap.
    pub draws: usize,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            ages: Ages {
                from: 600.0,
                to: f64::INFINITY,
            },
            margin: Margin::Share(0.01),
            draws: 2_000,
        }
    }
}

/// Growth that makes no difference, per hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Margin {
    /// Bytes.
    Bytes(f64),
    /// A share of the baseline's mean floor.
    Share(f64),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The canary was shown not to grow faster by more than the margin.
    Pass,
    /// It was shown to grow faster by more than that.
    Fail,
    /// Neither was shown.
    Inconclusive,
}

/// An estimate with its band of 95%.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Band {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// The lives of one version, over the ages that are compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// How many.
    pub lives: usize,
    /// Mean of their floors, in bytes.
    pub floor_bytes: f64,
    /// Mean of the slopes of their floors.
    pub slope_bytes_per_hour: Band,
    /// Mean of one life's.
    pub calls_per_second: f64,
    /// Slope over calls; none without calls.
    pub bytes_per_request: Option<Band>,
}

/// What both have, and what was made of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Ages that both have, in seconds.
    pub ages: Ages,
    /// Stretches of these ages that all have a reading of, and how long each is.
    pub bins: usize,
    /// In seconds.
    pub bin_seconds: f64,
    /// The old version.
    pub baseline: Side,
    /// The new one.
    pub canary: Side,
    /// Slope of the canary less that of the baseline.
    pub slope_difference: Band,
    /// The same if the canary were called as often as the baseline and grew by each call as it does;
    /// none where one of them is not called.
    pub slope_difference_at_equal_load: Option<Band>,
    /// The canary's over the baseline's; none where the baseline was not shown to grow at all.
    pub bytes_per_request_ratio: Option<Band>,
    /// In bytes per hour.
    pub margin_bytes_per_hour: f64,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The answer.
    pub outcome: Outcome,
    /// Why, in plain words.
    pub reason: String,
    /// None where there was nothing to compare.
    pub figures: Option<Figures>,
}

/// Compares lives of two versions. The same lives give the same answer.
pub fn compare(baseline: &[Life], canary: &[Life], question: &Question) -> Comparison {
    let aligned = match align::align(baseline, canary, question.ages) {
        Ok(aligned) => aligned,
        Err(reason) => {
            return Comparison {
                outcome: Outcome::Inconclusive,
                reason,
                figures: None,
            };
        }
    };
    let figures = side::figures(&aligned, question);
    let (outcome, reason) = decide::decide(&figures);
    Comparison {
        outcome,
        reason,
        figures: Some(figures),
    }
}

#[cfg(test)]
mod tests;
