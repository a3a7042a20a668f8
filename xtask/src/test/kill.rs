//! Collector and agents killed at random under load.

use std::process::Command;

use anyhow::Result;

use super::{report::Outcome, stream};
use crate::{
    build::{self, Profile},
    cargo, shell, workspace,
};

pub(super) fn run(rounds: u32) -> Result<Outcome> {
    if !shell::is_root() {
        let mut outcome = Outcome::default();
        outcome.skip("all", "needs root, for small disks that can be filled");
        return Ok(outcome);
    }
    let binaries = build::binaries(Profile::Release)?;
    let mut command = cargo::command();
    command.args([
        "test",
        "--no-run",
        "--package=profiler-tests",
        "--test=kill",
    ]);
    let program = cargo::build(&mut command)?.executable("kill")?;
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root())
        .env("PROFILER_TEST_COLLECTOR", &binaries.collector)
        .args(["--rounds", &rounds.to_string()]);
    stream::run(&mut command)
}
