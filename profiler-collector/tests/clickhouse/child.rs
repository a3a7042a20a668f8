//! A server as a child process that never outlives this one, however this one ends.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

/// Runs the command until standard input ends: when this process does, the pipe does.
const WHILE_INPUT: &str = r#""$@" </dev/null & read -r _; kill -9 $!; wait"#;

/// A running server.
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
}

impl Server {
    /// Starts a program that ends when its standard input does.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// Starts a program that does not care for its standard input.
    pub(crate) fn start_any(command: &Command) -> Result<Self, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", WHILE_INPUT, "sh"]);
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        Self::start(&mut shell)
    }

    /// The first line that it prints, if its output is a pipe.
    pub(crate) fn first_line(&mut self) -> Result<String, String> {
        let output = self.child.stdout.take().ok_or("no output to read")?;
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends by itself now.
        let _status = self.child.wait();
    }
}

/// Runs to the end, or ends it after `limit`; the reason if it did not succeed.
pub(crate) fn finish(command: &mut Command, limit: Duration) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let log = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let errors = log.reopen().map_err(|error| error.to_string())?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let until = Instant::now() + limit;
    while Instant::now() < until {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{name}: {status}: {}", last_line(log.path()))),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    let _gone = child.kill();
    let _status = child.wait();
    Err(format!("{name}: not done within {limit:?}"))
}

fn last_line(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.trim_end().lines().last().unwrap_or("").to_owned()
}

/// A folder of cargo's target directory for what is downloaded once.
pub(crate) fn kept_directory(name: &str) -> Result<PathBuf, String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = binary.ancestors().nth(3).ok_or("no target directory")?;
    Ok(target.join(name))
}
