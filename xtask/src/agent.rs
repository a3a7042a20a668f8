//! A running agent.

use std::{
    io,
    net::TcpStream,
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::shell;

/// Where the agent listens when nothing else is said.
const SOCKET: &str = "/run/profiler/agent.sock";
const ADDRESS: &str = "127.0.0.1:7741";

/// How long the agent may take until it answers, and until it has ended.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);

/// A running agent; it is stopped at the latest when this value goes.
pub(crate) struct Agent {
    child: Child,
    through_sudo: bool,
    stopped: bool,
}

impl Agent {
    /// Starts an agent in a process group of its own, so that Ctrl-C reaches it only through
    /// `stop`.
    pub(crate) fn start(binary: &Path, args: &[String]) -> Result<Self> {
        let through_sudo = !shell::is_root();
        let mut command = if through_sudo {
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
        } else {
            Command::new(binary)
        };
        let child = command
            .args(args)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::from(io::stderr()))
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        Ok(Self {
            child,
            through_sudo,
            stopped: false,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the agent answers a client.
    pub(crate) fn wait_until_ready(&mut self, client: &Path, stop: &AtomicBool) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < START && !stop.load(Ordering::Relaxed) {
            if let Some(status) = self.child.try_wait()? {
                self.stopped = true;
                bail!("the agent ended before it was ready ({status}); its reason stands above");
            }
            let mut status = Command::new(client);
            if listening() && shell::probe(status.arg("status")).is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        bail!("the agent did not answer within {} s", START.as_secs())
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Asks the agent to end, and waits for it.
    pub(crate) fn stop(mut self) -> Result<()> {
        match self.end()? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("the agent did not end well: {status}"),
            None => bail!(
                "the agent had to be killed: it did not end within {} s",
                STOP.as_secs()
            ),
        }
    }

    fn end(&mut self) -> Result<Option<ExitStatus>> {
        self.stopped = true;
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(status));
        }
        self.terminate()?;
        let start = Instant::now();
        while start.elapsed() < STOP {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().ok();
        self.child.wait()?;
        Ok(None)
    }

    fn terminate(&self) -> Result<()> {
        if self.through_sudo {
            // sudo hands the signal on; it may only be signalled by root.
            let pid = self.pid().to_string();
            return shell::run(Command::new("sudo").args(["kill", "-TERM", &pid]));
        }
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a pid")?, Signal::TERM).context("signal the agent")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if !self.stopped {
            self.end().ok();
        }
    }
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
