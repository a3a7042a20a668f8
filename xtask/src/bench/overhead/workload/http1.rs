//! An HTTP/1.1 server under many small requests, over connections that stay.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{Measure, Server, Workload, compile};

const REQUESTS: u64 = 100_000;
const CONNECTIONS: u64 = 20;

pub(crate) struct Http1 {
    program: PathBuf,
}

impl Http1 {
    pub(crate) fn compile(sources: &Path, into: &Path) -> Result<Self> {
        let program = compile("http1", sources, into)?;
        Ok(Self { program })
    }
}

impl Workload for Http1 {
    fn name(&self) -> &'static str {
        "http1"
    }

    fn run(&self) -> Result<Measure> {
        let mut server = Server::start(Command::new(&self.program).stdout(Stdio::piped()))?;
        let line = server.first_line()?;
        let port = line
            .trim()
            .strip_prefix("port ")
            .with_context(|| format!("the HTTP/1.1 server said `{line}`"))?;
        let mut load = Command::new("h2load");
        load.args(["--h1", "-n", &REQUESTS.to_string()])
            .args(["-c", &CONNECTIONS.to_string()])
            .arg(format!("http://127.0.0.1:{port}/"));
        server.measure(&mut load, REQUESTS)
    }
}
