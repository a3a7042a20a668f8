//! Runs the suites and sums them up.

pub(crate) mod integration;
mod kill;
mod lint;
pub(crate) mod report;
pub(crate) mod stream;
mod unit;

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    build,
    setup::{self, Purpose},
    vm,
};
use report::{Outcome, Report};

/// Runs the tests: lints, unit and property tests, integration tests as root on this kernel, kills.
///
/// A suite that fails does not keep the next from running. The last line is
/// `N passed, N failed, N skipped`; what was skipped stands above it with the reason.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The suites to run, in this order [default: lint unit integration kill]
    #[arg(value_enum)]
    suites: Vec<Suite>,
    /// Run only the unit and integration tests whose name contains this.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// How often the suite `kill` kills [default: 100; 15 where no suite is named]
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Formatting, clippy, the kernel programs' warnings, licences and sources.
    Lint,
    /// Unit and property tests; needs no privileges.
    Unit,
    /// The integration tests on this kernel; needs root.
    Integration,
    /// The integration tests in virtual machines with other kernels.
    Vm,
    /// Collector and agents killed at random under load; needs root.
    Kill,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Integration => "integration",
            Self::Vm => "vm",
            Self::Kill => "kill",
        }
    }

    fn purpose(self) -> Purpose {
        match self {
            Self::Lint => Purpose::Lint,
            Self::Unit => Purpose::Build,
            Self::Integration => Purpose::Integration,
            Self::Vm => Purpose::Vm,
            Self::Kill => Purpose::Build,
        }
    }

    fn run(self, filter: Option<&str>, rounds: u32) -> Result<Outcome> {
        match self {
            Self::Lint => lint::run(),
            Self::Unit => unit::run(filter),
            Self::Integration => integration::run(filter),
            Self::Vm => vm::suite(),
            Self::Kill => kill::run(rounds),
        }
    }
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let rounds = match (args.rounds, args.suites.is_empty()) {
        (Some(rounds), _) => rounds,
        (None, true) => 15,
        (None, false) => 100,
    };
    let suites = if args.suites.is_empty() {
        vec![Suite::Lint, Suite::Unit, Suite::Integration, Suite::Kill]
    } else {
        args.suites.clone()
    };
    let purposes: Vec<Purpose> = suites.iter().map(|suite| suite.purpose()).collect();
    setup::ensure(&purposes)?;
    // Before anything else that compiles the agent, so that it is compiled once.
    eprintln!("== kernel object");
    build::kernel_object()?;

    let mut report = Report::default();
    for suite in suites {
        eprintln!("== {}", suite.name());
        let start = Instant::now();
        let outcome = suite
            .run(args.filter.as_deref(), rounds)
            .unwrap_or_else(|error| {
                eprintln!("error: {error:#}");
                Outcome::failed(&format!("{error:#}"))
            });
        report.add(suite.name(), start.elapsed(), outcome);
    }
    print!("{report}");
    Ok(if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
