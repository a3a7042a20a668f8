//! The run that the messages of a stream are about.

use profiler_proto::v1;
use profiler_stream::define;
use tonic::Status;

use super::run;
use crate::store::{FrameHash, RunFacts, RunId, StackContent, StackHash, Write};

/// Definitions that wait for a batch are written without one from this many on.
const PENDING_MAX: usize = 65_536;
/// And from so many bytes on.
const PENDING_BYTES_MAX: usize = 8 << 20;

/// A run from its first message to that of the next.
pub(super) struct Current {
    pub(super) id: RunId,
    pub(super) facts: RunFacts,
    pub(super) definitions: define::Reader,
    /// Why its batches are refused: the agent drops them and goes on with its next run.
    pub(super) broken: Option<String>,
    /// Defined and not yet handed to a write.
    pending: define::Defined,
    pending_bytes: usize,
}

impl Current {
    /// # Errors
    /// INVALID_ARGUMENT without a run id, which a refusal would have to name.
    pub(super) fn new(run: v1::Run) -> Result<Self, Status> {
        let id = run::id(&run)?;
        let node = run.node.clone();
        let (facts, broken) = match run::facts(run) {
            Ok(facts) => (facts, None),
            Err(reason) => (RunFacts::default(), Some(format!("of {node:?}: {reason}"))),
        };
        Ok(Self {
            id,
            facts,
            definitions: define::Reader::default(),
            broken,
            pending: define::Defined::default(),
            pending_bytes: 0,
        })
    }

    /// Keeps definitions for the next write.
    pub(super) fn add(&mut self, defined: define::Defined, bytes: usize) {
        self.pending.frames.extend(defined.frames);
        self.pending.stacks.extend(defined.stacks);
        self.pending.numbers.extend(defined.numbers);
        self.pending_bytes += bytes;
    }

    /// They are not to wait any longer.
    pub(super) fn is_full(&self) -> bool {
        self.pending.frames.len() + self.pending.stacks.len() > PENDING_MAX
            || self.pending_bytes > PENDING_BYTES_MAX
    }

    /// A write of what was defined since the last, if anything was.
    pub(super) fn rest(&mut self) -> Option<Write> {
        (self.pending != define::Defined::default()).then(|| self.take_write(None, Vec::new()))
    }

    /// A write with everything that was defined since the last, and the events that came with the
    /// batch.
    pub(super) fn take_write(&mut self, batch: Option<v1::Batch>, events: Vec<v1::Event>) -> Write {
        self.pending_bytes = 0;
        let defined = std::mem::take(&mut self.pending);
        let frames = defined.frames.into_iter();
        let stacks = defined.stacks.into_iter();
        let numbers = defined.numbers.into_iter();
        Write {
            run: self.id,
            facts: self.facts.clone(),
            frames: frames
                .map(|(hash, frame)| (FrameHash(hash), frame))
                .collect(),
            stacks: stacks
                .map(|(hash, frames, truncated)| {
                    let frames = frames.into_iter().map(FrameHash).collect();
                    (StackHash(hash), StackContent { frames, truncated })
                })
                .collect(),
            numbers: numbers
                .map(|(number, hash)| (number, StackHash(hash)))
                .collect(),
            batch,
            events,
        }
    }
}
