//! What the agent costs those that it observes, and what it costs itself.

mod bpf;
mod crowd;
mod result;
mod workload;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::AtomicBool,
    thread,
    time::Duration,
};

use anyhow::{Result, bail};

use super::{Format, process, random::Random};
use crate::{
    agent,
    build::{self, Binaries, Profile},
    daemon::Daemon,
    setup::{self, Purpose},
    shell, workspace,
};
use result::{AgentCost, Overhead, WorkloadCost};
use workload::{Kind, Measure, Workload};

/// Measures workloads with and without the agent, in alternating pairs.
///
/// For each pair every workload runs once without and once with the agent, in an order that the
/// seed determines. Ratios are those of the workload's CPU time and of its throughput; their
/// intervals are a bootstrap over the pairs. A last round counts the run time of the kernel programs (which itself costs, and is
/// therefore no part of the pairs). Needs root, and a machine that does nothing else.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many pairs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pairs: u16,
    /// Determines the order within the pairs, and the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these workloads.
    #[arg(long = "workload", value_enum, value_name = "NAME", default_values_t = Kind::ALL)]
    workloads: Vec<Kind>,
    /// Observed processes while the agent's memory is measured.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(0..=5000))]
    processes: u16,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Arguments for the agent.
    #[arg(last = true)]
    agent: Vec<String>,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    if !shell::is_root() {
        bail!("the agent needs root: run `cargo xtask bench overhead` as root");
    }
    agent::refuse_second()?;
    setup::ensure(&[Purpose::Bench])?;
    build::kernel_object()?;
    let bench = Bench {
        binaries: build::binaries(Profile::Release)?,
        agent: &args.agent,
        workloads: prepare(&args.workloads)?,
    };
    let mut random = Random::new(args.seed);
    let pairs = bench.pairs(args.pairs, &mut random)?;
    eprintln!("run time of the kernel programs");
    let bpf = bench.kernel_time()?;
    eprintln!("the agent's memory with {} processes", args.processes);
    let agent = bench.agent_cost(args.processes)?;
    let overhead = Overhead {
        bench: "overhead",
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
            .trim()
            .to_owned(),
        pairs: args.pairs,
        seed: args.seed,
        workloads: pairs
            .into_iter()
            .zip(bpf)
            .map(|(pairs, bpf)| WorkloadCost::new(&pairs, bpf, &mut random))
            .collect(),
        agent,
    };
    match args.format {
        Format::Table => print!("{overhead}"),
        Format::Json => println!("{}", serde_json::to_string(&overhead)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Compiles what has to be compiled, outside every measurement.
fn prepare(kinds: &[Kind]) -> Result<Vec<Box<dyn Workload>>> {
    let directory = workspace::root().join("target/bench");
    fs::create_dir_all(&directory)?;
    kinds
        .iter()
        .map(|kind| kind.prepare(&sources(), &directory))
        .collect()
}

fn sources() -> PathBuf {
    workspace::root().join("benches/overhead")
}

/// The measurements of one workload.
pub(crate) struct Pairs {
    pub(crate) name: &'static str,
    pub(crate) without: Vec<Measure>,
    pub(crate) with: Vec<Measure>,
    /// CPU time of the agent while the workload ran, for each run with it.
    pub(crate) agent: Vec<Duration>,
}

struct Bench<'a> {
    binaries: Binaries,
    agent: &'a [String],
    workloads: Vec<Box<dyn Workload>>,
}

impl Bench<'_> {
    fn pairs(&self, count: u16, random: &mut Random) -> Result<Vec<Pairs>> {
        let mut all: Vec<Pairs> = self
            .workloads
            .iter()
            .map(|workload| Pairs {
                name: workload.name(),
                without: Vec::new(),
                with: Vec::new(),
                agent: Vec::new(),
            })
            .collect();
        // Caches, frequencies and the page cache settle in a round that does not count.
        eprintln!("warming up");
        self.without(&mut [])?;
        for number in 1..=count {
            eprintln!("pair {number} of {count}");
            if random.coin() {
                self.without(&mut all)?;
                self.with(&mut all)?;
            } else {
                self.with(&mut all)?;
                self.without(&mut all)?;
            }
        }
        Ok(all)
    }

    fn without(&self, into: &mut [Pairs]) -> Result<()> {
        for (number, workload) in self.workloads.iter().enumerate() {
            let measure = workload.run()?;
            if let Some(pairs) = into.get_mut(number) {
                pairs.without.push(measure);
            }
        }
        Ok(())
    }

    fn with(&self, into: &mut [Pairs]) -> Result<()> {
        let agent = self.start()?;
        for (workload, pairs) in self.workloads.iter().zip(into) {
            let before = process::cpu(agent.pid())?;
            pairs.with.push(workload.run()?);
            let after = process::cpu(agent.pid())?;
            pairs.agent.push(after.saturating_sub(before));
        }
        agent.stop()
    }

    /// Starts an agent that has done with what was there before it.
    fn start(&self) -> Result<Daemon> {
        let mut agent = agent::start(&self.binaries.agent, self.agent)?;
        agent::wait_until_ready(&mut agent, &self.binaries.client, &AtomicBool::new(false))?;
        thread::sleep(Duration::from_millis(500));
        Ok(agent)
    }

    /// Runs each workload once while the kernel takes the time of its programs.
    fn kernel_time(&self) -> Result<Vec<bpf::Cost>> {
        let _statistics = bpf::Statistics::enable()?;
        let agent = self.start()?;
        let mut costs = Vec::new();
        for workload in &self.workloads {
            let before = bpf::programs(agent.pid())?;
            let measure = workload.run()?;
            let after = bpf::programs(agent.pid())?;
            costs.push(bpf::Cost::between(&before, &after, measure.operations));
        }
        agent.stop()?;
        Ok(costs)
    }

    fn agent_cost(&self, processes: u16) -> Result<AgentCost> {
        let crowd = crowd::Crowd::gather(usize::from(processes))?;
        let agent = self.start()?;
        let before = process::cpu(agent.pid())?;
        // Longer than the agent takes between two snapshots.
        const WATCHED: Duration = Duration::from_secs(15);
        thread::sleep(WATCHED);
        let idle = process::cpu(agent.pid())?.saturating_sub(before);
        let cost = AgentCost {
            processes,
            resident_bytes: process::status_bytes(agent.pid(), "VmRSS")?,
            resident_peak_bytes: process::status_bytes(agent.pid(), "VmHWM")?,
            idle_cpu_share: idle.as_secs_f64() / WATCHED.as_secs_f64(),
            losses: losses(&self.binaries.client)?,
        };
        agent.stop()?;
        drop(crowd);
        Ok(cost)
    }
}

/// What the agent itself says it lost.
fn losses(client: &Path) -> Result<serde_json::Value> {
    let status =
        shell::output(std::process::Command::new(client).args(["status", "--format", "json"]))?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    Ok(status["accounting"]["losses"].clone())
}
