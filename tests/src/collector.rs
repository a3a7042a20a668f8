//! The collector under test.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use crate::{
    client::Client,
    program::Program,
    surroundings::{self, Scratch, eventually},
};

/// From its start to the moment that it listens.
const START: Duration = Duration::from_secs(20);
/// From a signal to its end.
const STOP: Duration = Duration::from_secs(10);

/// Where a collector listens and keeps what it gets. It outlives the collector, so that another one
/// can go on there.
#[derive(Clone, Debug)]
pub struct Place {
    scratch: Arc<Scratch>,
    /// TCP port of gRPC on the loopback interface.
    pub port: u16,
    /// TCP port of the pages on the loopback interface.
    pub web: u16,
    store: String,
}

impl Place {
    /// Free ports, and a file in a directory of its own.
    pub fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        let store = scratch.path().join("collector.db").display().to_string();
        Self::in_directory(scratch, store)
    }

    /// The same with a database of a ClickHouse server.
    pub fn on_clickhouse(url: &str) -> Result<Self> {
        Self::in_directory(Scratch::new()?, url.to_owned())
    }

    fn in_directory(scratch: Scratch, store: String) -> Result<Self> {
        // Both are held until both are known: they have to differ.
        let probes = [
            TcpListener::bind(("127.0.0.1", 0)),
            TcpListener::bind(("127.0.0.1", 0)),
        ];
        let [grpc, web] = probes.map(|probe| anyhow::Ok(probe?.local_addr()?.port()));
        Ok(Self {
            scratch: Arc::new(scratch),
            port: grpc.context("find a free port")?,
            web: web.context("find a free port")?,
            store,
        })
    }

    /// A directory for its files.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// The file of its store, if that is one.
    pub fn store(&self) -> PathBuf {
        PathBuf::from(&self.store)
    }

    /// Where agents send to, without TLS.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(surroundings::collector()?);
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--web", &format!("127.0.0.1:{}", self.web)])
            .args(["--store", &self.store])
            .args(arguments);
        Ok(command)
    }
}

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    program: Program,
    place: Place,
}

impl Collector {
    /// Starts one with a new store.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        Self::start_at(Place::new()?, arguments)
    }

    /// Starts one, and waits until it listens on both ports.
    pub fn start_at(place: Place, arguments: &[&str]) -> Result<Self> {
        let mut program = Program::start(place.command(arguments)?)?;
        eventually(START, || {
            if let Some(status) = program.poll()? {
                // Waiting longer does not help, but says it as well.
                bail!("the collector ended with {status}; {}", program.errors());
            }
            for port in [place.port, place.web] {
                TcpStream::connect(("127.0.0.1", port)).context("the collector does not listen")?;
            }
            Ok(())
        })?;
        Ok(Self { program, place })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// A client, without TLS.
    pub fn client(&self) -> Result<Client> {
        Client::tcp(self.place.port)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.program.errors()
    }

    /// Ends it in good order; another one can go on in its place.
    pub fn stop(mut self) -> Result<Place> {
        self.program.signal(Signal::TERM);
        let status = self.program.wait(STOP).context("after SIGTERM")?;
        ensure!(
            status.success(),
            "the collector ended with {status}; {}",
            self.program.errors()
        );
        Ok(self.place)
    }

    /// Kills it; another one can go on in its place.
    pub fn kill(mut self) -> Result<Place> {
        self.program.signal(Signal::KILL);
        self.program.wait(STOP).context("after SIGKILL")?;
        Ok(self.place)
    }
}
