//! Snapshots on their way to a collector, over a spool on disk and a real port.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use profiler_proto::v1::{
    self, agent_message, collector_message,
    ingest_server::{Ingest, IngestServer},
};
use profiler_query::answer::{NameStacks, NamedStack};
use profiler_stream::{decode::RunState, define::Reader};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::{
    Stream,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use super::{
    connections::recorded,
    fake::{BOOT, FakeNames, NODE, NOW, Pipeline, SECOND, answer, board, stack},
};
use crate::{
    config::{Collectors, Endpoint},
    export::{Clock, Exporter, LossFacts, Moment, Sources, stream},
    ids::{BootTime, StackId},
    profile::{NodeFacts, Snapshot},
};

/// Stores what comes from those who show the token, and says so.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<agent_message::Kind>>>);

fn moment(snapshot: &Arc<Snapshot>) -> Moment {
    Moment {
        snapshot: Arc::clone(snapshot),
        ..Moment::default()
    }
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[tonic::async_trait]
impl Ingest for Collector {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<v1::CollectorMessage, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let shown = request.metadata().get("authorization");
        if shown.is_none_or(|shown| shown != format!("Bearer {TOKEN}").as_str()) {
            return Err(Status::unauthenticated("show a token"));
        }
        let (answers, stream) = mpsc::channel(16);
        let (mut messages, stored) = (request.into_inner(), Arc::clone(&self.0));
        tokio::spawn(async move {
            let mut run_id = Vec::new();
            while let Ok(Some(message)) = messages.message().await {
                let kind = message.kind.expect("a kind");
                let answer = match &kind {
                    agent_message::Kind::Hello(_) => {
                        Some(collector_message::Kind::Welcome(v1::Welcome {
                            protocol: 1,
                            collector_version: "9.9".to_owned(),
                            batches_ahead_max: 4,
                            ..v1::Welcome::default()
                        }))
                    }
                    agent_message::Kind::Run(run) => {
                        run_id.clone_from(&run.run_id);
                        None
                    }
                    agent_message::Kind::Batch(batch) => {
                        Some(collector_message::Kind::Ack(v1::Ack {
                            run_id: run_id.clone(),
                            sequence: batch.sequence,
                        }))
                    }
                    agent_message::Kind::Definitions(_) => None,
                };
                stored.lock().expect("what is stored").push(kind);
                if answer.is_some() {
                    let _ = answers
                        .send(Ok(v1::CollectorMessage { kind: answer }))
                        .await;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl Collector {
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let server = Server::builder().add_service(IngestServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    fn batches(&self) -> Vec<v1::Batch> {
        let stored = self.0.lock().expect("what is stored");
        let batches = stored.iter().filter_map(|kind| match kind {
            agent_message::Kind::Batch(batch) => Some(batch.clone()),
            _ => None,
        });
        batches.collect()
    }
}

fn to(url: &str, folder: &Path) -> Collectors {
    let token = folder.join("token");
    fs::write(&token, TOKEN).expect("a token");
    fs::set_permissions(&token, Permissions::from_mode(0o600)).expect("a secret");
    Collectors {
        token_file: Some(token),
        endpoints: vec![Endpoint {
            url: url.to_owned(),
            tls: false,
        }],
        spool: folder.join("spool"),
        // The clock of these tests stands in the past.
        spool_age: Duration::MAX,
        ..Collectors::default()
    }
}

/// A pipeline that answers, and what streaming needs of it.
fn sources(pipeline: Pipeline, names: Arc<dyn NameStacks>) -> Sources {
    let (asks, questions) = mpsc::channel(4);
    let history = Arc::clone(&pipeline.history);
    tokio::spawn(answer(pipeline, questions, Arc::new(AtomicU32::new(0))));
    Sources {
        asks,
        history,
        names,
        clock: Clock::Fixed {
            now: BootTime(NOW),
            offset: i128::from(BOOT) * i128::from(SECOND),
        },
        node: Arc::new(NodeFacts {
            name: "n1".to_owned(),
            labels: [("zone".to_owned(), "eu-1".to_owned())].into(),
        }),
        verdicts: board(Clock::System),
    }
}

const INTERVAL: Duration = Duration::from_secs(10);

/// Snapshots that grow by a page of stack `number` each.
fn growing(
    pipeline: &mut Pipeline,
    number: u32,
    seconds: impl IntoIterator<Item = u64>,
) -> Vec<Arc<Snapshot>> {
    let snapshots = seconds.into_iter().map(|second| {
        pipeline.map(NODE, stack(number), second, 0x1000 + second, 1);
        Arc::new(pipeline.snapshot(second * SECOND))
    });
    snapshots.collect()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.expect(what);
}

fn count(losses: &[LossFacts], cause: &str) -> u64 {
    let loss = losses.iter().find(|loss| loss.cause == cause);
    loss.expect("the cause is told").count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_every_snapshot_with_what_it_needs_to_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::default();
    let url = collector.serve().await;
    let mut pipeline = recorded();
    let mut snapshots = growing(&mut pipeline, 1, (500..570).step_by(10));
    snapshots.extend(growing(&mut pipeline, 2, [570]));
    let sources = sources(pipeline, Arc::new(FakeNames));
    let (mut exporter, streaming) =
        stream::start(&to(&url, folder.path()), &sources, INTERVAL).expect("a stream");
    for (sent, snapshot) in snapshots.iter().enumerate() {
        exporter.export(&moment(snapshot));
        until("a batch", || collector.batches().len() > sent).await;
    }
    until("a note", || {
        exporter.notes()[0].contains("8 batches are durable there")
    })
    .await;
    let note = exporter.notes().remove(0);
    assert!(
        note.contains(&format!("streaming to {url} (collector 9.9) since ")),
        "{note}"
    );
    assert!(exporter.losses().iter().all(|loss| loss.count == 0));
    drop(exporter);
    streaming.finish().await;

    let whole: Vec<bool> = collector
        .batches()
        .iter()
        .map(|batch| batch.whole)
        .collect();
    assert_eq!(
        whole,
        [true, false, false, false, false, false, true, false]
    );
    assert_read_back(&collector, &snapshots, &sources.node);
}

/// What a collector makes of the messages is what the agent had.
fn assert_read_back(collector: &Collector, snapshots: &[Arc<Snapshot>], node: &Arc<NodeFacts>) {
    let mut snapshots = snapshots.iter();
    let mut state = RunState::new(Arc::clone(node));
    let mut reader = Reader::default();
    for kind in &*collector.0.lock().expect("what is stored") {
        match kind {
            agent_message::Kind::Hello(hello) => assert_eq!(hello.node, "n1"),
            agent_message::Kind::Run(run) => {
                assert_eq!((run.node.as_str(), run.interval_ms), ("n1", 10_000));
                assert_eq!(run.labels["zone"], "eu-1");
                assert_eq!(
                    run.started.as_ref().map(|time| time.seconds),
                    Some(BOOT + 1000)
                );
                reader = Reader::default();
            }
            agent_message::Kind::Definitions(bytes) => drop(reader.read(bytes).expect("sound")),
            agent_message::Kind::Batch(batch) => {
                let snapshot = snapshots.next().expect("as many as were given");
                state
                    .apply(batch.whole, &batch.parts)
                    .expect("a sound batch");
                let read = state.snapshot(snapshot.time);
                let figures = |snapshot: &Snapshot| {
                    let rows = snapshot.clone().sorted().rows.into_iter();
                    let rows = rows.map(|(key, row)| (key, row.allocated, row.freed, row.events));
                    rows.collect::<Vec<_>>()
                };
                assert_eq!(figures(&read), figures(snapshot));
                let mut stacks = read.rows.iter().filter_map(|(key, _)| key.owner.stack());
                assert!(stacks.all(|stack| reader.knows(u64::from(stack.0) + 1)));
                assert_eq!(batch.boot_nanoseconds, snapshot.time.0);
            }
        }
    }
    assert_eq!(snapshots.next(), None);
    let connections = state.connections().expect("in whole batches");
    let cookies: Vec<u64> = connections
        .connections
        .iter()
        .map(|one| one.cookie)
        .collect();
    assert_eq!(cookies, [11, 12], "with growth, most live bytes first");
    assert_eq!(connections.process, [NODE.0, NODE.0]);
    assert_eq!(
        (connections.total_with_growth, connections.open_connections),
        (2, 2)
    );
    let status = state.status().and_then(|part| part.status.as_ref());
    assert_eq!(status.expect("in whole batches").node, "n1");
}

/// Blocks until it may name.
struct Held(Mutex<std::sync::mpsc::Receiver<()>>, AtomicU32);

impl NameStacks for Held {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let _ = self.0.lock().expect("the leash").recv();
        vec![None; stacks.len()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_writing_takes_too_long_is_dropped_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::default();
    let url = collector.serve().await;
    let mut pipeline = Pipeline::new();
    let snapshots = growing(&mut pipeline, 1, 500..506);
    let (release, held) = std::sync::mpsc::channel();
    let names = Arc::new(Held(Mutex::new(held), AtomicU32::new(0)));
    let sources = sources(pipeline, Arc::clone(&names) as Arc<dyn NameStacks>);
    let (mut exporter, streaming) =
        stream::start(&to(&url, folder.path()), &sources, INTERVAL).expect("a stream");
    exporter.export(&moment(&snapshots[0]));
    until("naming", || names.1.load(Ordering::Relaxed) == 1).await;
    for snapshot in &snapshots[1..] {
        exporter.export(&moment(snapshot));
    }
    assert_eq!(count(&exporter.losses(), "snapshots_not_exported"), 3);
    drop(release);
    until("batches", || collector.batches().len() == 3).await;
    let losses = exporter.losses();
    assert_eq!(count(&losses, "stacks_sent_unnamed"), 1);
    drop(exporter);
    streaming.finish().await;
    let sequences: Vec<u64> = collector
        .batches()
        .iter()
        .map(|batch| batch.sequence)
        .collect();
    assert_eq!(sequences, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_not_taken_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = Collector::default().serve().await;
    let sources = sources(Pipeline::new(), Arc::new(FakeNames));
    let stranger = Collectors {
        token_file: None,
        ..to(&url, folder.path())
    };
    let (exporter, streaming) = stream::start(&stranger, &sources, INTERVAL).expect("a stream");
    until("a note", || {
        exporter.notes()[0].contains("it refuses this agent: show a token")
    })
    .await;
    drop(exporter);
    streaming.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_batches_wait_for_the_next_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pipeline = Pipeline::new();
    let snapshots = growing(&mut pipeline, 1, 500..503);
    let sources = sources(pipeline, Arc::new(FakeNames));
    let nobody = to("http://127.0.0.1:1", folder.path());
    let (mut exporter, streaming) = stream::start(&nobody, &sources, INTERVAL).expect("a stream");
    exporter.export(&moment(&snapshots[0]));
    until("a note", || {
        let note = exporter.notes().remove(0);
        note.contains("1 batches wait") && note.contains("no collector takes snapshots")
    })
    .await;
    let again = stream::start(&nobody, &sources, INTERVAL)
        .err()
        .expect("a refusal");
    let again = format!("{again:#}");
    assert!(again.contains("is used by another agent"), "{again}");
    exporter.export(&moment(&snapshots[1]));
    drop(exporter);
    streaming.finish().await;

    let collector = Collector::default();
    let url = collector.serve().await;
    let (mut exporter, streaming) =
        stream::start(&to(&url, folder.path()), &sources, INTERVAL).expect("a stream");
    exporter.export(&moment(&snapshots[2]));
    drop(exporter);
    streaming.finish().await;
    let batches = collector.batches();
    let sequences: Vec<_> = batches
        .iter()
        .map(|batch| (batch.sequence, batch.whole))
        .collect();
    assert_eq!(sequences, [(1, true), (2, false), (1, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_opened_is_told_and_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pipeline = Pipeline::new();
    let snapshots = growing(&mut pipeline, 1, 500..502);
    let sources = sources(pipeline, Arc::new(FakeNames));
    let collector = Collector::default();
    let to = to(&collector.serve().await, folder.path());
    fs::write(&to.spool, "in the way").expect("a file");
    let interval = Duration::from_millis(5);
    let (mut exporter, streaming) = stream::start(&to, &sources, interval).expect("an agent");
    exporter.export(&moment(&snapshots[0]));
    until("a loss", || {
        count(&exporter.losses(), "snapshots_not_exported") == 1
    })
    .await;
    let note = exporter.notes().remove(0);
    assert!(
        note.contains("no snapshots are kept for a collector"),
        "{note}"
    );
    fs::remove_file(&to.spool).expect("gone");
    tokio::time::sleep(interval * 6).await;
    exporter.export(&moment(&snapshots[1]));
    until("a batch", || collector.batches().len() == 1).await;
    drop(exporter);
    streaming.finish().await;
}
