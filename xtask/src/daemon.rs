//! A program of ours that runs until it is told to end.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::shell;

/// How long it may take until it has ended.
const STOP: Duration = Duration::from_secs(20);

/// A running program; it is stopped at the latest when this value goes.
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    through_sudo: bool,
    stopped: bool,
}

impl Daemon {
    /// Starts it in a process group of its own, so that Ctrl-C reaches it only through `stop`.
    /// Its output goes to standard error.
    pub(crate) fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let through_sudo = command.get_program().to_string_lossy().ends_with("sudo");
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::from(io::stderr()))
            .spawn()
            .with_context(|| format!("start the {name}"))?;
        Ok(Self {
            name,
            child,
            through_sudo,
            stopped: false,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            self.stopped = true;
            bail!(
                "the {} ended by itself ({status}); its reason stands above",
                self.name
            );
        }
        Ok(())
    }

    /// Asks it to end, and waits for it.
    pub(crate) fn stop(mut self) -> Result<()> {
        match self.end()? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("the {} did not end well: {status}", self.name),
            None => bail!(
                "the {} had to be killed: it did not end within {} s",
                self.name,
                STOP.as_secs()
            ),
        }
    }

    /// Kills it: for programs that have nothing to take down.
    pub(crate) fn stop_by_force(mut self) -> Result<()> {
        self.stopped = true;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
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
        kill_process(pid.context("a pid")?, Signal::TERM)
            .with_context(|| format!("signal the {}", self.name))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.stopped {
            self.end().ok();
        }
    }
}
