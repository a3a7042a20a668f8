//! Verdicts as they change.

use std::{pin::Pin, sync::Arc};

use profiler_proto::v1;
use profiler_query::answer::verdicts::{Scope, WatchVerdicts};
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{Receiver, error::RecvError},
    mpsc::{self, Sender},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::Status;

use super::processes;
use crate::{
    export::gather::{Gathered, Inner},
    profile::TargetInfo,
};

/// What a watcher gets.
pub(in crate::export) type Changes =
    Pin<Box<dyn Stream<Item = Result<v1::VerdictChange, Status>> + Send>>;

/// Changes that wait for the asker's connection, beside those of the board.
const WAITING: usize = 16;

type Outgoing = Sender<Result<v1::VerdictChange, Status>>;

/// All that are chosen, then what changes. Needs a tokio runtime. The permit is held until the asker
/// goes.
///
/// # Errors
/// The agent ends.
pub(in crate::export) fn watch(
    gathered: Gathered,
    question: WatchVerdicts,
    permit: OwnedSemaphorePermit,
) -> Result<Changes, Status> {
    let board = &gathered.inner.verdicts;
    let changes = board.watch();
    let changes = changes.ok_or_else(|| Status::unavailable("the agent is shutting down"))?;
    let now = now(&gathered, &question);
    let (outgoing, answer) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let Gathered { inner, fresh } = gathered;
        let known: Vec<Arc<TargetInfo>> = fresh
            .snapshot
            .processes
            .iter()
            .map(|one| Arc::clone(&one.info))
            .collect();
        drop(fresh);
        if send_all(&outgoing, now).await {
            follow(&inner, &question, &known, changes, &outgoing).await;
        }
        drop(permit);
    });
    Ok(Box::pin(ReceiverStream::new(answer)))
}

/// Every verdict that is chosen, as one that has come to its state.
fn now(gathered: &Gathered, question: &WatchVerdicts) -> Vec<v1::VerdictChange> {
    let processes = processes(gathered);
    let scope = Scope::new(&question.filter, &processes);
    let verdicts = gathered.inner.verdicts.verdicts().into_iter();
    let changes = verdicts.map(|verdict| v1::VerdictChange {
        time: verdict.time,
        from: v1::VerdictState::Unspecified.into(),
        verdict: Some(verdict),
    });
    changes
        .filter(|change| question.takes(&scope, change))
        .collect()
}

/// Returns whether the asker is still there.
async fn send_all(outgoing: &Outgoing, changes: Vec<v1::VerdictChange>) -> bool {
    for change in changes {
        if outgoing.send(Ok(change)).await.is_err() {
            return false;
        }
    }
    true
}

async fn follow(
    inner: &Inner,
    question: &WatchVerdicts,
    known: &[Arc<TargetInfo>],
    mut changes: Receiver<Arc<v1::VerdictChange>>,
    outgoing: &Outgoing,
) {
    let known: Vec<&TargetInfo> = known.iter().map(|info| &**info).collect();
    let scope = Scope::new(&question.filter, &known);
    loop {
        let change = tokio::select! {
            change = changes.recv() => change,
            () = outgoing.closed() => return,
        };
        let answer = match change {
            Ok(change) if question.takes(&scope, &change) => Ok(v1::VerdictChange::clone(&change)),
            Ok(_) => continue,
            Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(missed)) => {
                inner.verdicts.count_behind();
                Err(Status::data_loss(format!(
                    "{missed} changes were missed, since they were read too slowly; watch again \
                     to see how things stand"
                )))
            }
        };
        let is_last = answer.is_err();
        if outgoing.send(answer).await.is_err() || is_last {
            return;
        }
    }
}
