//! A collector that does what it is told to do wrong.

use std::{
    collections::{BTreeSet, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use profiler_proto::v1::{
    self, agent_message, collector_message,
    ingest_server::{Ingest, IngestServer},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::sleep};
use tokio_stream::{
    Stream,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use super::backlog::{Memory, Name, run_id};

/// What it does on one connection.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// Answers for each batch at once.
    Good,
    /// Ends the stream with this before the welcome.
    Refuse(Status),
    /// Says nothing at all.
    Mute,
    /// Ends the stream after so many batches, all of them stored.
    Drop { after: usize, acked: bool },
    /// Answers for so many at once.
    Late { every: usize },
    /// Takes its time for each message.
    Slow(Duration),
    /// Stores nothing of sequence numbers that this divides.
    Unwilling { divisor: u64 },
    /// Welcomes, and then says this.
    Garbage(Option<collector_message::Kind>),
    /// Answers for nothing.
    Silent,
    /// Welcomes with this.
    Welcome(v1::Welcome),
}

pub(super) fn welcome() -> v1::Welcome {
    v1::Welcome {
        protocol: 1,
        collector_version: "9.9".to_owned(),
        message_bytes_max: 1 << 20,
        batches_ahead_max: AHEAD as u32,
    }
}

pub(super) const AHEAD: usize = 4;

/// What it saw.
#[derive(Default)]
pub(super) struct Seen {
    /// The next connections; after them, all are good.
    pub(super) script: VecDeque<Behaviour>,
    pub(super) connections: usize,
    pub(super) hellos: Vec<v1::Hello>,
    pub(super) stored: BTreeSet<Name>,
    /// Each batch as it arrived.
    pub(super) arrived: Vec<Name>,
    /// Most batches that it had not answered for.
    pub(super) ahead: usize,
    /// What must not be.
    pub(super) wrong: Vec<String>,
}

/// The collector in its server.
#[derive(Clone)]
pub(super) struct Collector {
    seen: Arc<Mutex<Seen>>,
    memory: Memory,
}

impl Collector {
    pub(super) fn new(memory: &Memory, script: Vec<Behaviour>) -> Self {
        let seen = Seen {
            script: script.into(),
            ..Seen::default()
        };
        Self {
            seen: Arc::new(Mutex::new(seen)),
            memory: memory.clone(),
        }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Its address, and the task that serves.
    pub(super) async fn serve(&self) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = IngestServer::new(self.clone());
        let server = Server::builder().add_service(service);
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            server.serve_with_incoming(incoming).await.unwrap();
        });
        (address, server)
    }
}

type Answers = mpsc::Sender<Result<v1::CollectorMessage, Status>>;

#[tonic::async_trait]
impl Ingest for Collector {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<v1::CollectorMessage, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let behaviour = {
            let mut seen = self.seen();
            seen.connections += 1;
            seen.script.pop_front().unwrap_or(Behaviour::Good)
        };
        if let Behaviour::Refuse(status) = behaviour {
            return Err(status);
        }
        let (answers, stream) = mpsc::channel(16);
        let connection = Connection {
            collector: self.clone(),
            behaviour,
            answers,
            done_before: self.done(),
            run: 0,
            definitions: 0,
            last: None,
            unanswered: Vec::new(),
            batches: 0,
        };
        tokio::spawn(connection.serve(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl Collector {
    /// What the sender knows to be done with.
    fn done(&self) -> BTreeSet<Name> {
        let state = self.memory.lock();
        state.acked.union(&state.refused).copied().collect()
    }
}

struct Connection {
    collector: Collector,
    behaviour: Behaviour,
    answers: Answers,
    done_before: BTreeSet<Name>,
    run: u8,
    definitions: u64,
    last: Option<Name>,
    unanswered: Vec<Name>,
    batches: usize,
}

impl Connection {
    /// Until the sender ends it, or the behaviour does.
    async fn serve(mut self, mut messages: Streaming<v1::AgentMessage>) {
        while let Ok(Some(message)) = messages.message().await {
            if let Behaviour::Slow(time) = self.behaviour {
                sleep(time).await;
            }
            let Some(kind) = message.kind else {
                return self.wrong("a message without a kind");
            };
            let goes_on = match kind {
                agent_message::Kind::Hello(hello) => self.hello(hello).await,
                agent_message::Kind::Run(run) => {
                    self.run = run.run_id[0];
                    self.definitions = 0;
                    true
                }
                agent_message::Kind::Definitions(_) => {
                    self.definitions += 1;
                    true
                }
                agent_message::Kind::Batch(batch) => self.batch(&batch).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn hello(&mut self, hello: v1::Hello) -> bool {
        self.collector.seen().hellos.push(hello);
        let welcome = match &self.behaviour {
            Behaviour::Mute => return true,
            Behaviour::Welcome(welcome) => welcome.clone(),
            _ => welcome(),
        };
        self.say(Some(collector_message::Kind::Welcome(welcome)))
            .await;
        if let Behaviour::Garbage(kind) = self.behaviour.clone() {
            self.say(kind).await;
        }
        true
    }

    async fn batch(&mut self, batch: &v1::Batch) -> bool {
        let name = (self.run, batch.sequence);
        self.check(name, batch.boot_nanoseconds);
        self.batches += 1;
        self.last = Some(name);
        self.unanswered.push(name);
        {
            let mut seen = self.collector.seen();
            seen.arrived.push(name);
            seen.ahead = seen.ahead.max(self.unanswered.len());
        }
        match self.behaviour {
            Behaviour::Silent => true,
            Behaviour::Unwilling { divisor } if name.1.is_multiple_of(divisor) => {
                self.unanswered.pop();
                let refusal = v1::Refusal {
                    run_id: run_id(name.0),
                    sequence: name.1,
                    reason: "it is\nnot liked".to_owned(),
                };
                self.say(Some(collector_message::Kind::Refusal(refusal)))
                    .await;
                true
            }
            Behaviour::Drop { after, acked } => {
                if acked {
                    self.ack().await;
                } else {
                    self.store();
                }
                self.batches < after
            }
            Behaviour::Late { every } => {
                if self.unanswered.len() >= every {
                    sleep(Duration::from_millis(20)).await;
                    self.ack().await;
                }
                true
            }
            _ => {
                self.ack().await;
                true
            }
        }
    }

    /// In order, understood, and not what the sender knew to be done with.
    fn check(&self, name: Name, definitions: u64) {
        if self
            .last
            .is_some_and(|last| last.0 == name.0 && last.1 >= name.1)
        {
            self.wrong(&format!("{name:?} came after {:?}", self.last));
        }
        if self.definitions != definitions {
            self.wrong(&format!(
                "{name:?} came with {} definitions",
                self.definitions
            ));
        }
        if self.done_before.contains(&name) {
            self.wrong(&format!("{name:?} came, which was done with"));
        }
    }

    fn wrong(&self, what: &str) {
        self.collector.seen().wrong.push(what.to_owned());
    }

    fn store(&mut self) {
        let mut seen = self.collector.seen();
        seen.stored.extend(self.unanswered.drain(..));
    }

    async fn ack(&mut self) {
        self.store();
        let Some((run, sequence)) = self.last else {
            return;
        };
        let ack = v1::Ack {
            run_id: run_id(run),
            sequence,
        };
        self.say(Some(collector_message::Kind::Ack(ack))).await;
    }

    async fn say(&self, kind: Option<collector_message::Kind>) {
        // The sender may have gone.
        let _ = self.answers.send(Ok(v1::CollectorMessage { kind })).await;
    }
}
