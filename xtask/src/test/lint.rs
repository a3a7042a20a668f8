//! What can be said of the source without running it.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::report::Outcome;
use crate::{build, cargo, setup, shell, workspace};

pub(crate) fn run() -> Result<Outcome> {
    let mut outcome = Outcome::default();
    outcome.note(
        "format",
        shell::run(cargo::command().args(["fmt", "--all", "--check"])),
    );
    outcome.note("format of the kernel programs", kernel_format());
    outcome.note("clippy", clippy());
    outcome.note("warnings of the kernel programs", kernel_warnings());
    licences(&mut outcome)?;
    Ok(outcome)
}

fn kernel_format() -> Result<()> {
    let mut command = cargo::command();
    command
        .current_dir(workspace::root().join("profiler-ebpf"))
        .args(["fmt", "--check"]);
    shell::run(&mut command)
}

fn clippy() -> Result<()> {
    let mut command = cargo::command();
    command.args(["clippy", "--workspace", "--all-targets", "--quiet"]);
    command.args(["--", "-D", "warnings"]);
    shell::run(&mut command)
}

/// Debian's compiler comes without clippy, so the compiler's own lints must do.
fn kernel_warnings() -> Result<()> {
    match build::kernel_object()?.warnings {
        0 => Ok(()),
        count => bail!("{count} warnings"),
    }
}

fn licences(outcome: &mut Outcome) -> Result<()> {
    let deny = setup::deny().context("cargo-deny is missing; run `cargo xtask setup`")?;
    for (name, manifest) in [
        ("licences and sources", "Cargo.toml"),
        (
            "licences and sources of the kernel programs",
            "profiler-ebpf/Cargo.toml",
        ),
    ] {
        let mut command = deny_command(&deny, manifest);
        command.args(["check", "--hide-inclusion-graph"]);
        if manifest != "Cargo.toml" {
            // The list is the workspace's; the kernel programs use a part of it.
            command.args(["-A", "license-not-encountered"]);
            command.args(["-A", "license-exception-not-encountered"]);
        }
        command.args(["licenses", "bans", "sources"]);
        outcome.note(name, shell::run_quietly(&mut command));
    }
    advisories(&deny, outcome);
    Ok(())
}

/// The database of advisories is a git repository on another host, which may be out of reach.
fn advisories(deny: &std::path::Path, outcome: &mut Outcome) {
    let name = "advisories";
    let fetched = deny_command(deny, "Cargo.toml")
        .args(["fetch", "db"])
        .output();
    if fetched.is_ok_and(|output| output.status.success()) {
        let mut command = deny_command(deny, "Cargo.toml");
        command.args(["check", "--disable-fetch", "advisories"]);
        outcome.note(name, shell::run_quietly(&mut command));
    } else {
        outcome.skip(name, "the advisory database can't be fetched from here");
    }
}

fn deny_command(deny: &std::path::Path, manifest: &str) -> Command {
    let mut command = Command::new(deny);
    command.current_dir(workspace::root()).args([
        "--manifest-path",
        manifest,
        "--config",
        "deny.toml",
    ]);
    command
}
