//! Kills the collector and agents with SIGKILL at random under load, fills the disk of each once,
//! cuts and slows the link between them, and then adds up: every batch that was acknowledged is in
//! the store, once; every other is still in its spool or counted as dropped; and what is stored is
//! what was sent.
//!
//! Run by `cargo xtask test kill`. Needs root for two small disks of its own.

#![forbid(unsafe_code)]

mod children;
mod disk;
mod link;
mod sum;
mod witness;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Parser;

use self::{children::Victim, disk::Disk, link::Link, witness::Witness};

/// Simulated agents in the one process that is killed.
const AGENTS: u64 = 3;
/// Milliseconds from one snapshot of an agent to the next.
const INTERVAL: u64 = 40;
const STACKS: u32 = 200;
/// MiB of each of the two disks.
const DISK: u32 = 64;

/// Kills collectors and agents at random and adds up what is left.
#[derive(Parser)]
struct Args {
    /// How often something is killed
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// The same seed kills in the same order
    #[arg(long)]
    seed: Option<u64>,
    /// Path of profiler-collector
    #[arg(long, env = "PROFILER_TEST_COLLECTOR")]
    collector: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => {
            println!("test kill ... ok");
            println!("test result: ok. 1 passed; 0 failed; 0 ignored");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("test kill ... FAILED");
            eprintln!("{error:#}");
            println!("test result: FAILED. 0 passed; 1 failed; 0 ignored");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}: --seed {seed} kills in the same order");
    let folder = tempfile::tempdir()?;
    let mut field = Field::new(folder.path(), &args.collector, seed)?;
    field.start()?;
    for round in 0..args.rounds {
        field.round()?;
        if round == args.rounds / 3 {
            field.fill(Whose::Agents)?;
        }
        if round == args.rounds * 2 / 3 {
            field.fill(Whose::Collector)?;
        }
        if (round + 1) % 10 == 0 {
            println!("{} of {} rounds", round + 1, args.rounds);
        }
    }
    field.settle()?;
    let sums = field.add_up()?;
    println!("{sums}");
    sums.check(args.rounds)
}

/// Who is killed, or whose disk is filled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Agents,
    Collector,
}

/// Collector, agents, the link between them, and their disks.
struct Field {
    agents: Victim,
    collector: Victim,
    address: SocketAddr,
    link: Link,
    witness: Witness,
    random: fastrand::Rng,
    spools: PathBuf,
    store: PathBuf,
    kills: sum::Kills,
    // Last: unmounted when nothing uses them any more.
    agent_disk: Disk,
    collector_disk: Disk,
}

impl Field {
    fn new(folder: &Path, collector: &Path, seed: u64) -> Result<Self> {
        let agent_disk = Disk::mount(&folder.join("agents"), DISK)?;
        let collector_disk = Disk::mount(&folder.join("collector"), DISK)?;
        let spools = folder.join("agents/spools");
        let store = folder.join("collector/store.db");
        let address = free_address()?;
        let link = Link::to(address)?;
        let witness = Witness::before(link.address())?;
        let logs = folder.join("logs");
        fs::create_dir_all(&logs)?;
        let text = |path: &Path| path.display().to_string();
        let listen = address.to_string();
        let collector_arguments = ["--listen", &listen, "--web", "", "--store", &text(&store)];
        let agent_arguments = [
            "--collector".to_owned(),
            format!("http://{}", witness.address()),
            "--spools".to_owned(),
            text(&spools),
            "--agents".to_owned(),
            AGENTS.to_string(),
            "--stacks".to_owned(),
            STACKS.to_string(),
            "--interval".to_owned(),
            INTERVAL.to_string(),
        ];
        Ok(Self {
            agents: Victim::new(
                "agents",
                Path::new(env!("CARGO_BIN_EXE_simulated-agents")),
                agent_arguments.into(),
                logs.join("agents"),
            ),
            collector: Victim::new(
                "collector",
                collector,
                collector_arguments.map(str::to_owned).into(),
                logs.join("collector"),
            ),
            address,
            link,
            witness,
            random: fastrand::Rng::with_seed(seed),
            spools,
            store,
            kills: sum::Kills::default(),
            agent_disk,
            collector_disk,
        })
    }

    fn start(&mut self) -> Result<()> {
        self.collector.start()?;
        self.collector.wait_for(self.address)?;
        self.agents.start()
    }

    /// Lets them run for a moment, then kills one of them or both, sometimes with a bad link.
    fn round(&mut self) -> Result<()> {
        match self.random.u32(0..6) {
            0 => self.link.cut(),
            1 => self.link.slow(100_000),
            _ => self.link.mend(),
        }
        self.pause(100..900);
        self.link.mend();
        self.pause(0..300);
        let choice = self.random.u32(0..5);
        if choice != 0 {
            self.kill(Whose::Collector)?;
        }
        if choice <= 2 {
            self.kill(Whose::Agents)?;
        }
        self.pause(0..200);
        if choice != 0 {
            self.collector.start()?;
        }
        if choice <= 2 {
            self.agents.start()?;
        }
        Ok(())
    }

    fn kill(&mut self, whose: Whose) -> Result<()> {
        match whose {
            Whose::Agents => {
                self.kills.agents += 1;
                self.agents.kill()
            }
            Whose::Collector => {
                self.kills.collector += 1;
                self.collector.kill()
            }
        }
    }

    /// Fills a disk while everything goes on, and makes room again.
    fn fill(&mut self, whose: Whose) -> Result<()> {
        let disk = match whose {
            Whose::Agents => &self.agent_disk,
            Whose::Collector => &self.collector_disk,
        };
        let full = disk.fill()?;
        sleep(Duration::from_secs(3));
        drop(full);
        self.kills.full_disks += 1;
        Ok(())
    }

    fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        sleep(Duration::from_millis(self.random.u64(milliseconds)));
    }

    /// Lets the spools empty, and ends both.
    fn settle(&mut self) -> Result<()> {
        self.link.mend();
        self.collector.wait_for(self.address)?;
        sleep(Duration::from_secs(5));
        self.agents.kill()?;
        self.collector.kill()
    }

    fn add_up(&self) -> Result<sum::Sums> {
        sum::add_up(&self.store, &self.spools, &self.witness.seen(), self.kills)
            .context("add up what is left")
    }
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?)
}
