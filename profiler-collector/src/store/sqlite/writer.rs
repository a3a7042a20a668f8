//! The one thread that writes. All calls that wait at one time go into one transaction, so that
//! they share the wait for the disk; the queue is bounded, and callers wait for a place in it.

use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{
    mpsc::{self, Receiver, Sender},
    oneshot,
};

use super::{bounds::Bounds, save};
use crate::store::{StoreError, Write, Written};

/// Calls that wait in the queue, and that go into one transaction.
const QUEUE: usize = 256;

/// A transaction takes no more calls once its batches have so many bytes: the log stays small.
const GROUP_BYTES: usize = 32 << 20;

type Answer = oneshot::Sender<Result<Written, StoreError>>;
type Task = Box<dyn FnOnce(&mut Connection) + Send>;

struct Call {
    writes: Vec<Write>,
    answer: Answer,
}

enum Job {
    Write(Call),
    Task(Task),
}

/// The way to the thread. The thread ends, and the file is closed, when this is dropped.
pub(super) struct Writer {
    /// `None` only while it is dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(db: Connection, bounds: Bounds) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work(db, bounds, queue))
            .map_err(|error| StoreError::Unavailable(format!("start the writer: {error}")))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Keeps all of it or nothing; returns when it is on disk.
    pub(super) async fn write(&self, writes: Vec<Write>) -> Result<Written, StoreError> {
        let (answer, result) = oneshot::channel();
        self.send(Job::Write(Call { writes, answer })).await?;
        result.await.map_err(|_| ended())?
    }

    /// Runs `task` between two transactions.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        // Who asked may have gone: then nobody wants the answer.
        let task = move |db: &mut Connection| drop(answer.send(task(db)));
        self.send(Job::Task(Box::new(task))).await?;
        result.await.map_err(|_| ended())?
    }

    async fn send(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).await.map_err(|_| ended())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; the file is closed either way.
            drop(thread.join());
        }
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable("the store's writer has ended; see the log".into())
}

fn work(mut db: Connection, mut bounds: Bounds, mut queue: Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        match job {
            Job::Task(task) => task(&mut db),
            Job::Write(call) => {
                let (calls, task) = group(call, &mut queue);
                commit(&mut db, &mut bounds, calls);
                if let Some(task) = task {
                    task(&mut db);
                }
            }
        }
    }
}

/// `first` and what waits behind it, up to the first task.
fn group(first: Call, queue: &mut Receiver<Job>) -> (Vec<Call>, Option<Task>) {
    let mut bytes = size(&first);
    let mut calls = vec![first];
    while calls.len() < QUEUE && bytes < GROUP_BYTES {
        match queue.try_recv() {
            Ok(Job::Write(call)) => {
                bytes += size(&call);
                calls.push(call);
            }
            Ok(Job::Task(task)) => return (calls, Some(task)),
            Err(_) => break,
        }
    }
    (calls, None)
}

fn size(call: &Call) -> usize {
    let batches = call.writes.iter().filter_map(|write| write.batch.as_ref());
    batches
        .flat_map(|batch| &batch.parts)
        .map(|part| part.data.len())
        .sum()
}

fn commit(db: &mut Connection, bounds: &mut Bounds, calls: Vec<Call>) {
    let (writes, answers): (Vec<_>, Vec<_>) = calls
        .into_iter()
        .map(|call| (call.writes, call.answer))
        .unzip();
    let results = match save_each(db, bounds, &writes) {
        Ok(results) => results,
        Err(error) => {
            tracing::warn!(%error, calls = writes.len(), "nothing was written");
            vec![Err(error); writes.len()]
        }
    };
    for (answer, result) in answers.into_iter().zip(results) {
        // As above: who asked may have gone.
        drop(answer.send(result));
    }
}

/// What became of each call, once all are on disk. An error that comes from the disk or the file
/// concerns all of them.
fn save_each(
    db: &mut Connection,
    bounds: &mut Bounds,
    calls: &[Vec<Write>],
) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
    let mut change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(calls.len());
    for writes in calls {
        match save_one(&mut change, bounds, writes) {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Damaged(_))) => {
                return Err(error);
            }
            result => results.push(result),
        }
    }
    change.commit()?;
    Ok(results)
}

fn save_one(
    change: &mut Transaction<'_>,
    bounds: &mut Bounds,
    writes: &[Write],
) -> Result<Written, StoreError> {
    // Rolled back when it is dropped before its commit.
    let point = change.savepoint()?;
    let written = save::all(&point, bounds, writes)?;
    point.commit()?;
    Ok(written)
}
