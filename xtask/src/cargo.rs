//! Calling cargo for the workspace, with the toolchain that runs this program.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::workspace;

/// A call of cargo in the workspace root.
pub(crate) fn command() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace::root());
    command
}

/// One line of `--message-format json`, as far as it is of interest here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    out_dir: Option<PathBuf>,
    #[serde(default)]
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// A message of the compiler.
#[derive(Deserialize)]
struct Diagnostic {
    level: String,
}

/// What a build left behind.
pub(crate) struct Built {
    /// Executables by the name of their target.
    pub(crate) executables: BTreeMap<String, PathBuf>,
    /// Directories that build scripts wrote to, by package id.
    out_dirs: BTreeMap<String, PathBuf>,
    /// Warnings of the packages in this workspace.
    pub(crate) warnings: usize,
}

impl Built {
    /// The executable of a target.
    pub(crate) fn executable(&self, target: &str) -> Result<PathBuf> {
        self.executables
            .get(target)
            .cloned()
            .with_context(|| format!("cargo did not build an executable called `{target}`"))
    }

    /// What the build script of a package wrote.
    pub(crate) fn out_dir(&self, package: &str) -> Option<&PathBuf> {
        // `path+file:///…/tests#profiler-tests@0.1.0`; the name is left out where it is the
        // directory's.
        self.out_dirs
            .iter()
            .find(|(id, _)| id.contains(&format!("#{package}@")))
            .map(|(_, directory)| directory)
    }
}

/// Runs a cargo command that builds. Diagnostics go to the terminal.
pub(crate) fn build(command: &mut Command) -> Result<Built> {
    command
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut built = Built {
        executables: BTreeMap::new(),
        out_dirs: BTreeMap::new(),
        warnings: 0,
    };
    for line in BufReader::new(stdout).lines() {
        let line = line.context("read what cargo says")?;
        // Build scripts and test programs may write lines of their own in between.
        if let Ok(message) = serde_json::from_str::<Message>(&line) {
            note(&mut built, message);
        }
    }
    let status = child.wait().context("wait for cargo")?;
    if !status.success() {
        bail!("the build failed ({status})");
    }
    Ok(built)
}

fn note(built: &mut Built, message: Message) {
    match message.reason.as_str() {
        "compiler-artifact" => {
            if let (Some(target), Some(executable)) = (message.target, message.executable) {
                built.executables.insert(target.name, executable);
            }
        }
        "build-script-executed" => {
            if let Some(directory) = message.out_dir {
                built.out_dirs.insert(message.package_id, directory);
            }
        }
        "compiler-message" if message.message.is_some_and(|m| m.level == "warning") => {
            built.warnings += 1;
        }
        _ => {}
    }
}
