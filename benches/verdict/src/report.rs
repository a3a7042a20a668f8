//! The result, as a table and as JSON.

use std::{collections::BTreeMap, fmt};

use profiler_analysis::verdict::State;
use serde::Serialize;

use crate::{
    baseline,
    host::{HORIZONS, Outcome},
    score::{Rule, Score, share},
    shapes::Kind,
    speed::Speed,
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) bench: &'static str,
    pub(crate) seed: u64,
    pub(crate) set: &'static str,
    pub(crate) series: usize,
    pub(crate) hosts: usize,
    pub(crate) h6: Score,
    pub(crate) h24: Score,
    pub(crate) baselines: BTreeMap<&'static str, Baseline>,
    pub(crate) shapes: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) engine: Option<Speed>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Baseline {
    about: &'static str,
    h6: Score,
    h24: Score,
}

/// One shape.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    shape: &'static str,
    leaks: bool,
    h6: Cell,
    h24: Cell,
}

/// One shape at one horizon.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    series: usize,
    /// Share that is called a leak by each rule.
    called: BTreeMap<&'static str, Option<f64>>,
    /// Share that the verdict called a leak at any time until then.
    ever_called: Option<f64>,
    states: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn new(seed: u64, set: &'static str, hosts: usize, outcomes: &[Outcome]) -> Self {
        let [early, late] = HORIZONS;
        let about = |rule| match rule {
            Rule::Verdict => "",
            Rule::PredictLinear => baseline::PREDICT_LINEAR,
            Rule::MannKendall => baseline::MANN_KENDALL,
            Rule::Coroot => baseline::COROOT,
        };
        let baselines = Rule::BASELINES.map(|rule| {
            let scores = Baseline {
                about: about(rule),
                h6: rule.score(outcomes, early),
                h24: rule.score(outcomes, late),
            };
            (rule.name(), scores)
        });
        Self {
            bench: "verdict",
            seed,
            set,
            series: outcomes.len() / HORIZONS.len(),
            hosts,
            h6: Rule::Verdict.score(outcomes, early),
            h24: Rule::Verdict.score(outcomes, late),
            baselines: baselines.into(),
            shapes: Kind::ALL.map(|kind| Row::new(kind, outcomes)).into(),
            engine: None,
        }
    }
}

impl Row {
    fn new(kind: Kind, outcomes: &[Outcome]) -> Self {
        let [h6, h24] = HORIZONS.map(|hours| {
            let of = |outcome: &&Outcome| {
                outcome.kind == kind && outcome.hours == hours && outcome.leaks.is_some()
            };
            Cell::new(&outcomes.iter().filter(of).collect::<Vec<_>>())
        });
        Self {
            shape: kind.name(),
            leaks: kind.leaks(),
            h6,
            h24,
        }
    }
}

impl Cell {
    fn new(outcomes: &[&Outcome]) -> Self {
        let mut rules = vec![Rule::Verdict];
        rules.extend(Rule::BASELINES);
        let called = rules.into_iter().map(|rule| {
            let called = outcomes.iter().map(|outcome| rule.called(outcome));
            (rule.name(), share(called))
        });
        let mut states = BTreeMap::new();
        for outcome in outcomes {
            let state = state_name(outcome.verdict.judgement.state);
            *states.entry(state.to_owned()).or_default() += 1;
        }
        Self {
            series: outcomes.len(),
            called: called.collect(),
            ever_called: share(outcomes.iter().map(|outcome| outcome.ever_called)),
            states,
        }
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::WarmingUp => "warming-up",
        State::Steady => "steady",
        State::Growing => "growing",
        State::Leaking => "leaking",
        State::SawtoothLeak => "sawtooth-leak",
        State::RestartMaskedLeak => "restart-masked-leak",
        State::Undetermined => "undetermined",
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.1}%", value * 100.0))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} series on {} hosts, seed {} ({})\n",
            self.series, self.hosts, self.seed, self.set
        )?;
        writeln!(
            f,
            "{:<24} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6} {:>9}",
            "", "precision", "recall", "FPR", "error", "common", "coverage", "open", "answered"
        )?;
        line(f, "verdict, 6 h", &self.h6)?;
        line(f, "verdict, 24 h", &self.h24)?;
        for (name, baseline) in &self.baselines {
            line(f, &format!("{name}, 6 h"), &baseline.h6)?;
            line(f, &format!("{name}, 24 h"), &baseline.h24)?;
        }
        writeln!(f, "\nCalled a leak, by shape")?;
        for (title, cell) in [("6 h", Row::h6 as fn(&Row) -> &Cell), ("24 h", Row::h24)] {
            self.shapes(f, title, cell)?;
        }
        for (name, baseline) in &self.baselines {
            writeln!(f, "\n{name}: {}", baseline.about)?;
        }
        self.engine
            .iter()
            .try_for_each(|speed| write!(f, "\n{speed}"))
    }
}

impl Row {
    fn h6(&self) -> &Cell {
        &self.h6
    }

    fn h24(&self) -> &Cell {
        &self.h24
    }
}

impl Report {
    fn shapes(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        cell: fn(&Row) -> &Cell,
    ) -> fmt::Result {
        writeln!(
            f,
            "{:<24} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}  states",
            format!("\nat {title}"),
            "series",
            "verdict",
            "ever",
            "predict",
            "M-K",
            "Coroot"
        )?;
        for row in &self.shapes {
            let cell = cell(row);
            let of = |rule: Rule| percent(cell.called.get(rule.name()).copied().flatten());
            let states = cell.states.iter();
            let states: Vec<_> = states
                .map(|(state, count)| format!("{state} {count}"))
                .collect();
            writeln!(
                f,
                "{:<23} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}  {}",
                row.shape,
                cell.series,
                of(Rule::Verdict),
                percent(cell.ever_called),
                of(Rule::PredictLinear),
                of(Rule::MannKendall),
                of(Rule::Coroot),
                states.join(", ")
            )?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, score: &Score) -> fmt::Result {
    writeln!(
        f,
        "{:<24} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6} {:>9}",
        name,
        percent(score.precision),
        percent(score.recall),
        percent(score.false_positive_rate),
        percent(score.forecast_error),
        percent(score.common_error),
        percent(score.band_coverage),
        score.open_bands,
        percent(score.answered),
    )
}
