//! How often verdicts are right.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use super::Format;
use crate::{cargo, shell};

/// Scores verdicts on simulated series.
///
/// Benign and leaking series of many shapes are drawn from a seed, fifty to a host, and judged by
/// the verdict engine after 6 and after 24 simulated hours. Rules that others use are scored on the
/// same readings: Prometheus' predict_linear, a plain Mann-Kendall test, Coroot's inspection.
/// Thresholds are tuned on the set `tune`; what is scored by default are other series.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seed of all series; each set has a default of its own.
    #[arg(long)]
    seed: Option<u64>,
    /// Which series: those that thresholds are tuned on, or those that are scored.
    #[arg(long, value_enum, default_value_t = Set::Score)]
    set: Set,
    /// Hosts of 50 series.
    #[arg(long, default_value_t = 64)]
    hosts: usize,
    /// Measures what the engine costs with 10,000 series as well.
    #[arg(long)]
    engine: bool,
    /// Prints by how much forecasts are off, for their calibration.
    #[arg(long)]
    residuals: bool,
    /// Prints each series that is judged wrongly.
    #[arg(long)]
    misses: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    Tune,
    Score,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let mut command = cargo::command();
    command.args(["run", "--release", "--package=verdict-bench", "--"]);
    command.args(args.words());
    shell::run(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn words(&self) -> Vec<String> {
        let set = match self.set {
            Set::Tune => "tune",
            Set::Score => "score",
        };
        let format = match self.format {
            Format::Table => "table",
            Format::Json => "json",
        };
        let mut words = vec![
            format!("--set={set}"),
            format!("--hosts={}", self.hosts),
            format!("--format={format}"),
        ];
        words.extend(self.seed.map(|seed| format!("--seed={seed}")));
        let switches = [
            (self.engine, "--engine"),
            (self.residuals, "--residuals"),
            (self.misses, "--misses"),
        ];
        let on = switches.into_iter().filter(|(on, _)| *on);
        words.extend(on.map(|(_, word)| word.to_owned()));
        words
    }
}
