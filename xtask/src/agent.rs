//! The agent on this host.

use std::{
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{daemon::Daemon, shell};

/// Where the agent listens when nothing else is said.
const SOCKET: &str = "/run/profiler/agent.sock";
const ADDRESS: &str = "127.0.0.1:7741";

/// How long the agent may take until it answers.
const START: Duration = Duration::from_secs(60);

/// Starts an agent, as root.
pub(crate) fn start(binary: &Path, args: &[String]) -> Result<Daemon> {
    let mut command = if shell::is_root() {
        Command::new(binary)
    } else {
        let sudo = shell::find("sudo").with_context(|| {
            format!(
                "the agent needs root and there is no sudo: run `{}` as root",
                binary.display()
            )
        })?;
        shell::run(Command::new(&sudo).arg("--validate")).context("get root through sudo")?;
        let mut command = Command::new(sudo);
        command.arg(binary);
        command
    };
    command.args(args);
    Daemon::start("agent", command)
}

/// Waits until the agent answers a client.
pub(crate) fn wait_until_ready(agent: &mut Daemon, client: &Path, stop: &AtomicBool) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < START && !stop.load(Ordering::Relaxed) {
        agent.check()?;
        let mut status = Command::new(client);
        if listening() && shell::probe(status.arg("status")).is_some() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("the agent did not answer within {} s", START.as_secs())
}

/// Refuses to start a second agent where one already answers.
pub(crate) fn refuse_second() -> Result<()> {
    if listening() {
        bail!(
            "an agent already listens on this host ({ADDRESS} or {SOCKET}): use `profiler status` \
             to see it, stop it, or give this one other addresses"
        );
    }
    Ok(())
}

fn listening() -> bool {
    TcpStream::connect(ADDRESS).is_ok() || UnixStream::connect(SOCKET).is_ok()
}
