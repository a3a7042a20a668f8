//! The agent ends in good order, and leaves nothing behind even when it does not.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use aya::programs::loaded_programs;
use libtest_mimic::Trial;
use profiler_tests::{
    Agent, Outcome, Verdict,
    agent::Address,
    command::Finished,
    fixture::Fixture,
    surroundings::{eventually, scale},
    trial,
};
use rustix::process::Signal;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("shutdown::sigterm_leaves_nothing", limit, || {
            leaves_nothing(Signal::TERM)
        }),
        trial("shutdown::sigint_leaves_nothing", limit, || {
            leaves_nothing(Signal::INT)
        }),
        trial(
            "shutdown::sigkill_leaves_nothing_that_hinders",
            limit,
            sigkill_leaves_nothing_that_hinders,
        ),
        trial(
            "shutdown::while_clients_are_connected",
            limit,
            while_clients_are_connected,
        ),
        trial("shutdown::in_a_storm", limit, in_a_storm),
        trial("shutdown::help_and_version", limit, help_and_version),
    ]
}

/// Ids of the programs in the kernel.
fn programs() -> Result<BTreeSet<u32>> {
    loaded_programs()
        // A program may go between its listing and the look at it.
        .filter_map(Result::ok)
        .map(|program| Ok(program.id()))
        .collect()
}

fn pinned() -> Result<BTreeSet<String>> {
    let root = Path::new("/sys/fs/bpf");
    if !root.is_dir() {
        return Ok(BTreeSet::new());
    }
    let entries = fs::read_dir(root).context("read /sys/fs/bpf")?;
    Ok(entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

/// What a machine has of ours.
#[derive(Debug, PartialEq, Eq)]
struct Remains {
    programs: BTreeSet<u32>,
    pinned: BTreeSet<String>,
}

impl Remains {
    fn now() -> Result<Self> {
        Ok(Self {
            programs: programs()?,
            pinned: pinned()?,
        })
    }

    /// The kernel frees programs a moment after their last user has gone.
    fn await_again(&self) -> Result<()> {
        eventually(Duration::from_secs(5), || {
            let now = Self::now()?;
            let left: Vec<_> = now.programs.difference(&self.programs).collect();
            ensure!(left.is_empty(), "programs {left:?} are still loaded");
            let left: Vec<_> = now.pinned.difference(&self.pinned).collect();
            ensure!(left.is_empty(), "{left:?} are pinned in /sys/fs/bpf");
            Ok(())
        })
    }
}

fn leaves_nothing(signal: Signal) -> Outcome {
    let before = Remains::now()?;
    let agent = Agent::start(&[])?;
    let during = programs()?;
    ensure!(
        during.difference(&before.programs).count() > 0,
        "the test is void: no program was loaded while the agent ran"
    );
    agent.stop_with(signal)?;
    before.await_again()?;
    Ok(Verdict::Passed)
}

fn sigkill_leaves_nothing_that_hinders() -> Outcome {
    let before = Remains::now()?;
    let agent = Agent::start(&[])?;
    let address = Address::new()?;
    let socket = agent.address().socket();
    agent.signal(Signal::KILL);
    eventually(Duration::from_secs(5), || {
        ensure!(agent.client().is_err(), "it still answers");
        Ok(())
    })?;
    before.await_again()?;
    // A stale socket is no obstacle.
    fs::rename(&socket, address.socket()).context("the socket of the killed agent")?;
    drop(agent);
    let next = Agent::start_at(address, &[])?;
    next.stop()?;
    Ok(Verdict::Passed)
}

/// Open connections do not keep the agent.
fn while_clients_are_connected() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut clients = [agent.client()?, agent.tcp_client()?];
    for client in &mut clients {
        client.status().context("GetStatus")?;
    }
    agent.stop()?;
    for client in &mut clients {
        ensure!(client.status().is_err(), "something still answers");
    }
    Ok(Verdict::Passed)
}

fn in_a_storm() -> Outcome {
    let seconds = (8.0 * scale()).max(3.0);
    let before = Remains::now()?;
    let agent = Agent::start(&[])?;
    let mut storm = Fixture::start("storm", &["2", &seconds.to_string()])?;
    storm.report()?;
    storm.go()?;
    std::thread::sleep(Duration::from_secs(1));
    agent.stop().context("in the middle of a storm")?;
    before.await_again()?;
    storm.report_within(Duration::from_secs_f64(seconds + 20.0))?;
    storm.finish()?;
    Ok(Verdict::Passed)
}

fn help_and_version() -> Outcome {
    for (option, word) in [("--help", "--listen"), ("--version", "profiler-agent")] {
        let mut command = Command::new(profiler_tests::surroundings::agent()?);
        command.arg(option);
        let output = Finished::run(command, Duration::from_secs(10))?.succeeded()?;
        ensure!(
            output.contains(word),
            "{option} does not say {word:?}:\n{output}"
        );
    }
    Ok(Verdict::Passed)
}
