//! The agent under test.

use std::{
    ffi::OsStr,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use crate::{
    client::Client,
    program::Program,
    surroundings::{self, Scratch, patience},
};

/// From its start to the moment that it serves.
const START: Duration = Duration::from_secs(30);
/// From SIGTERM to its end.
const STOP: Duration = Duration::from_secs(5);

/// Where an agent listens. It outlives the agent, so that another one can listen there.
#[derive(Clone, Debug)]
pub struct Address {
    scratch: Arc<Scratch>,
    /// TCP ports on the loopback interface: for questions, and for probes of health.
    pub port: u16,
    /// Likewise.
    pub http: u16,
}

impl Address {
    /// Free ports, a socket and a file for the state of verdicts in a directory of its own.
    pub fn new() -> Result<Self> {
        let free = || TcpListener::bind(("127.0.0.1", 0)).context("find a free port");
        let (questions, probes) = (free()?, free()?);
        Ok(Self {
            scratch: Arc::new(Scratch::new()?),
            port: questions.local_addr()?.port(),
            http: probes.local_addr()?.port(),
        })
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("agent.sock")
    }

    /// A directory for the agent's files.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// The command that starts an agent here.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Command> {
        let mut command = Command::new(surroundings::agent()?);
        self.listen(&mut command);
        command.args(arguments);
        Ok(command)
    }

    /// Adds where to listen, and how to attach.
    pub fn listen(&self, command: &mut Command) {
        command
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port))
            .arg("--socket")
            .arg(self.socket())
            .arg("--http")
            .arg(format!("127.0.0.1:{}", self.http))
            .arg("--state")
            .arg(self.directory().join("verdicts.state"))
            .arg("--plan")
            .arg(surroundings::plan());
    }
}

/// A running agent that serves.
#[derive(Debug)]
pub struct Agent {
    program: Program,
    address: Address,
}

impl Agent {
    /// Starts one with these arguments beside the addresses and the plan.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        Self::start_at(Address::new()?, arguments)
    }

    /// Starts one at an address, and waits until its health service says that it serves.
    pub fn start_at(address: Address, arguments: &[&str]) -> Result<Self> {
        let program = Program::start(address.command(arguments)?)?;
        let mut agent = Self { program, address };
        let end = Instant::now() + patience(START);
        loop {
            if let Some(status) = agent.program.poll()? {
                bail!("the agent ended with {status}; {}", agent.program.errors());
            }
            if agent.address.socket().exists()
                && agent.client().is_ok_and(|mut client| client.serving())
            {
                return Ok(agent);
            }
            if Instant::now() >= end {
                bail!(
                    "the agent does not serve after {START:?}; {}",
                    agent.program.errors()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// A client over the Unix socket.
    pub fn client(&self) -> Result<Client> {
        Client::unix(&self.address.socket())
    }

    /// A client over TCP.
    pub fn tcp_client(&self) -> Result<Client> {
        Client::tcp(self.address.port)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.program.errors()
    }

    /// Fails if it has ended.
    pub fn alive(&mut self) -> Result<()> {
        match self.program.poll()? {
            None => Ok(()),
            Some(status) => bail!("the agent ended with {status}; {}", self.program.errors()),
        }
    }

    /// Asks it to end, and fails unless it does so in time and in good order.
    pub fn stop(self) -> Result<()> {
        self.stop_with(Signal::TERM)
    }

    /// Kills it: it leaves its socket behind, and whatever it was about to do undone.
    pub fn kill(mut self) -> Result<Address> {
        self.alive()?;
        self.program.signal(Signal::KILL);
        self.program.wait(STOP).context("after SIGKILL")?;
        Ok(self.address.clone())
    }

    /// As [`Self::stop`], with another signal.
    pub fn stop_with(mut self, signal: Signal) -> Result<()> {
        self.alive()?;
        self.program.signal(signal);
        let status = self.program.wait(STOP).context("after SIGTERM")?;
        ensure!(
            status.success(),
            "the agent ended with {status}; {}",
            self.program.errors()
        );
        ensure!(
            !self.address.socket().exists(),
            "the agent left its socket behind"
        );
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Only where a test failed before `stop`: give it the chance to detach.
        if matches!(self.program.poll(), Ok(None)) {
            self.program.signal(Signal::TERM);
            let ended = self.program.wait(STOP);
            eprintln!("the agent of a failed test {}", self.program.errors());
            drop(ended);
        }
    }
}
