//! The collector on this host.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{daemon::Daemon, workspace};

/// Where it listens when nothing else is said: for agents and questions, and for browsers.
const ADDRESS: &str = "127.0.0.1:7751";
const WEB: &str = "127.0.0.1:7752";
/// The address that an agent sends to.
pub(crate) const URL: &str = "http://127.0.0.1:7751";
/// The page.
pub(crate) const PAGE: &str = "http://127.0.0.1:7752/";

/// How long it may take until it listens.
const START: Duration = Duration::from_secs(30);

/// Where a collector and an agent that are run from the source tree keep what they keep.
pub(crate) fn data() -> PathBuf {
    workspace::root().join("target/run")
}

/// Starts a collector with its store in `data()`, and waits until it listens.
pub(crate) fn start(binary: &Path) -> Result<Daemon> {
    if TcpStream::connect(ADDRESS).is_ok() || TcpStream::connect(WEB).is_ok() {
        bail!(
            "something listens on {ADDRESS} or {WEB} already: a collector may be running; stop it"
        );
    }
    fs::create_dir_all(data())?;
    let mut command = Command::new(binary);
    command.arg("--store").arg(data().join("collector.db"));
    let mut collector = Daemon::start("collector", command)?;
    let start = Instant::now();
    while start.elapsed() < START {
        collector.check()?;
        if TcpStream::connect(ADDRESS).is_ok() && TcpStream::connect(WEB).is_ok() {
            return Ok(collector);
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("the collector did not listen within {} s", START.as_secs())
}
