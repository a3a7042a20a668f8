//! The command line of the agent; see `--help`.

use std::process::ExitCode;

use clap::Parser as _;
use profiler_agent::{
    config::{Args, Command, Config, DEFAULT_TOML, LogLevel, Options},
    daemon,
    stack::symbol,
};
use tracing_subscriber::filter::LevelFilter;

/// What a program that failed ends with; 1 and 2 are for answers that a check can give.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    // The agent's own child; not a command for people.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "symbolize")
    {
        return report(symbol::worker_main());
    }
    match Args::try_parse() {
        Ok(args) => report(run(&args)),
        Err(usage) => {
            // Nothing is left to tell if this cannot be printed.
            let _ = usage.print();
            if usage.use_stderr() {
                ExitCode::from(FAILED)
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

fn report(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("profiler-agent: {problem:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        None => {
            let config = Config::load(&args.options)?;
            start_log(config.log);
            daemon::run(&config, &|| load(&args.options))
        }
        Some(Command::Config { default: true, .. }) => {
            print!("{DEFAULT_TOML}");
            Ok(())
        }
        Some(Command::Config {
            default: false,
            options,
        }) => {
            let config = load(options)?;
            match &config.file {
                Some(file) => println!("{}: fine", file.display()),
                None => println!("no configuration file: defaults and flags are fine"),
            }
            Ok(())
        }
    }
}

fn load(options: &Options) -> anyhow::Result<Config> {
    Ok(Config::load(options)?)
}

fn start_log(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let plain = !std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(!plain)
        .with_target(false)
        .init();
}
