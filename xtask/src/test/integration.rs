//! The integration tests on the running kernel.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use super::{report::Outcome, stream};
use crate::{
    build::{self, Profile},
    cargo, shell, workspace,
};

/// The package that holds the integration tests, and its target.
const PACKAGE: &str = "profiler-tests";
const TARGET: &str = "integration";

pub(crate) fn run(filter: Option<&str>) -> Result<Outcome> {
    if !shell::is_root() {
        let mut outcome = Outcome::default();
        outcome.skip(
            "all",
            "needs root: run `cargo xtask test integration` as root",
        );
        return Ok(outcome);
    }
    let binaries = build::binaries(Profile::Release)?;
    let mut command = Command::new(program()?.program);
    command
        .current_dir(workspace::root())
        .env("PROFILER_AGENT", &binaries.agent)
        .env("PROFILER_CLI", &binaries.client)
        .env("PROFILER_TEST_COLLECTOR", &binaries.collector)
        .args(filter);
    stream::run(&mut command)
}

/// The test program and the directory of its fixture programs.
pub(crate) struct Program {
    pub(crate) program: PathBuf,
    pub(crate) fixtures: PathBuf,
}

/// Builds the test program.
pub(crate) fn program() -> Result<Program> {
    let mut command = cargo::command();
    command.args(["test", "--no-run", "--package", PACKAGE, "--test", TARGET]);
    let built = cargo::build(&mut command)?;
    let out = built
        .out_dir(PACKAGE)
        .context("the build script of the tests did not run")?;
    Ok(Program {
        program: built.executable(TARGET)?,
        fixtures: out.join("fixtures"),
    })
}
