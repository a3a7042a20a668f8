//! What a collector costs by the number of agents that stream to it.

mod process;
mod result;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::Format;
use crate::{
    build::{self, Profile},
    cargo,
    daemon::Daemon,
    run::parse_duration,
    setup::{self, Purpose},
    shell, workspace,
};
use process::Figures;
use result::{Fleet, Step};

/// Agents define their stacks in their first batch; that is no part of the measurement.
const WARM_UP: Duration = Duration::from_secs(25);

/// Measures a collector with simulated agents.
///
/// For each number of agents a collector with a new store takes what as many simulated agents
/// stream: the real spool and sender, made-up snapshots of which one row in ten changes each time.
/// CPU time and memory are the collector's alone. Everything runs on this machine, so agents and
/// collector share its cores.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Numbers of agents, measured one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [25, 50, 100, 200])]
    agents: Vec<u32>,
    /// How long each is measured, after the first 25 s.
    #[arg(long, value_parser = parse_duration, default_value = "2m")]
    duration: Duration,
    /// Stacks of each agent.
    #[arg(long, default_value_t = 2_000)]
    stacks: u32,
    /// From one snapshot of an agent to the next.
    #[arg(long, value_parser = parse_duration, default_value = "10s")]
    interval: Duration,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[Purpose::Build])?;
    build::kernel_object()?;
    let bench = Bench {
        args,
        collector: build::binaries(Profile::Release)?.collector,
        agents: simulated_agents()?,
        folder: workspace::root().join("target/bench/fleet"),
    };
    let steps = args.agents.iter().map(|agents| bench.step(*agents));
    let fleet = Fleet {
        bench: "fleet",
        stacks: args.stacks,
        interval_seconds: args.interval.as_secs(),
        steps: steps.collect::<Result<_>>()?,
    };
    match args.format {
        Format::Table => print!("{fleet}"),
        Format::Json => println!("{}", serde_json::to_string(&fleet)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn simulated_agents() -> Result<PathBuf> {
    let mut command = cargo::command();
    command.args(["build", "--release", "--package=profiler-tests"]);
    command.arg("--bin=simulated-agents");
    cargo::build(&mut command)?.executable("simulated-agents")
}

struct Bench<'a> {
    args: &'a Args,
    collector: PathBuf,
    agents: PathBuf,
    folder: PathBuf,
}

impl Bench<'_> {
    fn step(&self, agents: u32) -> Result<Step> {
        eprintln!("{agents} agents, {} s", self.args.duration.as_secs());
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        let (grpc, web) = (free_port()?, free_port()?);
        let mut collector = self.start_collector(grpc, web)?;
        wait_for(&mut collector, web)?;
        let mut load = self.start_agents(agents, grpc)?;
        thread::sleep(WARM_UP);
        let before = self.look(&collector, web)?;
        let start = Instant::now();
        thread::sleep(self.args.duration);
        load.check()?;
        collector.check()?;
        let after = self.look(&collector, web)?;
        let seconds = start.elapsed().as_secs_f64();
        load.stop_by_force()?;
        collector.stop()?;
        let expected = f64::from(agents) * seconds / self.args.interval.as_secs_f64();
        Ok(Step::new(agents, seconds, expected, &before, &after))
    }

    fn start_collector(&self, grpc: u16, web: u16) -> Result<Daemon> {
        let mut command = Command::new(&self.collector);
        command
            .args(["--log", "warn", "--listen"])
            .arg(format!("127.0.0.1:{grpc}"))
            .arg("--web")
            .arg(format!("127.0.0.1:{web}"))
            .arg("--store")
            .arg(self.folder.join("store.db"));
        Daemon::start("collector", command)
    }

    fn start_agents(&self, agents: u32, grpc: u16) -> Result<Daemon> {
        let mut command = Command::new(&self.agents);
        command
            .arg("--collector")
            .arg(format!("http://127.0.0.1:{grpc}"))
            .arg("--spools")
            .arg(self.folder.join("spools"))
            .args(["--agents", &agents.to_string()])
            .args(["--stacks", &self.args.stacks.to_string()])
            .args(["--interval", &self.args.interval.as_millis().to_string()]);
        Daemon::start("simulated agents", command)
    }

    fn look(&self, collector: &Daemon, web: u16) -> Result<Figures> {
        Figures::read(collector.pid(), &metrics(web)?, &self.folder)
    }
}

/// What the collector says of itself.
fn metrics(web: u16) -> Result<String> {
    let url = format!("http://127.0.0.1:{web}/metrics");
    shell::output(Command::new("curl").args(["--silent", "--fail", "--max-time", "20", &url]))
}

fn wait_for(collector: &mut Daemon, web: u16) -> Result<()> {
    let start = Instant::now();
    while metrics(web).is_err() {
        collector.check()?;
        ensure!(
            start.elapsed() < Duration::from_secs(30),
            "the collector did not listen"
        );
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Bytes of the files in a folder.
fn bytes_in(folder: &Path) -> Result<u64> {
    let entries = fs::read_dir(folder)?;
    let sizes = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    Ok(sizes
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum())
}
