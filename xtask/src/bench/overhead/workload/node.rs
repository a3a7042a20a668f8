//! A node HTTP/2 server under load.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{Measure, Server, Workload};

const REQUESTS: u64 = 24_000;
const WIDTH: u64 = 32;

pub(crate) struct Node {
    sources: PathBuf,
}

impl Node {
    pub(crate) fn new(sources: &Path) -> Self {
        Self {
            sources: sources.to_path_buf(),
        }
    }
}

impl Workload for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn run(&self) -> Result<Measure> {
        let mut server = Server::start(
            Command::new("node")
                .arg(self.sources.join("server.js"))
                .stdout(Stdio::piped()),
        )?;
        let line = server.first_line()?;
        let port = line
            .trim()
            .strip_prefix("port ")
            .with_context(|| format!("the node server said `{line}`"))?;
        let mut load = Command::new("node");
        load.arg(self.sources.join("load.js")).args([
            port,
            &REQUESTS.to_string(),
            &WIDTH.to_string(),
        ]);
        server.measure(&mut load, REQUESTS)
    }
}
