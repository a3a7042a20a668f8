//! Simulated agents for load: they stream made-up snapshots through the real spool and sender.

#![forbid(unsafe_code)]

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use profiler_tests::fleet::{SimulatedAgent, name};
use tokio::runtime::Builder;

/// Streams the snapshots of agents that do not exist to a collector, until it is ended.
#[derive(Parser)]
struct Args {
    /// Where to send: http://HOST:PORT
    #[arg(long)]
    collector: String,
    /// A folder for their spools, one in it for each
    #[arg(long)]
    spools: PathBuf,
    /// How many
    #[arg(long, default_value_t = 1)]
    agents: u64,
    /// The seed of the first; the others follow
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Stacks of each
    #[arg(long, default_value_t = 2_000)]
    stacks: u32,
    /// Milliseconds from one snapshot of an agent to the next
    #[arg(long, default_value_t = 10_000)]
    interval: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let interval = Duration::from_millis(args.interval);
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("start the runtime of the senders")?;
    let mut agents = Vec::new();
    for seed in args.seed..args.seed + args.agents {
        let folder = args.spools.join(name(seed));
        let agent = SimulatedAgent::start(seed, args.stacks, &folder, interval)?;
        runtime.spawn(agent.sender(&args.collector).run());
        agents.push(agent);
    }
    // Spread over the interval, as those of many hosts are.
    let share = interval / u32::try_from(agents.len().max(1))?;
    let start = Instant::now();
    for turn in 0.. {
        for (place, agent) in agents.iter_mut().enumerate() {
            let due = start + interval * turn + share * u32::try_from(place)?;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            agent.tick();
        }
    }
    Ok(())
}
