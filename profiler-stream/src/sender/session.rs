//! One connection, from the handshake to its end.

use std::time::Duration;

use profiler_proto::v1::{self, agent_message::Kind as Message, collector_message};
use prost::Message as _;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::{
    Failure,
    backlog::Backlog,
    handshake::Stream,
    plain,
    status::Shared,
    window::{NeverSent, Window},
};
use crate::spool::RunId;

/// Batches ahead of the last ack, whatever the collector would allow: what is on its way is sent
/// again after a broken connection.
const AHEAD_MAX: u32 = 1_000;

/// A connection on which the handshake is done.
pub(super) struct Session<'a, B> {
    stream: Stream,
    backlog: &'a mut B,
    status: &'a Shared,
    patience: Duration,
    window: Window,
    /// Read, and not yet taken by the connection.
    next: Option<Message>,
    /// What is sent is of this run.
    run: RunId,
    /// When the connection took something last.
    taken: Instant,
    progress: bool,
}

impl<'a, B: Backlog> Session<'a, B> {
    pub(super) fn new(
        stream: Stream,
        backlog: &'a mut B,
        status: &'a Shared,
        patience: Duration,
    ) -> Self {
        let ahead = stream.welcome.batches_ahead_max.clamp(1, AHEAD_MAX);
        backlog.rewind();
        Self {
            stream,
            backlog,
            status,
            patience,
            window: Window::new(ahead as usize),
            next: None,
            run: RunId::default(),
            taken: Instant::now(),
            progress: false,
        }
    }

    /// Sends until the connection fails. Returns whether any batch was answered for, and why it
    /// ended.
    pub(super) async fn serve(mut self) -> (bool, Failure) {
        loop {
            if let Err(failure) = self.step().await {
                return (self.progress, failure);
            }
        }
    }

    async fn step(&mut self) -> Result<(), Failure> {
        self.read()?;
        let may_send = match &self.next {
            Some(Message::Batch(_)) => self.window.has_room(),
            Some(_) => true,
            None => false,
        };
        let due = self.due(may_send);
        let answer = tokio::select! {
            answer = self.stream.answers.message() => Some(answer?),
            // It fails when the stream is over, of which `answers` says why.
            Ok(place) = self.stream.out.reserve(), if may_send => {
                if let Some(item) = self.next.take() {
                    self.taken = Instant::now();
                    if let Message::Batch(batch) = &item {
                        self.window.push(self.run, batch.sequence);
                        self.status.change(|status| status.sent += 1);
                    }
                    place.send(v1::AgentMessage { kind: Some(item) });
                }
                None
            }
            () = self.backlog.changed(), if self.next.is_none() => None,
            () = sleep_until(due.unwrap_or(self.taken)), if due.is_some() => {
                let seconds = self.patience.as_secs_f64();
                return Err(Failure::passing(format!(
                    "it took nothing and answered for nothing in {seconds} s"
                )));
            }
        };
        match answer {
            Some(answer) => self.answer(answer),
            None => Ok(()),
        }
    }

    /// Reads what comes next, if it is not there yet.
    fn read(&mut self) -> Result<(), Failure> {
        while self.next.is_none() {
            // From now on the connection can be expected to take it.
            self.taken = Instant::now();
            let Some(item) = self.backlog.next() else {
                break;
            };
            if let Message::Run(run) = &item {
                self.run = run_id(&run.run_id).unwrap_or_default();
            }
            self.next = self.fitting(item)?;
        }
        Ok(())
    }

    /// The item, unless it is a batch that the collector says it will refuse.
    fn fitting(&mut self, item: Message) -> Result<Option<Message>, Failure> {
        let most = match self.stream.welcome.message_bytes_max {
            0 => u64::MAX,
            most => most,
        };
        let (bytes, sequence) = match &item {
            Message::Hello(_) => (0, None),
            Message::Run(run) => (run.encoded_len(), None),
            Message::Definitions(bytes) => (bytes.len(), None),
            Message::Batch(batch) => (batch.encoded_len(), Some(batch.sequence)),
        };
        // A tag and a length stand around it.
        let bytes = bytes as u64 + 16;
        match sequence {
            _ if bytes <= most => Ok(Some(item)),
            Some(sequence) => {
                let reason = format!("{bytes} bytes are more than the {most} that it takes");
                self.drop_batch(self.run, sequence, &reason);
                Ok(None)
            }
            None => Err(Failure::lasting(format!(
                "it takes messages of {most} bytes at most, and texts and stacks have to be sent \
                 in one of {bytes}"
            ))),
        }
    }

    fn drop_batch(&mut self, run: RunId, sequence: u64, reason: &str) {
        warn!(sequence, reason, "a batch cannot be stored and is dropped");
        self.backlog.refuse(run, sequence);
        self.status.change(|status| status.refused += 1);
        self.progress = true;
    }

    fn answer(&mut self, answer: Option<v1::CollectorMessage>) -> Result<(), Failure> {
        let Some(answer) = answer else {
            return Err(Failure::passing("it ended the stream".to_owned()));
        };
        // There may be room again for what waits.
        self.taken = Instant::now();
        match answer.kind {
            Some(collector_message::Kind::Ack(ack)) => self.ack(&ack),
            Some(collector_message::Kind::Refusal(refusal)) => {
                self.refusal(&refusal);
                Ok(())
            }
            Some(collector_message::Kind::Welcome(_)) => {
                Err(Failure::passing("it said welcome twice".to_owned()))
            }
            // A kind of a later version, which says nothing that has to be known.
            None => Ok(()),
        }
    }

    fn ack(&mut self, ack: &v1::Ack) -> Result<(), Failure> {
        let Some(run) = run_id(&ack.run_id) else {
            return Ok(());
        };
        let acked = self.window.ack(run, ack.sequence);
        let acked = acked.map_err(|NeverSent| {
            Failure::passing(format!(
                "it says that it has batch {}, which was not sent yet",
                ack.sequence
            ))
        })?;
        if acked > 0 {
            self.backlog.ack(run, ack.sequence);
            self.status.change(|status| status.acked += acked);
            self.progress = true;
        }
        Ok(())
    }

    fn refusal(&mut self, refusal: &v1::Refusal) {
        let run = run_id(&refusal.run_id);
        let sequence = refusal.sequence;
        match run.filter(|run| self.window.refuse(*run, sequence)) {
            Some(run) => self.drop_batch(run, sequence, &plain(&refusal.reason)),
            None => debug!(sequence, "a batch was refused that is not on its way"),
        }
    }

    /// When the connection has to have taken the next message, or the collector to have answered.
    fn due(&self, may_send: bool) -> Option<Instant> {
        let answer = self.window.answer_due(self.patience);
        let taken = may_send.then(|| self.taken + self.patience);
        answer.into_iter().chain(taken).min()
    }
}

/// None for what is no id of a run.
fn run_id(bytes: &[u8]) -> Option<RunId> {
    RunId::try_from(bytes).ok()
}
