//! Measures.

mod corpus;
mod fleet;
mod overhead;
mod process;
pub(crate) mod random;
mod stats;
mod verdict;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

/// Measures the product on this machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    Overhead(overhead::Args),
    Fleet(fleet::Args),
    Corpus(corpus::Args),
    Verdict(verdict::Args),
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people.
    Table,
    /// The same as JSON in the last line of standard output.
    Json,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    match &args.bench {
        Bench::Overhead(args) => overhead::main(args),
        Bench::Fleet(args) => fleet::main(args),
        Bench::Corpus(args) => corpus::main(args),
        Bench::Verdict(args) => verdict::main(args),
    }
}
