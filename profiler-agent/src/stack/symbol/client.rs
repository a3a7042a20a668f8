//! The agent's end of the symbolizer process.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::protocol::{Reply, Request, receive, send, send_file};

/// How the symbolizer process is started, and how patient the agent is with it.
#[derive(Clone)]
pub struct WorkerConfig {
    /// The program: the agent itself.
    pub program: PathBuf,
    /// Arguments that make it call [`super::worker_main`].
    pub arguments: Vec<OsString>,
    /// Environment of the process; nothing else is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Longest time for one request; afterwards the process is killed.
    pub timeout: Duration,
    /// Told the pid of each process that is started, so that it is not profiled.
    pub started: Arc<dyn Fn(u32) + Send + Sync>,
}

impl WorkerConfig {
    /// The running executable with the argument `symbolize`.
    ///
    /// # Errors
    /// When `/proc/self/exe` cannot be read.
    pub fn own_executable(started: Arc<dyn Fn(u32) + Send + Sync>) -> io::Result<Self> {
        Ok(Self {
            // Not the path behind it: the file may be replaced while the agent runs.
            program: std::fs::canonicalize("/proc/self/exe")
                .map(|_| PathBuf::from("/proc/self/exe"))?,
            arguments: vec!["symbolize".into()],
            environment: Vec::new(),
            timeout: Duration::from_secs(20),
            started,
        })
    }
}

/// How a request failed.
#[derive(Debug)]
pub(super) enum AskError {
    /// The process ended of itself, idle: ask another one.
    Idle,
    /// It died or had to be killed over this request.
    Died(io::Error),
}

/// A running symbolizer.
pub(super) struct Worker {
    child: Child,
    socket: UnixStream,
}

impl Worker {
    pub(super) fn start(config: &WorkerConfig) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(config.timeout))?;
        let child = Command::new(&config.program)
            .args(&config.arguments)
            .env_clear()
            .envs(config.environment.iter().cloned())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        (config.started)(child.id());
        Ok(Self {
            child,
            socket: ours,
        })
    }

    /// It has not ended.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn ask(
        &mut self,
        request: &Request,
        file: &File,
        timeout: Duration,
    ) -> Result<Reply, AskError> {
        let answer = send(&mut self.socket, request)
            .and_then(|()| send_file(&self.socket, file))
            .and_then(|()| receive(&mut self.socket, timeout));
        answer.map_err(|error| {
            // What has ended well did so before the request came.
            let closed = error.kind() != io::ErrorKind::TimedOut;
            if closed && self.child.wait().is_ok_and(|status| status.success()) {
                AskError::Idle
            } else {
                AskError::Died(error)
            }
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
