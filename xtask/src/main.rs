//! Sets up, builds, runs, tests and measures the project. See `cargo xtask --help`.

#![forbid(unsafe_code)]

mod agent;
mod bench;
mod build;
mod cargo;
mod collector;
mod daemon;
mod run;
mod setup;
mod shell;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sets up, builds, runs, tests and measures the profiler.
///
/// On a fresh machine, as root, two commands do everything:
///
///   cargo xtask run     installs what is missing, builds, starts agent and collector, shows a live view
///   cargo xtask test    lints, unit and property tests, integration tests on this kernel
///
/// Each verb installs what it needs itself; `setup` does only that. Tools that are built from
/// source go to `target/tools`, the kernel object to `target/bpf`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", verbatim_doc_comment)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Setup(setup::Args),
    Build(build::Args),
    Run(run::Args),
    Test(test::Args),
    Vm(vm::Args),
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Setup(args) => setup::main(&args),
        Verb::Build(args) => build::main(&args),
        Verb::Run(args) => run::main(&args),
        Verb::Test(args) => test::main(&args),
        Verb::Vm(args) => vm::main(&args),
        Verb::Bench(args) => bench::main(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
