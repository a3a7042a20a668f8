//! Python environments in the target directory, each with packages that are downloaded once.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::Result;

use crate::{
    command::Finished,
    surroundings::{installed, target_directory},
};

/// gRPC's own client.
const GRPC: [&str; 4] = [
    "grpcio",
    "grpcio-tools",
    "grpcio-health-checking",
    "grpcio-reflection",
];

/// ClickHouse as a library, without what it is not needed for here.
const CHDB: [&str; 2] = ["--no-deps", "chdb-core>=26,<27"];

/// Most time for the download.
const INSTALL: Duration = Duration::from_secs(300);

/// The interpreter, or the reason why there is none.
pub fn with_grpc() -> Result<std::result::Result<PathBuf, String>> {
    environment("test-python", &GRPC)
}

/// The same.
pub fn with_chdb() -> Result<std::result::Result<PathBuf, String>> {
    environment("test-chdb", &CHDB)
}

fn environment(name: &str, packages: &[&str]) -> Result<std::result::Result<PathBuf, String>> {
    let Some(python) = installed("python3") else {
        return Ok(Err("python3 is not installed".into()));
    };
    let Some(target) = target_directory() else {
        return Ok(Err("there is no target directory".into()));
    };
    let environment = target.join(name);
    let interpreter = environment.join("bin/python3");
    let complete = environment.join("complete");
    if complete.is_file() {
        return Ok(Ok(interpreter));
    }
    let mut create = Command::new(python);
    create.args(["-m", "venv", "--clear"]).arg(&environment);
    let created = Finished::run(create, Duration::from_secs(60))?;
    if !created.status.success() {
        return Ok(Err(format!(
            "python3 has no venv: {}",
            last_line(&created.errors)
        )));
    }
    let mut install = Command::new(&interpreter);
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "1",
        ])
        .args(["--only-binary", ":all:"])
        .args(packages);
    match Finished::run(install, INSTALL) {
        Ok(done) if done.status.success() => {
            fs::write(complete, "")?;
            Ok(Ok(interpreter))
        }
        Ok(done) => Ok(Err(format!(
            "pip could not install {}: {}",
            packages.join(" "),
            last_line(&done.errors)
        ))),
        Err(error) => Ok(Err(format!(
            "pip could not install {}: {error:#}",
            packages.join(" ")
        ))),
    }
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or("")
}
