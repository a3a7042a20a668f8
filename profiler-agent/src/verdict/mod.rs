//! Is it leaking? Moments of the pipeline become readings of the kernel's own figures, readings become
//! verdicts ([`profiler_analysis::verdict`]), and verdicts stand on a board ([`Shared`]) from which
//! answers, probes of health and the stream are made.
//!
//! One thread does all of it. [`VerdictExporter`] gives it the newest moment, and kills through a bounded
//! channel; what it is too busy to take is dropped and counted.

mod around;
mod book;
mod ends;
mod evidence;
mod exporter;
mod forecast;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod identity;
mod judge;
mod key;
mod kill;
mod lives;
mod losses;
mod origin;
mod pods;
mod probes;
mod quota;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod time;
mod told;
mod wire;
mod words;
mod worker;

use std::{
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use profiler_analysis::verdict::Rules;
use tokio::{sync::oneshot, time::sleep};

use self::{
    evidence::Explain,
    exporter::{Given, Inputs},
    losses::count,
    origin::Procfs,
    shared::{lock, write},
    state::{StateFile, Unusable},
    worker::Worker,
};
pub use self::{exporter::VerdictExporter, shared::Shared};
use crate::{
    export::{Sources, boot_id},
    health::HealthRules,
};

/// The thread gets so much time to write its state at the end, and is looked at this often.
const END_GRACE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);

/// What can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The shortest window of series.
    pub window: Duration,
    /// Where the state is kept; none: nowhere.
    pub state: Option<PathBuf>,
    /// Thresholds of health.
    pub health: HealthRules,
    /// Whether the kernel tells of OOM kills; else the counters of cgroups do.
    pub hears_of_kills: bool,
}

/// The thread.
#[derive(Debug)]
pub struct Judging {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Settings {
    /// A board without any series.
    pub fn board(&self, clock: crate::export::Clock) -> Arc<Shared> {
        Arc::new(Shared::new(clock, self.rules(), self.health))
    }

    fn rules(&self) -> Rules {
        Rules {
            window: self.window,
        }
    }
}

/// Takes over what was kept of the run before, and starts the thread.
///
/// # Errors
/// The thread cannot be started.
pub fn start(settings: &Settings, sources: &Sources) -> anyhow::Result<(VerdictExporter, Judging)> {
    let shared = Arc::clone(&sources.verdicts);
    let state = settings.state.clone();
    let state = state.map(|path| StateFile::new(path, boot_id(), settings.window));
    let state = state.filter(|state| restore(state, &shared));
    let (exporter, inputs) = exporter::channel(Arc::clone(&shared));
    let (alive, ended) = oneshot::channel::<()>();
    let explain = Explain::new(sources, settings.window);
    let mut worker = Worker::new(shared, Box::new(Procfs::new()), explain, state);
    worker.hears_of_kills = settings.hears_of_kills;
    let thread = thread::Builder::new()
        .name("verdicts".to_owned())
        .spawn(move || {
            // Dropped when the thread ends, also by a panic: then the agent ends too, for what stands
            // on the board would be told for ever.
            let _alive = alive;
            run(worker, inputs);
        })
        .context("start the thread that judges")?;
    Ok((exporter, Judging { thread, ended }))
}

/// Whether the file may be written from now on.
fn restore(state: &StateFile, shared: &Shared) -> bool {
    let restored = state.restore(&mut write(&shared.book));
    let path = state.path().display();
    match restored {
        Ok(restored) => {
            lock(&shared.told).restore(restored.kills, restored.forgotten);
            true
        }
        Err(Unusable::Damaged(error)) => {
            tracing::warn!("the state of verdicts in {path} is of no use: {error:#}");
            count(&shared.losses.state_failed);
            true
        }
        Err(Unusable::Unread(error)) => {
            tracing::warn!(
                "the state of verdicts in {path} cannot be read: {error}. It is left as it is, and \
                 nothing is kept until the agent is started again"
            );
            count(&shared.losses.state_failed);
            false
        }
    }
}

/// Until there is nobody left who could give another moment.
fn run(mut worker: Worker, inputs: Inputs) {
    for input in inputs {
        match input {
            Given::Moment(moment) => worker.moment(&moment),
            Given::Kill(kill) => worker.killed(&kill),
        }
    }
    worker.finish();
}

impl Judging {
    /// Waits until the thread has ended, which it does by itself only when it fails.
    pub async fn ended(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.ended).await;
    }

    /// Gives the thread, whose exporter has to be gone by now, some time to write its state.
    pub async fn finish(self) {
        let end = Instant::now() + END_GRACE;
        while !self.thread.is_finished() {
            if Instant::now() >= end {
                tracing::warn!("the state of verdicts could not be written in time");
                return;
            }
            sleep(LOOK).await;
        }
    }
}
