//! Unit and property tests.

use anyhow::Result;

use super::{report::Outcome, stream};
use crate::cargo;

pub(crate) fn run(filter: Option<&str>) -> Result<Outcome> {
    let mut command = cargo::command();
    command.args(["test", "--workspace", "--exclude=profiler-tests"]);
    command.arg("--no-fail-fast").args(filter);
    stream::run(&mut command)
}
