//! The kernel object and the binaries.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};

use crate::{
    cargo::{self, Built},
    setup::{self, Purpose},
    workspace,
};

/// Builds the kernel object and the release binaries.
///
/// The kernel programs come first (`target/bpf/profiler.bpf.o`), because the agent embeds them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build the binaries for debugging: quicker to build, slower to run.
    #[arg(long)]
    debug: bool,
    /// Build the release binaries; this is what happens anyway.
    #[arg(long, conflicts_with = "debug")]
    release: bool,
}

/// How the binaries are optimised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// The binaries of the product.
pub(crate) struct Binaries {
    pub(crate) agent: PathBuf,
    pub(crate) collector: PathBuf,
    pub(crate) client: PathBuf,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[Purpose::Build])?;
    let object = kernel_object()?.path;
    let profile = if args.debug {
        Profile::Debug
    } else {
        Profile::Release
    };
    let binaries = binaries(profile)?;
    for path in [object, binaries.agent, binaries.collector, binaries.client] {
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The kernel object, and how many warnings its source has.
pub(crate) struct KernelObject {
    pub(crate) path: PathBuf,
    pub(crate) warnings: usize,
}

/// Builds the kernel object. Its file is touched only when its content changes, so that the agent
/// is not built anew for nothing.
pub(crate) fn kernel_object() -> Result<KernelObject> {
    let (toolchain, linker) = setup::kernel_tools()?;
    let object = workspace::kernel_object();
    let mut command = toolchain.cargo(&linker)?;
    command
        .current_dir(workspace::root().join("profiler-ebpf"))
        .args(["build", "--release", "--target-dir"])
        .arg(workspace::bpf().join("build"));
    let built = cargo::build(&mut command).context("build the kernel programs")?;
    let made = built.executable("profiler")?;
    copy_if_changed(&made, &object)?;
    Ok(KernelObject {
        path: object,
        warnings: built.warnings,
    })
}

/// Builds the agent, the collector and the client.
pub(crate) fn binaries(profile: Profile) -> Result<Binaries> {
    let mut command = cargo::command();
    command.args([
        "build",
        "--package=profiler-agent",
        "--package=profiler-collector",
        "--package=profiler-cli",
    ]);
    command.arg("--bins");
    if profile == Profile::Release {
        command.arg("--release");
    }
    let built: Built = cargo::build(&mut command)?;
    Ok(Binaries {
        agent: built.executable("profiler-agent")?,
        collector: built.executable("profiler-collector")?,
        client: built.executable("profiler")?,
    })
}

fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let parent = to.parent().context("the object has no directory")?;
    fs::create_dir_all(parent)?;
    // Written beside and moved into place: a build that runs at the same time sees it whole.
    let beside = to.with_extension("new");
    fs::write(&beside, content)?;
    fs::rename(&beside, to).with_context(|| format!("write {}", to.display()))
}
