//! Runs agent and collector on this host and shows what they see.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    agent,
    build::{self, Binaries, Profile},
    collector,
    daemon::Daemon,
    setup::{self, Purpose},
    shell,
};

/// Sets up, builds, starts agent and collector on this host and shows a live view.
///
/// The collector's pages are on http://127.0.0.1:7752/; what it keeps is in target/run and there
/// again the next time. The view is `profiler watch`: a full screen in a terminal, plain lines elsewhere. Ctrl-C or `q`
/// ends it and stops both. With `--duration` it ends by itself, with a summary as `profiler
/// top` gives it. Needs root, and asks `sudo` for it where it is not.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after this time with a summary: 30s, 5m, 1h.
    #[arg(long, value_parser = parse_duration)]
    duration: Option<Duration>,
    /// The form of the summary. `json` is the JSON mapping of the response, alone on standard output.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Arguments for the agent.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    agent: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    if args.format == Format::Json && args.duration.is_none() {
        bail!("--format json is the form of the summary: say with --duration when to give it");
    }
    agent::refuse_second()?;
    setup::ensure(&[Purpose::Build])?;
    build::kernel_object()?;
    let binaries = build::binaries(Profile::Release)?;

    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let collector = collector::start(&binaries.collector)?;
    let mut agent = agent::start(&binaries.agent, &agent_args(args))?;
    agent::wait_until_ready(&mut agent, &binaries.client, &interrupted)?;
    eprintln!("== pages: {}", collector::PAGE);
    watch(args, &binaries, &mut agent, &interrupted)?;
    if args.duration.is_some() && agent.is_running()? {
        summary(args.format, &binaries.client)?;
    }
    // The agent first: what it has kept by then is taken.
    agent.stop()?;
    collector.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked for comes last, so that it can name another collector or spool.
fn agent_args(args: &Args) -> Vec<String> {
    let spool = collector::data().join("spool");
    let ours = ["--collector", collector::URL, "--spool"].map(str::to_owned);
    let ours = ours.into_iter().chain([spool.display().to_string()]);
    ours.chain(args.agent.iter().cloned()).collect()
}

/// Shows the live view until it is ended, the time is over or the agent is gone.
fn watch(args: &Args, binaries: &Binaries, agent: &mut Daemon, stop: &AtomicBool) -> Result<()> {
    let mut view = View::start(args, &binaries.client)?;
    while view.child.try_wait()?.is_none() {
        if !agent.is_running()? {
            drop(view);
            bail!("the agent ended by itself; its reason stands above");
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The client's live view; ended like a person would, so that it gives the terminal back.
struct View {
    child: Child,
    terminal: Option<String>,
}

impl View {
    fn start(args: &Args, client: &Path) -> Result<Self> {
        let mut command = Command::new(client);
        command.arg("watch");
        if let Some(duration) = args.duration {
            command.args(["--duration", &format!("{}s", duration.as_secs())]);
        }
        if args.format == Format::Json {
            command.arg("--plain").stdout(Stdio::from(io::stderr()));
        }
        // What a killed full-screen program leaves behind is undone with what `stty -g` said.
        let terminal = io::stdout()
            .is_terminal()
            .then(|| shell::output(Command::new("stty").arg("-g")).ok())
            .flatten();
        Ok(Self {
            child: command.spawn().context("start the live view")?,
            terminal,
        })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            pid.and_then(|pid| kill_process(pid, Signal::INT).ok());
            let start = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) {
                if start.elapsed() > Duration::from_secs(2) {
                    self.child.kill().ok();
                    self.child.wait().ok();
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        if let Some(state) = &self.terminal {
            Command::new("stty").arg(state.trim()).status().ok();
        }
    }
}

fn summary(format: Format, client: &Path) -> Result<()> {
    let mut command = Command::new(client);
    command.arg("top");
    if format == Format::Json {
        command.args(["--format", "json"]);
    }
    shell::run(&mut command)
}

/// Parses `30s`, `5m`, `1h` or a bare number of seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        unit => return Err(format!("`{unit}` is no unit of time: use s, m or h")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(factor))
        .filter(|seconds| (1..=86_400).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "say a time from 1s to 24h, for example 30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("7"), Ok(Duration::from_secs(7)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "s", "0s", "-3s", "10d", "99999999999999999999h", "1.5m"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
