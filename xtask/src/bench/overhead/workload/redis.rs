//! redis-server under redis-benchmark.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{Measure, Server, Workload, free_port, log};

const REQUESTS: u64 = 60_000;
const START: Duration = Duration::from_secs(10);

pub(crate) struct Redis {
    directory: PathBuf,
}

impl Redis {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_path_buf(),
        }
    }
}

impl Workload for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn run(&self) -> Result<Measure> {
        let port = free_port()?;
        let server = Server::start(
            Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .args(["--port", &port.to_string()])
                .current_dir(&self.directory)
                .stdout(log(&self.directory, "redis.log")?),
        )?;
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > START {
                bail!("redis-server does not answer");
            }
            thread::sleep(Duration::from_millis(10));
        }
        // Values that grow the heap, and reads.
        let mut load = Command::new("redis-benchmark");
        load.args(["-p", &port.to_string(), "-n", &REQUESTS.to_string()])
            .args([
                "-t", "set,get", "-d", "512", "-r", "100000", "-c", "20", "-q",
            ]);
        server.measure(&mut load, 2 * REQUESTS)
    }
}
