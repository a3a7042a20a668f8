//! One agent's stream.

use std::{sync::Arc, time::Duration};

use profiler_proto::v1::{self, agent_message::Kind, collector_message::Kind as Answer};
use profiler_stream::decode;
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, Streaming};

use super::{
    Shared,
    budget::{Taken, weight, weight_of_definitions, weight_of_events},
    changes::Pace,
    current::Current,
    events, handshake, run,
};
use crate::store::{RunId, StoreError, Write};

/// An agent says hello at once.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);
/// And reads what it is answered.
pub(super) const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// However long an agent's interval is, it is looked for again after this.
const IDLE_MAX: Duration = Duration::from_secs(3600);
/// Taken while definitions are read; what they do not need is given back then.
const DEFINITIONS_BYTES: usize = 32 << 20;
/// A clock that is further ahead than this would put batches where no question about now finds
/// them, and retention would take it for the present.
const AHEAD_MAX: Duration = Duration::from_secs(600);

/// A stream from its beginning to its end.
pub(super) struct Session {
    inbound: Streaming<v1::AgentMessage>,
    answers: mpsc::Sender<Result<v1::CollectorMessage, Status>>,
    shared: Arc<Shared>,
    /// The agent's node, as it introduced itself.
    node: String,
    run: Option<Current>,
    /// Checked and not yet written, of one run.
    waiting: Vec<Write>,
    /// Bytes of what waits, and of the definitions that wait for a batch.
    held: Vec<Taken>,
    /// How fast it tells of changes.
    pace: Pace,
}

impl Session {
    pub(super) fn new(
        inbound: Streaming<v1::AgentMessage>,
        answers: mpsc::Sender<Result<v1::CollectorMessage, Status>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            inbound,
            answers,
            shared,
            node: String::new(),
            run: None,
            waiting: Vec::new(),
            held: Vec::new(),
            pace: Pace::new(),
        }
    }

    /// Until the agent ends it.
    ///
    /// # Errors
    /// What the agent is told: its messages make no sense, or the store does not take them.
    pub(super) async fn run(mut self) -> Result<(), Status> {
        self.shake_hands().await?;
        while let Some(message) = self.next().await? {
            self.take(message).await?;
            // What has arrived by now shares the write with it.
            while self.waiting.len() < self.shared.limits.batches_ahead as usize
                && let Some(message) = self.arrived().await?
            {
                self.take(message).await?;
            }
            self.write().await?;
        }
        Ok(())
    }

    async fn shake_hands(&mut self) -> Result<(), Status> {
        let first = timeout(HELLO_PATIENCE, self.inbound.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no hello came"))??;
        let Some(Kind::Hello(hello)) = first.and_then(|message| message.kind) else {
            return Err(Status::invalid_argument(
                "a stream begins with hello; is this an agent?",
            ));
        };
        let welcome = handshake::welcome(&hello, self.shared.limits)?;
        if let Some(left_out) = self.shared.lines.connected.due() {
            tracing::info!(
                node = %hello.node, version = %hello.agent_version, left_out, "agent connected"
            );
        }
        self.node = hello.node;
        self.answer(Answer::Welcome(welcome)).await
    }

    async fn next(&mut self) -> Result<Option<v1::AgentMessage>, Status> {
        let interval = self.run.as_ref().map(|run| run.facts.interval * 3);
        let patience = interval.unwrap_or_default().min(IDLE_MAX);
        let patience = patience.max(self.shared.limits.idle);
        let message = timeout(patience, self.inbound.message()).await;
        message.map_err(|_| {
            Status::deadline_exceeded(format!(
                "nothing came for {} s: the stream is ended, connect again",
                patience.as_secs()
            ))
        })?
    }

    /// The next message if it is there already.
    async fn arrived(&mut self) -> Result<Option<v1::AgentMessage>, Status> {
        match timeout(Duration::ZERO, self.inbound.message()).await {
            Ok(message) => message,
            Err(_) => Ok(None),
        }
    }

    async fn take(&mut self, message: v1::AgentMessage) -> Result<(), Status> {
        match message.kind {
            Some(Kind::Run(run)) => self.begin(run).await,
            Some(Kind::Definitions(bytes)) => self.define(bytes).await,
            Some(Kind::Batch(batch)) => self.batch(batch).await,
            Some(Kind::Hello(_)) => Err(Status::invalid_argument("a second hello")),
            // Of a newer agent: it may send what this version does not know.
            None => Ok(()),
        }
    }

    async fn begin(&mut self, run: v1::Run) -> Result<(), Status> {
        self.write().await?;
        self.run = Some(Current::new(run)?);
        Ok(())
    }

    async fn define(&mut self, bytes: Vec<u8>) -> Result<(), Status> {
        self.shared.counters.bytes_received.add(bytes.len() as u64);
        let mut taken = self.reserve(DEFINITIONS_BYTES).await?;
        let run = current(&mut self.run)?;
        if run.broken.is_some() {
            return Ok(());
        }
        let mut definitions = std::mem::take(&mut run.definitions);
        let read = move || {
            let defined = definitions.read(&bytes);
            (definitions, defined)
        };
        let (definitions, defined) = self.shared.budget.read(read).await?;
        match defined {
            Ok(defined) => {
                run.definitions = definitions;
                let weight = weight_of_definitions(&defined);
                let kept = taken.split(weight.min(taken.num_permits()));
                self.held.extend(kept);
                run.add(defined, weight);
            }
            // The dictionary is not what the agent takes it for any more.
            Err(error) => run.broken = Some(format!("definitions: {error}")),
        }
        if run.is_full() {
            drop(taken);
            self.write().await?;
        }
        Ok(())
    }

    async fn batch(&mut self, batch: v1::Batch) -> Result<(), Status> {
        let bytes = batch.parts.iter().map(|part| part.data.len() as u64);
        self.shared.counters.bytes_received.add(bytes.sum());
        let weight = weight(&batch);
        let mut taken = self.reserve(weight + weight_of_events(&batch)).await?;
        let run = current(&mut self.run)?;
        if let Some(reason) = run.broken.clone() {
            return self.refuse(batch.sequence, reason).await;
        }
        check_ahead(&self.node, &batch)?;
        let node = run.facts.node.clone();
        let read = move || {
            let checked = decode::check(&batch, &decode::Limits::default());
            let events = match checked {
                Ok(_) => events::of(&batch, &node),
                Err(_) => Vec::new(),
            };
            (batch, events, checked)
        };
        let (batch, events, checked) = self.shared.budget.read(read).await?;
        let weight = weight + events.iter().map(events::memory).sum::<usize>();
        let kept = taken.split(weight.min(taken.num_permits()));
        self.held.extend(kept);
        drop(taken);
        let refused = match checked {
            Err(error) => Some(error.to_string()),
            Ok(checked) => checked
                .stacks
                .into_iter()
                .find(|number| !run.definitions.knows(*number))
                .map(|number| format!("stack {number} was not defined"))
                .or_else(|| too_old(&batch, self.shared.limits.keep)),
        };
        if let Some(reason) = refused {
            // Events stand on their own, and are kept for longer.
            if !events.is_empty() {
                let write = run.take_write(None, events);
                self.waiting.push(write);
            }
            return self.refuse(batch.sequence, reason).await;
        }
        let write = run.take_write(Some(batch), events);
        self.waiting.push(write);
        Ok(())
    }

    /// Bytes of the budget of all. Who waits for them holds none, so that all come forward.
    async fn reserve(&mut self, bytes: usize) -> Result<Taken, Status> {
        if let Some(taken) = self.shared.budget.try_take(bytes) {
            return Ok(taken);
        }
        self.write().await?;
        self.shared.budget.take(bytes).await
    }

    /// Makes what waits durable, and says so.
    async fn write(&mut self) -> Result<(), Status> {
        let rest = self.run.as_mut().and_then(Current::rest);
        self.waiting.extend(rest);
        let (writes, held) = (
            std::mem::take(&mut self.waiting),
            std::mem::take(&mut self.held),
        );
        let Some(run) = writes.last().map(|write| write.run) else {
            return Ok(());
        };
        let batches = writes.iter().filter_map(|write| write.batch.as_ref());
        let sequences: Vec<_> = batches.map(|batch| batch.sequence).collect();
        let (changes, left_out) = self.shared.changes.of(&writes, &mut self.pace);
        self.shared.counters.changes_untold.add(left_out);
        let written = self.shared.store.write(writes).await;
        drop(held);
        match written {
            Ok(written) => {
                self.shared.counters.batches_stored.add(written.stored);
                self.shared.counters.batches_repeated.add(written.repeated);
                self.shared.counters.events_refused.add(written.events_over);
                let shared = &self.shared;
                shared
                    .changes
                    .tell(changes, &written.events, &mut self.pace);
                self.acknowledge(run, &sequences).await
            }
            Err(StoreError::Refused(reason)) => self.refuse_run(run, &sequences, reason).await,
            Err(error) => Err(self.not_written(&error)),
        }
    }

    async fn acknowledge(&self, run: RunId, sequences: &[u64]) -> Result<(), Status> {
        let Some(sequence) = sequences.iter().copied().max() else {
            return Ok(());
        };
        let run_id = run.0.to_vec();
        self.answer(Answer::Ack(v1::Ack { run_id, sequence })).await
    }

    /// What the store refuses has definitions with it that later batches need.
    async fn refuse_run(
        &mut self,
        run: RunId,
        sequences: &[u64],
        reason: String,
    ) -> Result<(), Status> {
        for sequence in sequences {
            self.tell_refusal(run, *sequence, reason.clone()).await?;
        }
        if let Some(run) = &mut self.run {
            run.broken = Some(reason);
        }
        Ok(())
    }

    async fn refuse(&mut self, sequence: u64, reason: String) -> Result<(), Status> {
        // Acknowledgements mean all before.
        self.write().await?;
        let run = current(&mut self.run)?.id;
        self.tell_refusal(run, sequence, reason).await
    }

    async fn tell_refusal(&self, run: RunId, sequence: u64, reason: String) -> Result<(), Status> {
        self.shared.counters.batches_refused.add(1);
        if let Some(left_out) = self.shared.lines.refused.due() {
            tracing::warn!(
                node = %self.node, sequence, %reason, left_out, "a batch cannot be stored"
            );
        }
        let run_id = run.0.to_vec();
        self.answer(Answer::Refusal(v1::Refusal {
            run_id,
            sequence,
            reason,
        }))
        .await
    }

    fn not_written(&self, error: &StoreError) -> Status {
        self.shared.counters.store_failures.add(1);
        if let Some(left_out) = self.shared.lines.not_written.due() {
            tracing::error!(
                %error, left_out, "the store did not take a batch; agents keep theirs"
            );
        }
        Status::unavailable(format!("the collector's store: {error}"))
    }

    async fn answer(&self, kind: Answer) -> Result<(), Status> {
        let message = v1::CollectorMessage { kind: Some(kind) };
        let sent = timeout(ANSWER_PATIENCE, self.answers.send(Ok(message))).await;
        sent.map_err(|_| Status::deadline_exceeded("the agent does not read its answers"))?
            .map_err(|_| Status::cancelled("the agent has gone"))
    }
}

fn current(run: &mut Option<Current>) -> Result<&mut Current, Status> {
    run.as_mut()
        .ok_or_else(|| Status::invalid_argument("a batch or definitions before a run"))
}

/// # Errors
/// FAILED_PRECONDITION: the agent keeps its batches until somebody has set the clock.
fn check_ahead(node: &str, batch: &v1::Batch) -> Result<(), Status> {
    let time = batch.time.as_ref().map(run::wall).unwrap_or_default();
    let ahead = time.0.saturating_sub(crate::clock::now().0);
    if i128::from(ahead) <= AHEAD_MAX.as_nanos() as i128 {
        return Ok(());
    }
    Err(Status::failed_precondition(format!(
        "the clock of {node} is {} s ahead of the collector's: set one of them; the agent keeps its \
         batches until then",
        ahead / 1_000_000_000,
    )))
}

/// Why a batch would go with the next round of retention, if it would.
fn too_old(batch: &v1::Batch, keep: Duration) -> Option<String> {
    let time = batch.time.as_ref().map(run::wall).unwrap_or_default();
    let age = crate::clock::now().0.saturating_sub(time.0);
    (i128::from(age) > keep.as_nanos() as i128).then(|| {
        format!(
            "by the clocks it is {} s old, and the collector keeps nothing older than {} s (keep): \
             is the agent's clock right?",
            age / 1_000_000_000,
            keep.as_secs(),
        )
    })
}
