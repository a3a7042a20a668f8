//! A Python environment with gRPC's own client, in the target directory.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::Result;

use crate::{
    command::Finished,
    surroundings::{installed, target_directory},
};

const PACKAGES: [&str; 4] = [
    "grpcio",
    "grpcio-tools",
    "grpcio-health-checking",
    "grpcio-reflection",
];

/// Most time for the download.
const INSTALL: Duration = Duration::from_secs(180);

/// The interpreter, or the reason why there is none.
pub fn with_grpc() -> Result<std::result::Result<PathBuf, String>> {
    let Some(python) = installed("python3") else {
        return Ok(Err("python3 is not installed".into()));
    };
    let Some(target) = target_directory() else {
        return Ok(Err("there is no target directory".into()));
    };
    let environment = target.join("test-python");
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
        .args(PACKAGES);
    match Finished::run(install, INSTALL) {
        Ok(done) if done.status.success() => {
            fs::write(complete, "")?;
            Ok(Ok(interpreter))
        }
        Ok(done) => Ok(Err(format!(
            "pip could not install grpcio: {}",
            last_line(&done.errors)
        ))),
        Err(error) => Ok(Err(format!("pip could not install grpcio: {error:#}"))),
    }
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or("")
}
