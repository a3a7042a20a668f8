//! Snapshots to a collector: each is written to the spool as a batch, from which the sender takes
//! it. The two know each other only through the spool, so that no collector can hold up writing.

mod connect;
mod events;
mod exporter;
mod now;
mod opening;
mod report;
mod writer;

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use profiler_stream::spool::SpoolError;
use tokio::time::{sleep, timeout};

pub use self::exporter::StreamExporter;
use self::{
    opening::{Opening, Sending},
    report::Report,
    writer::Writer,
};
use super::Sources;
use crate::{config::Collectors, profile::Snapshot};

/// Snapshots that wait for the writer; more are dropped.
const WAITING: usize = 2;
/// What is not written at the end gets so much time, after it what is not sent, and both are looked
/// at this often.
const WRITE_GRACE: Duration = Duration::from_secs(10);
const SEND_GRACE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);
/// A spool that could not be opened is tried again after so many intervals, or a minute.
const AGAIN_INTERVALS: u32 = 6;
const AGAIN_MOST: Duration = Duration::from_secs(60);

/// A stream that runs.
pub struct Streaming {
    writing: JoinHandle<()>,
    sending: Sending,
    report: Arc<Report>,
}

/// Opens the spool, and starts the thread that writes and the task that sends. Needs a tokio
/// runtime. A spool that cannot be opened now is said to be so, and tried again.
///
/// # Errors
/// Another agent uses the spool.
pub fn start(
    collectors: &Collectors,
    sources: &Sources,
    interval: Duration,
) -> anyhow::Result<(StreamExporter, Streaming)> {
    let report = Arc::new(Report::default());
    let sending = Sending::default();
    let told = Arc::clone(&report);
    let opening = Opening::new(collectors, sources, interval, told, sending.clone());
    let folder = collectors.spool.display();
    let writer = match opening.open() {
        Err(SpoolError::Io(error)) => {
            tracing::error!("the spool in {folder} cannot be opened: {error}");
            report.not_opened(&error);
            None
        }
        opened => Some(opened.with_context(|| format!("open the spool in {folder}"))?),
    };
    let (snapshots, kept) = mpsc::sync_channel(WAITING);
    let thread_report = Arc::clone(&report);
    let again = AGAIN_MOST.min(interval * AGAIN_INTERVALS);
    let writing = thread::Builder::new()
        .name("stream".to_owned())
        .spawn(move || write(writer, &kept, &thread_report, again, &opening))
        .context("start the thread that writes to the spool")?;
    let streaming = Streaming {
        writing,
        sending,
        report: Arc::clone(&report),
    };
    Ok((StreamExporter::new(snapshots, report), streaming))
}

/// Writes until there is nobody left who could give another snapshot.
fn write(
    mut writer: Option<Writer>,
    snapshots: &Receiver<Arc<Snapshot>>,
    report: &Report,
    again: Duration,
    opening: &Opening,
) {
    let mut tried = Instant::now();
    for snapshot in snapshots {
        if writer.is_none() && tried.elapsed() >= again {
            let opened = opening.open();
            writer = opened.map_err(|error| report.not_opened(&error)).ok();
            tried = Instant::now();
        }
        match &mut writer {
            Some(writer) => writer.write(&snapshot),
            None => report.count_not_exported(),
        }
        report.count_done();
    }
}

impl Streaming {
    /// Gives what the exporter was given, which has to be gone by now, some time to be written, and
    /// a moment to be sent. What is not sent stays in the spool.
    pub async fn finish(self) {
        let written = until(|| self.writing.is_finished());
        if timeout(WRITE_GRACE, written).await.is_err() {
            let left = self.report.waiting();
            tracing::warn!("{left} snapshots could not be written to the spool in time");
        }
        let sent = until(|| !self.report.can_send());
        if timeout(SEND_GRACE, sent).await.is_err() {
            tracing::info!("what could not be sent in time stays in the spool");
        }
        if let Some(sending) = self.sending.take() {
            sending.abort();
            // It says that it was aborted.
            let _ = sending.await;
        }
    }
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(LOOK).await;
    }
}
