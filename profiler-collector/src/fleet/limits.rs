//! What a question may cost.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::status::failed;

/// Bounds of one question, and of what is kept for the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostLimits {
    /// Batches that are read.
    pub batches: u64,
    /// Rows and processes of all nodes that an answer is put together from.
    pub rows: u64,
    /// Different stacks that are named, where an answer needs the names of all.
    pub stacks: u64,
    /// Bytes that what is read takes when it is unpacked.
    pub bytes: u64,
    /// Bytes of tables that stay in memory for the next question.
    pub cache_bytes: u64,
}

impl Default for CostLimits {
    fn default() -> Self {
        Self {
            batches: 50_000,
            rows: 4_000_000,
            stacks: 100_000,
            bytes: 1 << 30,
            cache_bytes: 256 << 20,
        }
    }
}

/// What a question has cost so far. It holds the question's places among those that are answered:
/// they are free when nothing works on it any more.
#[derive(Debug)]
pub(crate) struct Cost {
    limits: CostLimits,
    batches: AtomicU64,
    rows: AtomicU64,
    stacks: AtomicU64,
    bytes: AtomicU64,
    over: AtomicBool,
    _places: Vec<OwnedSemaphorePermit>,
}

impl Cost {
    pub(crate) fn new(limits: CostLimits, places: Vec<OwnedSemaphorePermit>) -> Self {
        Self {
            limits,
            batches: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            stacks: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            over: AtomicBool::new(false),
            _places: places,
        }
    }

    /// Nobody waits for the answer any more: what works on it may stop.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether anybody waits for the answer.
    ///
    /// # Errors
    /// Nobody does.
    pub(crate) fn check(&self) -> Result<(), Status> {
        match self.over.load(Ordering::Relaxed) {
            true => Err(Status::cancelled("nobody waits for this answer any more")),
            false => Ok(()),
        }
    }

    /// So many batches are going to be read.
    pub(crate) fn batches(&self, more: u64) -> Result<(), Status> {
        self.check()?;
        spend("batches", &self.batches, more, self.limits.batches)
    }

    /// So many rows and processes were found.
    pub(crate) fn rows(&self, more: u64) -> Result<(), Status> {
        spend("rows", &self.rows, more, self.limits.rows)
    }

    /// So many stacks are going to be named.
    pub(crate) fn stacks(&self, more: u64) -> Result<(), Status> {
        spend("different stacks", &self.stacks, more, self.limits.stacks)
    }

    /// So many bytes are going to be unpacked.
    pub(crate) fn bytes(&self, more: u64) -> Result<(), Status> {
        self.check()?;
        spend("bytes", &self.bytes, more, self.limits.bytes)
    }
}

/// Begins at once, on a thread of its own, what blocks. The question's places stay taken until that
/// has ended, also when nobody waits for it any more.
pub(crate) fn blocking<T, W>(
    cost: &Arc<Cost>,
    work: W,
) -> impl Future<Output = Result<T, Status>> + use<T, W>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let cost = Arc::clone(cost);
    let task = tokio::task::spawn_blocking(move || {
        cost.check()?;
        Ok(work())
    });
    async move { task.await.map_err(failed)? }
}

fn spend(what: &str, spent: &AtomicU64, more: u64, limit: u64) -> Result<(), Status> {
    let before = spent.fetch_add(more, Ordering::Relaxed);
    if before.saturating_add(more) <= limit {
        return Ok(());
    }
    Err(Status::resource_exhausted(format!(
        "this question would read more than {limit} {what}, which is the limit of what one may \
         cost; choose fewer nodes (selector.nodes), a shorter time or fewer points of it, and then \
         the container"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_over_a_limit_is_refused_with_what_to_do() {
        let limits = CostLimits {
            batches: 10,
            ..CostLimits::default()
        };
        let cost = Cost::new(limits, Vec::new());
        assert!(cost.batches(10).is_ok());
        let refused = cost.batches(1).expect_err("too much");
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        assert!(refused.message().contains("10 batches"));
        assert!(refused.message().contains("selector.nodes"));
        assert!(cost.rows(1).is_ok() && cost.bytes(1).is_ok());
    }

    #[tokio::test]
    async fn the_place_of_a_question_is_taken_until_its_work_has_ended() {
        let places = Arc::new(tokio::sync::Semaphore::new(1));
        let place = Arc::clone(&places).acquire_owned().await.expect("open");
        let cost = Arc::new(Cost::new(CostLimits::default(), vec![place]));
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let (began, begin) = tokio::sync::oneshot::channel();
        let work = blocking(&cost, move || {
            began.send(()).ok();
            wait.recv().ok();
        });
        begin.await.expect("begun");
        // As when the asker has gone.
        drop((work, cost));
        assert_eq!(places.available_permits(), 0);
        drop(go_on);
        let free = places.acquire();
        let free = tokio::time::timeout(std::time::Duration::from_secs(5), free).await;
        assert!(free.is_ok());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun() {
        let cost = Arc::new(Cost::new(CostLimits::default(), Vec::new()));
        cost.end();
        assert!(blocking(&cost, || unreachable!("begun")).await.is_err());
        assert!(cost.batches(1).is_err());
    }
}
