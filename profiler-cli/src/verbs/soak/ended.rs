//! Signals that end a soak before its time, with a report.

use std::{fs, future::pending, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// Ctrl-C, and what init, a runner of CI and a terminal that closes send.
pub(super) struct Ended {
    interrupt: Signal,
    terminate: Signal,
    /// None under nohup.
    hangup: Option<Signal>,
}

impl Ended {
    pub(super) fn new() -> Result<Self, Failure> {
        let of = |kind| {
            signal(kind).map_err(|error: io::Error| {
                Failure::new(format!("cannot wait for signals: {error}"))
            })
        };
        Ok(Self {
            hangup: match ignores_hangup() {
                true => None,
                false => Some(of(SignalKind::hangup())?),
            },
            interrupt: of(SignalKind::interrupt())?,
            terminate: of(SignalKind::terminate())?,
        })
    }

    /// Waits for any of them.
    pub(super) async fn early(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether whoever started it asked for that (proc_pid_status(5): SigIgn, SIGHUP is the first bit).
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
