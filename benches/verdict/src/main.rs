//! Scores verdicts on simulated series, beside rules that others use.
//!
//! Every series is drawn from a seed, and its truth is that of its shape. Those that thresholds are
//! tuned on and those that are scored come from different seeds.
#![forbid(unsafe_code)]

mod baseline;
mod host;
mod misses;
mod noise;
mod random;
mod report;
mod residuals;
mod score;
mod series;
mod shapes;
mod speed;
mod traffic;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::Result;
use clap::{Parser, ValueEnum};

use host::Outcome;
use random::Random;
use report::Report;

const THREADS: usize = 2;

/// Scores verdicts on simulated series, beside rules that others use.
#[derive(Parser)]
struct Args {
    /// Seed of all series; each set has a default of its own.
    #[arg(long)]
    seed: Option<u64>,
    /// Which series: those that thresholds are tuned on, or those that are scored.
    #[arg(long, value_enum, default_value_t = Set::Score)]
    set: Set,
    /// Hosts of 50 series.
    #[arg(long, default_value_t = 64)]
    hosts: usize,
    /// Measures what the engine costs as well.
    #[arg(long)]
    engine: bool,
    /// Prints by how much forecasts are off, for their calibration.
    #[arg(long)]
    residuals: bool,
    /// Prints each series that is judged wrongly.
    #[arg(long)]
    misses: bool,
    /// JSON comes in the last line.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    Tune,
    Score,
}

impl Set {
    fn name(self) -> &'static str {
        match self {
            Self::Tune => "tune",
            Self::Score => "score",
        }
    }

    /// What is mixed into each seed, so that one seed never gives both sets the same series.
    fn salt(self) -> u64 {
        match self {
            Self::Tune => 0x7475_6e65,
            Self::Score => 0x7363_6f72_6500_0000,
        }
    }

    fn default_seed(self) -> u64 {
        match self {
            Self::Tune => 1,
            Self::Score => 20_261_124,
        }
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| args.set.default_seed());
    let outcomes = run(args.hosts, seed ^ args.set.salt());
    let mut report = Report::new(seed, args.set.name(), args.hosts, &outcomes);
    if args.engine {
        report.engine = Some(speed::measure(seed));
    }
    if args.residuals {
        residuals::print(&outcomes);
    }
    if args.misses {
        misses::print(&outcomes);
    }
    match args.format {
        Format::Table => print!("{report}"),
        Format::Json => println!("{}", serde_json::to_string(&report)?),
    }
    Ok(())
}

/// Runs all hosts. Which thread runs a host makes no difference to what comes of it.
fn run(hosts: usize, seed: u64) -> Vec<Outcome> {
    let mut random = Random::new(seed);
    let seeds: Vec<_> = (0..hosts)
        .map(|_| (random.unit() * 2_f64.powi(53)) as u64)
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(index) else {
                return done;
            };
            done.push((index, host::run(*seed, index * host::SERIES)));
        }
    };
    let mut done = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect::<Vec<_>>()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter()
        .flat_map(|(_, outcomes)| outcomes)
        .collect()
}
