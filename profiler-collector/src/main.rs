//! The command line of the collector; see `--help`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use profiler_collector::{
    config::{Args, Command, Config, DEFAULT_TOML},
    daemon,
};
use tracing_subscriber::filter::LevelFilter;

/// glibc's allocator keeps what a burst took: after 200 agents had begun at once, 2 GiB that nothing
/// used any more. This one gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a program that failed ends with; 1 is for a check that found something, 2 for none.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    match Args::try_parse() {
        Ok(args) => run(args).unwrap_or_else(|problem| {
            eprintln!("profiler-collector: {problem:#}");
            ExitCode::from(FAILED)
        }),
        Err(usage) => {
            // Nothing is left to tell if this cannot be printed.
            let _ = usage.print();
            match usage.use_stderr() {
                true => ExitCode::from(FAILED),
                false => ExitCode::SUCCESS,
            }
        }
    }
}

fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.command == Some(Command::Config { default: true }) {
        print!("{DEFAULT_TOML}");
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(&args.options)?;
    start_log(&config.log)?;
    match args.command {
        None => daemon::run(&config)?,
        Some(Command::Check { json }) => return daemon::check(&config, json),
        Some(Command::Backup { to }) => daemon::backup(&config, &to)?,
        Some(Command::Config { .. }) => println!("the configuration is fine"),
    }
    Ok(ExitCode::SUCCESS)
}

fn start_log(level: &str) -> anyhow::Result<()> {
    let level: LevelFilter = level
        .parse()
        .ok()
        .context("log: error, warn, info, debug or trace")?;
    let plain = !std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(!plain)
        .with_target(false)
        .init();
    Ok(())
}
