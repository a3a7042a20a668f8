//! The programs that are killed, and started again.

use std::{
    fs::File,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// How long the collector may take until it listens.
const START: Duration = Duration::from_secs(20);

/// A program that can be killed and started again, again and again.
pub(crate) struct Victim {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Victim {
    /// Nothing is started yet. Its output goes to the file `log`.
    pub(crate) fn new(
        name: &'static str,
        program: &Path,
        arguments: Vec<String>,
        log: PathBuf,
    ) -> Self {
        Self {
            name,
            program: program.to_owned(),
            arguments,
            log,
            child: None,
        }
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        let mut log = File::options();
        let log = log.create(true).append(true).open(&self.log);
        let log = log.context("open the log")?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// SIGKILL, as the OOM killer sends it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "the {} ended by itself ({status}); see {}",
                    self.name,
                    self.log.display()
                );
            }
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Waits until something listens on `address`.
    pub(crate) fn wait_for(&mut self, address: SocketAddr) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < START {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            let ended = self.child.as_mut().map(Child::try_wait).transpose()?;
            if let Some(Some(status)) = ended {
                bail!(
                    "the {} ended by itself ({status}); see {}",
                    self.name,
                    self.log.display()
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the {} did not listen on {address}", self.name)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
