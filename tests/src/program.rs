//! A child process whose output is read as it comes and which never outlives its test.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::surroundings::patience;

/// Most bytes of a child's standard error that are kept.
const ERRORS_KEPT: usize = 256 * 1024;

/// Children that have not been waited for, so that a test that hangs can be ended.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every child that is still there.
pub fn end_all() {
    for &pid in running().iter() {
        send(pid, Signal::KILL);
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself; it has not been waited for, so the id is still its own.
        let _gone = kill_process(pid, signal);
    }
}

/// A running child.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
    status: Option<ExitStatus>,
}

impl Program {
    /// Starts it with all three streams attached.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        running().insert(child.id());
        let output = child.stdout.take().context("no standard output")?;
        let errors = child.stderr.take().context("no standard error")?;
        Ok(Self {
            name,
            input: child.stdin.take(),
            lines: read_lines(output),
            errors: keep_errors(errors),
            child,
            status: None,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    pub fn line(&mut self, limit: Duration) -> Result<String> {
        match self.lines.recv_timeout(patience(limit)) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                bail!(
                    "{} printed nothing for {limit:?}; {}",
                    self.name,
                    self.errors()
                )
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{} closed its output; {}", self.name, self.errors())
            }
        }
    }

    /// Whatever it has still to print, up to its end or the limit.
    pub fn rest(&mut self, limit: Duration) -> String {
        let end = Instant::now() + patience(limit);
        let mut text = String::new();
        while let Ok(line) = self
            .lines
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Sends a line to its standard input.
    pub fn send(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("standard input is closed")?;
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .with_context(|| format!("write to {}", self.name))
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            send(self.pid(), signal);
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + patience(limit);
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                bail!(
                    "{} is still there after {limit:?}; {}",
                    self.name,
                    self.errors()
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its exit status if it has ended.
    pub fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait().context("wait")?;
            if self.status.is_some() {
                running().remove(&self.child.id());
            }
        }
        Ok(self.status)
    }

    /// What it has written to standard error.
    pub fn errors(&self) -> String {
        // The reader may still be at the last lines of a child that has just ended.
        thread::sleep(Duration::from_millis(50));
        let text = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if text.is_empty() {
            "it said nothing on standard error".into()
        } else {
            format!("standard error:\n{text}")
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !matches!(self.poll(), Ok(Some(_))) {
            self.signal(Signal::KILL);
            let _reaped = self.child.wait();
            running().remove(&self.child.id());
        }
    }
}

fn read_lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if sender.send(line).is_err() {
                // Nobody listens any more; keep the pipe empty so that the child can end.
                let _drained = std::io::copy(&mut reader, &mut std::io::sink());
                return;
            }
        }
    });
    receiver
}

fn keep_errors(errors: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let kept = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&kept);
    thread::spawn(move || {
        let mut reader = BufReader::new(errors);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            let mut text = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if text.len() < ERRORS_KEPT {
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            bytes.clear();
        }
    });
    kept
}
