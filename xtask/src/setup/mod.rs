//! Finds what is missing and installs it, or says exactly how to.

mod apt;
mod linker;
mod os;
pub(crate) mod toolchain;

use std::{
    fmt::Write as _,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{cargo, shell, workspace};
use toolchain::Found;

/// The release of cargo-deny that checks licences and sources.
const DENY_VERSION: &str = "0.20.2";

/// Finds what is missing on this machine and installs it.
///
/// The kernel programs need a Rust compiler with its library's source, and bpf-linker. Two ways
/// are known, and the one that is already there is taken: Debian's packages, or rustup's nightly
/// with `rust-src`. bpf-linker is built into `target/tools` unless a fitting one is on the PATH.
/// Where it can't install (no root, no apt) it prints the commands to run and fails.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only say what is there and what is missing; fails when something is.
    #[arg(long)]
    check: bool,
    /// What to set up for.
    #[arg(long = "for", value_enum, value_name = "PURPOSE", default_values_t = [Purpose::Build, Purpose::Test])]
    purposes: Vec<Purpose>,
}

/// What the machine is to be used for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Build the kernel object and the binaries.
    Build,
    /// Lints: cargo-deny.
    Lint,
    /// Integration tests: a C compiler and the real programs that are observed.
    Integration,
    /// Everything that `test` runs without being asked for more.
    Test,
    /// Virtual machines.
    Vm,
    /// Benches.
    Bench,
    /// The bench of real programs that leak, or do not.
    Corpus,
}

impl Purpose {
    fn lint(self) -> bool {
        matches!(self, Self::Lint | Self::Test)
    }

    /// Packages, each with the program that shows that it is there.
    fn programs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Build | Self::Lint => &[],
            Self::Integration | Self::Test => &[
                ("gcc", "gcc"),
                ("g++", "c++"),
                ("redis-server", "redis-server"),
                ("redis-tools", "redis-benchmark"),
                ("python3", "python3"),
                ("nodejs", "node"),
                ("nghttp2-client", "h2load"),
                ("default-jre-headless", "java"),
                ("chromium", "chromium"),
            ],
            Self::Vm => &[
                ("gcc", "gcc"),
                ("qemu-system-x86", "qemu-system-x86_64"),
                ("busybox-static", "busybox"),
                ("lz4", "lz4"),
                ("xz-utils", "xz"),
                ("zstd", "zstd"),
            ],
            Self::Bench => &[
                ("gcc", "gcc"),
                ("redis-server", "redis-server"),
                ("redis-tools", "redis-benchmark"),
                ("nodejs", "node"),
                ("nghttp2-client", "h2load"),
            ],
            Self::Corpus => &[
                ("gcc", "gcc"),
                ("redis-server", "redis-server"),
                ("memcached", "memcached"),
                ("nginx-light", "nginx"),
                ("nodejs", "node"),
                ("python3-venv", "python3"),
                ("default-jdk-headless", "javac"),
            ],
        }
    }
}

/// One thing to install.
enum Step {
    Packages(Vec<String>),
    Linker,
    Deny,
}

impl Step {
    fn title(&self) -> String {
        match self {
            Self::Packages(names) => {
                format!("Debian packages {}, about 1 min", names.join(" "))
            }
            Self::Linker => format!("bpf-linker {}, about 2 min", linker::VERSION),
            Self::Deny => format!("cargo-deny {DENY_VERSION}, about 2 min"),
        }
    }

    fn install(&self) -> Result<()> {
        match self {
            Self::Packages(names) => apt::install(names),
            Self::Linker => linker::install(toolchain::find().as_ref()),
            Self::Deny => shell::run_quietly(deny_command()?.args(["--quiet"])),
        }
    }
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    if args.check {
        return check(&args.purposes);
    }
    ensure(&args.purposes)?;
    eprintln!("setup: everything is there");
    Ok(ExitCode::SUCCESS)
}

/// Installs what is missing for these purposes.
pub(crate) fn ensure(purposes: &[Purpose]) -> Result<()> {
    let steps = missing(purposes)?;
    if steps.iter().any(|step| matches!(step, Step::Packages(_))) && !shell::is_root() {
        bail!("{}", instructions(&steps)?);
    }
    for (number, step) in steps.iter().enumerate() {
        eprintln!(
            "[{}/{}] installing {}",
            number + 1,
            steps.len(),
            step.title()
        );
        step.install()
            .with_context(|| format!("install {}", step.title()))?;
    }
    Ok(())
}

/// Where cargo-deny is, once it is installed.
pub(crate) fn deny() -> Option<std::path::PathBuf> {
    let own = workspace::tools().join("bin/cargo-deny");
    own.is_file()
        .then_some(own)
        .or_else(|| shell::find("cargo-deny"))
}

fn check(purposes: &[Purpose]) -> Result<ExitCode> {
    match toolchain::find() {
        Some(found) => println!("kernel toolchain: {found}"),
        None => println!("kernel toolchain: missing"),
    }
    match linker::find(toolchain::find().as_ref()) {
        Some(path) => println!("bpf-linker: {}", path.display()),
        None => println!("bpf-linker: missing"),
    }
    let steps = missing(purposes)?;
    if steps.is_empty() {
        println!("everything is there");
        return Ok(ExitCode::SUCCESS);
    }
    for step in &steps {
        println!("missing: {}", step.title());
    }
    println!("{}", instructions(&steps)?);
    Ok(ExitCode::FAILURE)
}

/// What has to be installed, in order.
fn missing(purposes: &[Purpose]) -> Result<Vec<Step>> {
    let mut packages: Vec<String> = Vec::new();
    for (package, program) in purposes.iter().flat_map(|purpose| purpose.programs()) {
        if shell::find(program).is_none() && !packages.iter().any(|known| known == package) {
            packages.push((*package).to_owned());
        }
    }
    let mut steps = Vec::new();
    // Every purpose needs the kernel object.
    let found = toolchain::find();
    if found.is_none() {
        packages.extend(toolchain::packages()?);
    }
    if linker::find(found.as_ref()).is_none() {
        packages.extend(linker::packages(found.as_ref())?);
        steps.push(Step::Linker);
    }
    if purposes.iter().any(|purpose| purpose.lint()) && deny().is_none() {
        steps.push(Step::Deny);
    }
    if !packages.is_empty() {
        if !apt::is_there() {
            bail!("{}", by_hand(&packages));
        }
        steps.insert(0, Step::Packages(packages));
    }
    Ok(steps)
}

/// What to say on a machine without apt.
fn by_hand(packages: &[String]) -> String {
    format!(
        "{} has no apt. Install, by their names in Debian: {}\n\
         For the kernel programs alone, rustup is enough:\n  {}",
        os::Release::read().name(),
        packages.join(" "),
        toolchain::RUSTUP_WAY.join("\n  "),
    )
}

/// The commands that do what `steps` would.
fn instructions(steps: &[Step]) -> Result<String> {
    let mut text = String::from("run these commands, then this one again:");
    for step in steps {
        match step {
            Step::Packages(names) => write!(
                text,
                "\n  sudo apt-get update\n  sudo apt-get install --no-install-recommends {}",
                names.join(" ")
            )?,
            Step::Linker => write!(text, "\n  cargo xtask setup --for build   # bpf-linker")?,
            Step::Deny => write!(
                text,
                "\n  cargo install cargo-deny --version {DENY_VERSION} --locked"
            )?,
        }
    }
    Ok(text)
}

fn deny_command() -> Result<Command> {
    let mut command = cargo::command();
    command
        .args(["install", "cargo-deny", "--version", DENY_VERSION])
        .args(["--locked", "--no-default-features", "--root"])
        .arg(workspace::tools())
        .env("CARGO_TARGET_DIR", workspace::tools().join("build"));
    Ok(command)
}

/// The toolchain and the linker, when both are there.
pub(crate) fn kernel_tools() -> Result<(Found, std::path::PathBuf)> {
    let found = toolchain::find().context("no toolchain builds the kernel programs here")?;
    let linker = linker::find(Some(&found)).context("no fitting bpf-linker")?;
    Ok((found, linker))
}
