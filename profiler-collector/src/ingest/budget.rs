//! What all streams together may take of memory and of processors.

use std::{sync::Arc, thread};

use profiler_proto::v1;
use profiler_stream::define::Defined;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};
use tonic::Status;

/// What a batch, a frame, a stack or a number takes besides its texts and parts.
const OVERHEAD: usize = 128;

/// What events can take in memory once they are read, by what they take when they are encoded, and at
/// the most.
const READ: usize = 64;
const READ_MAX: usize = 64 << 20;

/// Bytes that are on their way to the store, and messages that are being read.
pub(super) struct Budget {
    bytes: Arc<Semaphore>,
    bytes_max: usize,
    /// A message takes as much as it decompresses to while it is read: as many at one time as
    /// there are processors.
    readers: Arc<Semaphore>,
}

/// Bytes that are taken until it is dropped.
pub(super) type Taken = OwnedSemaphorePermit;

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self {
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            readers: Arc::new(Semaphore::new(processors)),
        }
    }

    /// Takes bytes if they are free.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Taken> {
        let bytes = self.bounded(bytes);
        Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()
    }

    /// Waits for them. Who waits must not have taken any before: all could wait for each other.
    pub(super) async fn take(&self, bytes: usize) -> Result<Taken, Status> {
        let bytes = self.bounded(bytes);
        let taken = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        taken.map_err(|_| Status::internal("the budget of bytes has ended"))
    }

    /// More than there is at all is everything.
    fn bounded(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.bytes_max)).unwrap_or(u32::MAX)
    }

    /// Reads a message on a thread for it.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let place = Arc::clone(&self.readers).acquire_owned().await;
        let work = move || {
            // Held to the end of the work, which goes on if the stream has ended.
            let _place = place;
            work()
        };
        task::spawn_blocking(work)
            .await
            .map_err(|error| Status::internal(format!("a message was not read: {error}")))
    }
}

/// Bytes that a batch takes.
pub(super) fn weight(batch: &v1::Batch) -> usize {
    let parts = batch.parts.iter();
    parts.map(|part| part.data.len() + OVERHEAD).sum::<usize>() + OVERHEAD
}

/// Bytes that its events can take while they are read; what they do not need is given back then.
pub(super) fn weight_of_events(batch: &v1::Batch) -> usize {
    let parts = batch.parts.iter();
    let events = parts.filter(|part| part.kind() == v1::PartKind::Events);
    let sizes = events.map(|part| READ.saturating_mul(part.size as usize));
    sizes.fold(0, usize::saturating_add).min(READ_MAX)
}

/// Bytes that definitions take once they are read.
pub(super) fn weight_of_definitions(defined: &Defined) -> usize {
    let frames = defined.frames.iter().map(|(_, frame)| {
        let texts = [&frame.function, &frame.file, &frame.module, &frame.build_id];
        OVERHEAD + texts.iter().map(|text| text.len()).sum::<usize>()
    });
    let stacks = defined.stacks.iter();
    let stacks = stacks.map(|(_, frames, _)| OVERHEAD + 8 * frames.len());
    frames.sum::<usize>() + stacks.sum::<usize>() + 16 * defined.numbers.len()
}
