//! What the suites came to.

use std::{fmt, time::Duration};

/// A test that did not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// What one suite came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) passed: usize,
    /// Names of what failed, or sentences where a name says too little.
    pub(crate) failed: Vec<String>,
    pub(crate) skipped: Vec<Skip>,
}

impl Outcome {
    /// A suite that could not be run to its end.
    pub(crate) fn failed(why: &str) -> Self {
        Self {
            failed: vec![why.to_owned()],
            ..Self::default()
        }
    }

    /// Notes one check.
    pub(crate) fn note(&mut self, name: &str, result: Result<(), anyhow::Error>) {
        match result {
            Ok(()) => {
                eprintln!("{name}: ok");
                self.passed += 1;
            }
            Err(error) => {
                eprintln!("{name}: FAILED: {error:#}");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// Notes something that can't be checked here.
    pub(crate) fn skip(&mut self, name: &str, reason: &str) {
        eprintln!("{name}: skipped: {reason}");
        self.skipped.push(Skip {
            name: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Takes over what another outcome holds, its names led by `prefix`.
    pub(crate) fn absorb(&mut self, prefix: &str, other: Self) {
        let named = |name: String| format!("{prefix}: {name}");
        self.passed += other.passed;
        self.failed.extend(other.failed.into_iter().map(named));
        self.skipped
            .extend(other.skipped.into_iter().map(|skip| Skip {
                name: named(skip.name),
                reason: skip.reason,
            }));
    }
}

/// What all suites came to; displayed as a table with one plain line at its end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) suites: Vec<(String, Duration, Outcome)>,
}

impl Report {
    pub(crate) fn add(&mut self, suite: &str, duration: Duration, outcome: Outcome) {
        self.suites.push((suite.to_owned(), duration, outcome));
    }

    pub(crate) fn passed(&self) -> bool {
        self.suites
            .iter()
            .all(|(_, _, outcome)| outcome.failed.is_empty())
    }

    fn sum(&self, count: impl Fn(&Outcome) -> usize) -> usize {
        self.suites
            .iter()
            .map(|(_, _, outcome)| count(outcome))
            .sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<14} {:<7} {:>8} {:>7} {:>7} {:>8}",
            "suite", "result", "seconds", "passed", "failed", "skipped"
        )?;
        for (suite, duration, outcome) in &self.suites {
            let result = if !outcome.failed.is_empty() {
                "FAILED"
            } else if outcome.passed == 0 && !outcome.skipped.is_empty() {
                "skipped"
            } else {
                "ok"
            };
            writeln!(
                f,
                "{suite:<14} {result:<7} {:>8.1} {:>7} {:>7} {:>8}",
                duration.as_secs_f64(),
                outcome.passed,
                outcome.failed.len(),
                outcome.skipped.len()
            )?;
        }
        for (suite, _, outcome) in &self.suites {
            for Skip { name, reason } in &outcome.skipped {
                writeln!(f, "skipped: {suite}: {name}: {reason}")?;
            }
        }
        for (suite, _, outcome) in &self.suites {
            for name in &outcome.failed {
                writeln!(f, "failed: {suite}: {name}")?;
            }
        }
        writeln!(
            f,
            "{} passed, {} failed, {} skipped",
            self.sum(|outcome| outcome.passed),
            self.sum(|outcome| outcome.failed.len()),
            self.sum(|outcome| outcome.skipped.len())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_sums_up_and_a_failure_fails_the_whole() {
        let mut report = Report::default();
        let ok = Outcome {
            passed: 3,
            ..Outcome::default()
        };
        report.add("unit", Duration::from_millis(1500), ok);
        assert!(report.passed());
        let mut bad = Outcome::failed("storm");
        bad.skipped.push(Skip {
            name: "fexit".into(),
            reason: "refused by this kernel".into(),
        });
        report.add("integration", Duration::ZERO, bad);
        assert!(!report.passed());
        let text = report.to_string();
        assert_eq!(text.lines().last(), Some("3 passed, 1 failed, 1 skipped"));
        assert!(text.contains("skipped: integration: fexit: refused by this kernel\n"));
        assert!(text.contains("failed: integration: storm\n"));
    }
}
