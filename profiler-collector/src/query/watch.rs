//! `WatchVerdicts`: what holds now, then changes as they come in.

use std::{collections::HashMap, sync::Arc, time::Duration};

use profiler_proto::v1;
use profiler_query::answer::verdicts::{Scope, WatchVerdicts};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Inner, VerdictStream, inputs::Inputs, moments::Span, verdicts::infos};
use crate::{
    fleet::{Cost, SeriesKey, Verdicts, With, may_be_on},
    ingest::{Change, Changes},
};

/// Changes on their way to one watcher.
const AHEAD: usize = 16;
/// A watcher that takes nothing for so long is ended.
const PATIENCE: Duration = Duration::from_secs(60);
/// Verdicts whose last change is remembered for one watcher.
const REMEMBERED_MAX: usize = 200_000;

/// Where changes come from, and when that ends.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) changes: Changes,
    /// None: when nobody can tell any more.
    pub(super) stopped: Option<watch::Receiver<bool>>,
}

type Sender = mpsc::Sender<Result<v1::VerdictChange, Status>>;

/// What is there at first.
pub(super) struct Begin {
    asked: WatchVerdicts,
    inputs: Inputs,
    verdicts: Verdicts,
}

impl Begin {
    pub(super) async fn read(
        inner: Arc<Inner>,
        cost: Arc<Cost>,
        request: v1::WatchVerdictsRequest,
    ) -> Result<Self, Status> {
        let asked = WatchVerdicts::new(&request)?;
        let mut runs = inner.fleet.runs().await?;
        runs.retain(|run| may_be_on(&asked.filter, run));
        let span = Span::now(inner.clock.now());
        let inputs = Inputs::read(&inner, &runs, &span, With::Targets, &cost).await?;
        let side = inner
            .fleet
            .side(&runs, span.at, span.now, With::Verdicts, &cost);
        let verdicts = Verdicts::new(&side.await?, &cost)?;
        Ok(Self {
            asked,
            inputs,
            verdicts,
        })
    }
}

/// `begin` is read after watching has begun, so that no change is missed in between.
///
/// # Errors
/// Too many watch already; what `begin` says.
pub(super) async fn start(
    source: Source,
    begin: impl Future<Output = Result<Begin, Status>>,
) -> Result<VerdictStream, Status> {
    let (mut changes, place) = source.changes.watch().ok_or_else(|| {
        Status::resource_exhausted(
            "as many watch verdicts already as this collector lets; try later",
        )
    })?;
    let begin = begin.await?;
    let (sender, stream) = mpsc::channel(AHEAD);
    let stopped = until(source.stopped);
    tokio::spawn(async move {
        let _place = place;
        let ended = tokio::select! {
            ended = follow(begin, &mut changes, &sender) => ended,
            () = sender.closed() => return,
            () = stopped => {
                Err(Status::unavailable("the collector is shutting down"))
            }
        };
        if let Err(status) = ended {
            // The watcher may be gone, or not read.
            let _ = timeout(PATIENCE, sender.send(Err(status))).await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream)))
}

async fn until(stopped: Option<watch::Receiver<bool>>) {
    match stopped {
        // An error means that the sender is gone, which is the end as well.
        Some(mut stopped) => drop(stopped.wait_for(|stopped| *stopped).await),
        None => std::future::pending().await,
    }
}

async fn follow(
    begin: Begin,
    changes: &mut tokio::sync::broadcast::Receiver<Change>,
    sender: &Sender,
) -> Result<(), Status> {
    let Begin {
        asked,
        inputs,
        verdicts,
    } = begin;
    let scope = Scope::new(&asked.filter, &infos(&inputs.gathered.end));
    drop(inputs);
    let mut told = Told::default();
    for verdict in verdicts.each() {
        let change = v1::VerdictChange {
            time: verdict.time,
            from: v1::VerdictState::Unspecified.into(),
            verdict: Some(verdict),
        };
        if told.is_new(&change) && asked.takes(&scope, &change) {
            send(sender, change).await?;
        }
    }
    drop(verdicts);
    loop {
        match changes.recv().await {
            Ok(change) => {
                if told.is_new(&change) && asked.takes(&scope, &change) {
                    send(sender, v1::VerdictChange::clone(&change)).await?;
                }
            }
            Err(RecvError::Lagged(missed)) => return Err(too_slow(missed)),
            Err(RecvError::Closed) => return Err(Status::unavailable("nothing comes in any more")),
        }
    }
}

async fn send(sender: &Sender, change: v1::VerdictChange) -> Result<(), Status> {
    let sent = timeout(PATIENCE, sender.send(Ok(change))).await;
    sent.map_err(|_| too_slow(1))?
        .map_err(|_| Status::cancelled("the watcher has gone"))
}

fn too_slow(missed: u64) -> Status {
    Status::resource_exhausted(format!(
        "changes come faster than they are read, and at least {missed} were missed; watch again to \
         see what holds now"
    ))
}

/// The last change of each verdict: an agent may send one again, also after later ones.
#[derive(Default)]
struct Told(HashMap<SeriesKey, Last>);

struct Last {
    time: (i64, i32),
    state: i32,
    healthy: bool,
}

impl Told {
    fn is_new(&mut self, change: &v1::VerdictChange) -> bool {
        let Some(verdict) = &change.verdict else {
            return false;
        };
        let Some(target) = &verdict.target else {
            return false;
        };
        let time = change.time.as_ref();
        let last = Last {
            time: time.map_or((0, 0), |time| (time.seconds, time.nanos)),
            state: verdict.state,
            healthy: verdict.healthy,
        };
        let key = SeriesKey::of(target);
        if let Some(before) = self.0.get_mut(&key) {
            let same = (before.state, before.healthy) == (last.state, last.healthy);
            if same || last.time < before.time {
                return false;
            }
            *before = last;
        } else if self.0.len() < REMEMBERED_MAX {
            self.0.insert(key, last);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(seconds: i64, state: v1::VerdictState, healthy: bool) -> v1::VerdictChange {
        v1::VerdictChange {
            time: Some(pbjson_types::Timestamp { seconds, nanos: 0 }),
            from: 0,
            verdict: Some(v1::Verdict {
                target: Some(v1::Target::default()),
                state: state.into(),
                healthy,
                ..v1::Verdict::default()
            }),
        }
    }

    #[test]
    fn a_change_is_told_once_and_none_after_a_later_one() {
        use v1::VerdictState::{Growing, Leaking};
        let mut told = Told::default();
        assert!(told.is_new(&change(10, Growing, true)));
        assert!(!told.is_new(&change(11, Growing, true)), "nothing changed");
        assert!(told.is_new(&change(12, Leaking, true)));
        assert!(!told.is_new(&change(11, Growing, true)), "sent again");
        assert!(told.is_new(&change(13, Leaking, false)), "its health");
    }
}
