//! The outcome, for people and for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    program::{Program, Truth},
    watch::Watch,
};

/// The whole outcome.
#[derive(Serialize)]
pub(super) struct Corpus {
    bench: &'static str,
    seconds: u64,
    programs: Vec<Row>,
}

/// One program.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    what: &'static str,
    truth: Truth,
    /// The state at the end, and every state on the way, each once.
    state: String,
    states: Vec<String>,
    /// Whether it was said to leak at any time.
    ever_said_to_leak: bool,
    anon_bytes: u64,
    slope_bytes_per_hour: f64,
    time_to_limit_seconds: Option<f64>,
    right: bool,
}

impl Corpus {
    pub(super) fn new(
        programs: impl Iterator<Item = &'static Program>,
        watch: &Watch,
        time: Duration,
    ) -> Self {
        Self {
            bench: "corpus",
            seconds: time.as_secs(),
            programs: programs.map(|program| Row::new(program, watch)).collect(),
        }
    }

    /// Every verdict agrees with what its program does.
    pub(super) fn is_right(&self) -> bool {
        self.programs.iter().all(|row| row.right)
    }
}

impl Row {
    fn new(program: &'static Program, watch: &Watch) -> Self {
        let said = watch.said(program.name);
        let mut states: Vec<String> = said.iter().map(|verdict| verdict.state()).collect();
        states.dedup();
        let ever = said.iter().any(|verdict| verdict.says_leak());
        let last = said.last();
        let leak_at_end = last.is_some_and(|verdict| verdict.says_leak());
        Self {
            name: program.name,
            what: program.what,
            truth: program.truth,
            state: last.map_or_else(|| "none".to_owned(), |verdict| verdict.state()),
            states,
            ever_said_to_leak: ever,
            anon_bytes: last.map_or(0, |verdict| verdict.anon_bytes()),
            slope_bytes_per_hour: last.map_or(0.0, |verdict| verdict.slope_bytes_per_hour),
            time_to_limit_seconds: last.and_then(|verdict| verdict.time_to_limit_seconds),
            right: last.is_some()
                && match program.truth {
                    Truth::Leaks => leak_at_end,
                    Truth::Bounded => !ever,
                    Truth::FillsForLong => !leak_at_end,
                },
        }
    }
}

impl fmt::Display for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| program | what it does | leaks | verdict | on the way | MiB | right |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for row in &self.programs {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} |",
                row.name,
                row.what,
                match row.truth {
                    Truth::Leaks => "yes",
                    Truth::Bounded => "no",
                    Truth::FillsForLong => "no, but fills for long",
                },
                row.state,
                row.states.join(", "),
                row.anon_bytes >> 20,
                if row.right { "yes" } else { "**no**" },
            )?;
        }
        let right = self.programs.iter().filter(|row| row.right).count();
        writeln!(
            f,
            "\n{right} of {} are right, after {} s",
            self.programs.len(),
            self.seconds
        )
    }
}
