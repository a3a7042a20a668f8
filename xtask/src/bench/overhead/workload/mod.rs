//! The workloads, each in its own file.

mod http1;
mod loops;
mod node;
mod redis;

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::bench::process;
use crate::shell;

/// One run of a workload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// CPU time of the observed process over its work.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    pub(crate) operations: u64,
}

impl Measure {
    /// Operations a second.
    pub(crate) fn throughput(&self) -> f64 {
        self.operations as f64 / self.wall.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Something to be observed.
pub(crate) trait Workload {
    fn name(&self) -> &'static str;
    /// Does the same work every time.
    fn run(&self) -> Result<Measure>;
}

/// The workloads by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// mmap and munmap, nothing else: the worst case.
    Mmap,
    /// malloc and free over a steady heap: no event at all.
    Malloc,
    /// Touches new pages, nothing else: a fault for each.
    Touch,
    /// redis-server under redis-benchmark.
    Redis,
    /// A C HTTP/1.1 server under h2load: small requests over 20 connections that stay.
    Http1,
    /// A node HTTP/2 server under load.
    Node,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Mmap,
        Self::Malloc,
        Self::Touch,
        Self::Redis,
        Self::Http1,
        Self::Node,
    ];

    pub(crate) fn prepare(self, sources: &Path, into: &Path) -> Result<Box<dyn Workload>> {
        Ok(match self {
            Self::Mmap => Box::new(loops::Loop::compile("mmap", 250_000, sources, into)?),
            Self::Malloc => Box::new(loops::Loop::compile("malloc", 60_000_000, sources, into)?),
            Self::Touch => Box::new(loops::Loop::compile("touch", 500_000, sources, into)?),
            Self::Redis => Box::new(redis::Redis::new(into)),
            Self::Http1 => Box::new(http1::Http1::compile(sources, into)?),
            Self::Node => Box::new(node::Node::new(sources)),
        })
    }
}

/// Compiles a workload that is written in C.
fn compile(name: &str, sources: &Path, into: &Path) -> Result<PathBuf> {
    let program = into.join(name);
    let mut compiler = Command::new("gcc");
    compiler
        .args(["-O2", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .arg(sources.join(name).with_extension("c"));
    shell::run(&mut compiler)?;
    Ok(program)
}

/// A server under load; killed when this value goes.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// Its CPU time while the load runs to its end.
    fn measure(&self, load: &mut Command, operations: u64) -> Result<Measure> {
        let before = process::cpu(self.0.id())?;
        let start = Instant::now();
        let status = load.stdout(Stdio::null()).status();
        let wall = start.elapsed();
        if !status.context("start the load")?.success() {
            bail!("the load failed");
        }
        Ok(Measure {
            cpu: process::cpu(self.0.id())?.saturating_sub(before),
            wall,
            operations,
        })
    }

    /// The first line that it prints.
    fn first_line(&mut self) -> Result<String> {
        let stdout = self
            .0
            .stdout
            .take()
            .context("the server's output is not piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn log(directory: &Path, name: &str) -> Result<File> {
    let path = directory.join(name);
    File::create(&path).with_context(|| format!("create {}", path.display()))
}
