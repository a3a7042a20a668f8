//! What is said of one series.

use serde::{Deserialize, Serialize};

/// The answer, worst last but for `Undetermined`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Too young to be judged.
    #[default]
    WarmingUp,
    /// Shown not to grow by more than a small share of the limit a day.
    Steady,
    /// It grows; whether that ends is not known.
    Growing,
    /// It grows without an end in sight, and its load does not explain it.
    Leaking,
    /// It falls again and again, but its floors rise.
    SawtoothLeak,
    /// Each of its lives grows until it is ended.
    RestartMaskedLeak,
    /// Neither growth nor its absence was shown.
    Undetermined,
}

/// An estimate with its band. An end that nothing bounds is the largest finite number of its sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Band {
    /// Both ends, as far as something bounds them.
    pub fn ends(&self) -> (Option<f64>, Option<f64>) {
        let bounded = |end: f64| (end.abs() < f64::MAX).then_some(end);
        (bounded(self.lower), bounded(self.upper))
    }
}

/// Time until the limit is reached, from the last reading on, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The estimate.
    pub seconds: f64,
    /// The band, calibrated to hold the true time nine times of ten on simulated series.
    pub lower: f64,
    /// None: it may never be.
    pub upper: Option<f64>,
}

/// What a test said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateOutcome {
    /// It speaks for a leak.
    Passed,
    /// It speaks against one.
    Failed,
    /// There is not enough to say.
    NotJudged,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Stable name: "trend", "persistence", "not_one_step", "size", "load", "age", "consecutive" …
    pub name: String,
    /// What it said.
    pub outcome: GateOutcome,
    /// What was measured, in `unit`.
    pub figure: f64,
    /// What it was held against.
    pub threshold: f64,
    /// "sigma", "bytes/h", "share", "s" …
    pub unit: String,
    /// In plain words.
    pub meaning: String,
}

/// What one look at a series says. Bytes and seconds; slopes are bytes per hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The answer.
    pub state: State,
    /// Slope of the line through the floors as they are, load's part included, with a band of 99%.
    pub slope: Band,
    /// The last floor.
    pub floor: f64,
    /// Time to the limit, where something is to be said.
    pub forecast: Option<Forecast>,
    /// Growth of the floors as they are for each receiving call, where there are calls.
    pub bytes_per_call: Option<f64>,
    /// Every test that was made.
    pub gates: Vec<Gate>,
    /// What could also be so, in plain words.
    pub not_excluded: Vec<String>,
    /// Chance that floors without a trend, load's part taken from them, would rise like this: for the
    /// control of false discoveries.
    pub p_value: f64,
}

impl State {
    /// Whether it is told as a leak.
    pub fn is_leak(self) -> bool {
        matches!(
            self,
            Self::Leaking | Self::SawtoothLeak | Self::RestartMaskedLeak
        )
    }
}

impl Default for Judgement {
    fn default() -> Self {
        Self {
            state: State::default(),
            slope: Band::default(),
            floor: 0.0,
            forecast: None,
            bytes_per_call: None,
            gates: Vec::new(),
            not_excluded: Vec::new(),
            p_value: 1.0,
        }
    }
}

impl Judgement {
    /// What a test said; none if it was not made.
    pub(super) fn outcome(&self, name: &str) -> Option<GateOutcome> {
        let gate = self.gates.iter().find(|gate| gate.name == name);
        gate.map(|gate| gate.outcome)
    }

    /// Whether all its numbers are numbers.
    pub(super) fn is_sound(&self) -> bool {
        let slope = [
            self.slope.value,
            self.slope.lower,
            self.slope.upper,
            self.floor,
            self.p_value,
        ];
        let forecast = self.forecast.iter().flat_map(|forecast| {
            [
                forecast.seconds,
                forecast.lower,
                forecast.upper.unwrap_or(0.0),
            ]
        });
        let gates = self
            .gates
            .iter()
            .flat_map(|gate| [gate.figure, gate.threshold]);
        let all = slope
            .into_iter()
            .chain(forecast)
            .chain(gates)
            .chain(self.bytes_per_call);
        all.into_iter().all(f64::is_finite)
    }
}
