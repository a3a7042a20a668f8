//! How far forecasts are off, for the calibration of their band.

use profiler_analysis::verdict::State;

use crate::{
    host::{HORIZONS, Outcome},
    score::quantile,
};

/// Of ln(truth / forecast).
const QUANTILES: [f64; 9] = [0.01, 0.025, 0.04, 0.1, 0.5, 0.9, 0.96, 0.975, 0.99];
/// Forecasts are put together by their length, in hours up to.
const LENGTHS: [f64; 5] = [1.0, 4.0, 12.0, 48.0, f64::INFINITY];

/// By horizon and length of the forecast, then by what bands are by: state and length.
pub(crate) fn print(outcomes: &[Outcome]) {
    let known: Vec<_> = outcomes.iter().filter_map(Residual::of).collect();
    let header: Vec<_> = QUANTILES.iter().map(|q| format!("{q:>8}")).collect();
    println!("ln(truth / forecast)");
    println!("{:<38} {:>5} {}", "", "n", header.join(" "));
    for hours in HORIZONS {
        let at: Vec<_> = known.iter().filter(|r| r.hours == hours).collect();
        row(&format!("{hours} h"), &at);
        by_length(&format!("{hours} h"), &at);
    }
    let mut states: Vec<_> = known.iter().map(|r| r.state).collect();
    states.sort_unstable();
    states.dedup();
    for state in states {
        let of: Vec<_> = known.iter().filter(|r| r.state == state).collect();
        row(state, &of);
        by_length(state, &of);
    }
}

fn by_length(name: &str, all: &[&Residual]) {
    let mut above = 0.0;
    for length in LENGTHS {
        let within = |r: &&Residual| r.forecast > above && r.forecast <= length;
        let of: Vec<_> = all.iter().copied().filter(within).collect();
        row(&format!("{name}, {above} to {length} h"), &of);
        above = length;
    }
}

struct Residual {
    hours: u32,
    /// As bands have it.
    state: &'static str,
    /// In hours.
    forecast: f64,
    log: f64,
}

impl Residual {
    fn of(outcome: &Outcome) -> Option<Self> {
        let (truth, forecast) = (outcome.truth?, outcome.forecast()?.seconds);
        (forecast > 0.0).then(|| Self {
            hours: outcome.hours,
            state: match outcome.verdict.judgement.state {
                State::RestartMaskedLeak => "restart-masked",
                State::Leaking | State::SawtoothLeak => "leaking",
                _ => "growing",
            },
            forecast: forecast / 3600.0,
            log: (truth / forecast).ln(),
        })
    }
}

fn row(name: &str, residuals: &[&Residual]) {
    let logs: Vec<_> = residuals.iter().map(|residual| residual.log).collect();
    let quantiles = QUANTILES.map(|share| {
        let value = quantile(logs.clone(), share);
        value.map_or_else(|| format!("{:>8}", "-"), |value| format!("{value:>8.3}"))
    });
    println!("{name:<38} {:>5} {}", logs.len(), quantiles.join(" "));
}
