//! Real programs, some of which leak, and what the agent says of them.

mod cgroup;
mod program;
mod result;
mod watch;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::Format;
use crate::{
    agent,
    build::{self, Profile},
    run::parse_duration,
    setup::{self, Purpose},
    shell, workspace,
};
use program::{CATALOGUE, Prepared, Running};
use result::Corpus;
use watch::Watch;

/// From one look at the verdicts to the next.
const LOOK: Duration = Duration::from_secs(5);

/// Starts real programs, some of which leak, and shows what the agent says of each.
///
/// Every program runs in a unit's cgroup of its own with a limit of 512 MiB, at a steady pace, all
/// beside each other; the agent's window is 1 s in the place of a minute, so that ten minutes stand
/// for ten hours. A program that leaks has to be found in the end, one that does not must never be
/// said to. Fails if one of them is not as it should be. Needs root, some 3 GiB of memory, and the
/// registries of Debian and Python for what is missing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long they run.
    #[arg(long, value_parser = parse_duration, default_value = "12m")]
    duration: Duration,
    /// Only programs whose name contains this.
    #[arg(long)]
    filter: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    if !shell::is_root() {
        bail!("the agent needs root: run `cargo xtask bench corpus` as root");
    }
    agent::refuse_second()?;
    setup::ensure(&[Purpose::Build, Purpose::Corpus])?;
    build::kernel_object()?;
    let binaries = build::binaries(Profile::Release)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let prepared = Prepared::new(&folder())?;
    let settings = [
        "--verdict-window",
        "1s",
        "--snapshot-interval",
        "1s",
        "--state",
        "",
    ];
    let mut agent = agent::start(&binaries.agent, &settings.map(str::to_owned))?;
    agent::wait_until_ready(&mut agent, &binaries.client, &interrupted)?;
    let chosen = CATALOGUE.iter().filter(|program| {
        let filter = args.filter.as_deref();
        filter.is_none_or(|part| program.name.contains(part))
    });
    let mut running = chosen
        .map(|program| Running::start(program, &prepared))
        .collect::<Result<Vec<_>>>()?;
    let mut watch = Watch::new(&binaries.client);
    let start = Instant::now();
    while start.elapsed() < args.duration && !interrupted.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
        agent.check()?;
        for program in &mut running {
            program.tend(start.elapsed())?;
        }
        watch.look()?;
    }
    let programs = running.iter().map(|program| program.program);
    let corpus = Corpus::new(programs, &watch, start.elapsed());
    drop(running);
    agent.stop()?;
    match args.format {
        Format::Table => print!("{corpus}"),
        Format::Json => println!("{}", serde_json::to_string(&corpus)?),
    }
    Ok(match corpus.is_right() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn folder() -> PathBuf {
    workspace::root().join("target/bench/corpus")
}
