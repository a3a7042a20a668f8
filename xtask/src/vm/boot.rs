//! Boots a guest and follows its serial line.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::log::Log;
use crate::test::report::Outcome;

/// Lines that wait to be read; a guest that says more is held up.
const LINES: usize = 1024;

/// One guest.
pub(crate) struct Machine<'a> {
    pub(crate) vmlinux: &'a Path,
    pub(crate) initramfs: &'a Path,
    pub(crate) log: &'a Path,
    pub(crate) timeout: Duration,
}

/// The emulator; killed at the latest when this value goes.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Machine<'_> {
    /// Runs the guest to its end, or to its timeout.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let mut child = self.command().spawn().context("start qemu")?;
        let stdout = child.stdout.take().context("qemu has no output")?;
        let emulator = Emulator(child);
        let lines = follow(stdout);
        let mut file = File::create(self.log)?;
        let mut log = Log::default();
        let deadline = Instant::now() + self.timeout;
        let timed_out = loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    writeln!(file, "{line}")?;
                    if log.has_begun() {
                        println!("  {line}");
                    }
                    log.line(&line);
                    if log.has_ended() {
                        break false;
                    }
                }
                Err(RecvTimeoutError::Timeout) => break true,
                Err(RecvTimeoutError::Disconnected) => break false,
            }
        };
        drop(emulator);
        let outcome = log.outcome(timed_out);
        if !outcome.failed.is_empty() {
            eprintln!("  the whole of what the guest said: {}", self.log.display());
        }
        Ok(outcome)
    }

    /// Emulation, since nested virtualisation is rare; the option of the processor is one that
    /// newer kernels trip over in older emulators.
    fn command(&self) -> Command {
        // A guest must not outlive this program, however that ends.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
            .args(["-accel", "tcg", "-cpu", "max,-cx16", "-M", "q35"])
            .args(["-smp", "2", "-m", "1G", "-nodefaults", "-no-reboot"])
            .args(["-display", "none", "-serial", "stdio"])
            .arg("-kernel")
            .arg(self.vmlinux)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", "console=ttyS0 panic=-1 quiet"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }
}

fn follow(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(LINES);
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}
