//! Stands between agents and the link, hands every message on, and remembers what the collector has
//! acknowledged: what it promised, whatever agents remember of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use profiler_proto::v1::{
    self, agent_message,
    collector_message::Kind,
    ingest_client::IngestClient,
    ingest_server::{Ingest, IngestServer},
};
use tokio::{net::TcpListener, runtime::Runtime, sync::mpsc};
use tokio_stream::{
    StreamExt as _,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// One run of an agent.
pub(crate) type RunId = Vec<u8>;

/// What went over the link, by run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Acknowledged: these numbers were sent on the stream that the acknowledgement came on.
    pub(crate) acked: BTreeMap<RunId, BTreeSet<u64>>,
    /// Batches sent, again and again too.
    pub(crate) sent: u64,
    /// Streams that began.
    pub(crate) streams: u64,
}

/// A relay for messages; it ends with the value.
pub(crate) struct Witness {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _runtime: Runtime,
}

impl Witness {
    /// Hands on to `target`.
    pub(crate) fn before(target: SocketAddr) -> Result<Self> {
        let runtime = Runtime::new().context("start the witness")?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let seen = Arc::<Mutex<Seen>>::default();
        let relay = Relay {
            target: format!("http://{target}"),
            seen: Arc::clone(&seen),
        };
        let server = Server::builder()
            .add_service(IngestServer::new(relay).max_decoding_message_size(16 << 20));
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Ok(Self {
            address,
            seen,
            _runtime: runtime,
        })
    }

    /// Where agents connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over the link by now.
    pub(crate) fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct Relay {
    target: String,
    seen: Arc<Mutex<Seen>>,
}

#[tonic::async_trait]
impl Ingest for Relay {
    type StreamStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let client = IngestClient::connect(self.target.clone()).await;
        let mut client = client.map_err(|_| Status::unavailable("the link is cut"))?;
        let (out, messages) = mpsc::channel(4);
        let answers = client.stream(ReceiverStream::new(messages)).await?;
        let (back, stream) = mpsc::channel(4);
        let told = Told {
            seen: Arc::clone(&self.seen),
            sent: Arc::default(),
        };
        told.with(|seen| seen.streams += 1);
        tokio::spawn(forward(request.into_inner(), out, told.clone()));
        tokio::spawn(answer(answers.into_inner(), back, told));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// What one stream has told.
#[derive(Clone)]
struct Told {
    seen: Arc<Mutex<Seen>>,
    /// Sent on this stream and not acknowledged.
    sent: Arc<Mutex<Vec<(RunId, u64)>>>,
}

impl Told {
    fn with(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn sent(&self, run: &RunId, sequence: u64) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push((run.clone(), sequence));
        self.with(|seen| seen.sent += 1);
    }

    fn acked(&self, ack: &v1::Ack) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let (acked, open) = std::mem::take(&mut *sent)
            .into_iter()
            .partition(|(run, sequence)| *run == ack.run_id && *sequence <= ack.sequence);
        *sent = open;
        let acked: Vec<(RunId, u64)> = acked;
        self.with(|seen| {
            for (run, sequence) in acked {
                seen.acked.entry(run).or_default().insert(sequence);
            }
        });
    }
}

async fn forward(
    mut from: Streaming<v1::AgentMessage>,
    to: mpsc::Sender<v1::AgentMessage>,
    told: Told,
) {
    let mut run = RunId::new();
    while let Some(Ok(message)) = from.next().await {
        match &message.kind {
            Some(agent_message::Kind::Run(begun)) => run.clone_from(&begun.run_id.to_vec()),
            Some(agent_message::Kind::Batch(batch)) => told.sent(&run, batch.sequence),
            _ => {}
        }
        if to.send(message).await.is_err() {
            return;
        }
    }
}

async fn answer(
    mut from: Streaming<v1::CollectorMessage>,
    to: mpsc::Sender<Result<v1::CollectorMessage, Status>>,
    told: Told,
) {
    while let Some(message) = from.next().await {
        if let Ok(v1::CollectorMessage {
            kind: Some(Kind::Ack(ack)),
        }) = &message
        {
            told.acked(ack);
        }
        let ended = message.is_err();
        if to.send(message).await.is_err() || ended {
            return;
        }
    }
}
