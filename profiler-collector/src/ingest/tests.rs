use std::{sync::Arc, time::Duration};

use pbjson_types::Timestamp;
use profiler_proto::v1::{
    self, agent_message::Kind, collector_message::Kind as Answer, ingest_client::IngestClient,
    ingest_server::IngestServer,
};
use profiler_query::model::Snapshot;
use profiler_stream::{
    define::Dictionary,
    encode::{self, Encoder},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Code, Status, Streaming, transport::Server};

use super::{Changes, Counters, IngestService, Limits};
use crate::{
    clock,
    store::{RunId, StackHash, Store, WallTime, sqlite::SqliteStore},
};

const RUN: [u8; 16] = [7; 16];

struct Served {
    _folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
    changes: Changes,
    endpoint: String,
    stop: watch::Sender<bool>,
}

async fn serve(limits: Limits) -> Served {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("store.db")).expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let counters = Arc::<Counters>::default();
    let (stop, stopped) = watch::channel(false);
    let changes = Changes::default();
    let service = IngestService::new(
        Arc::clone(&store),
        limits,
        Arc::clone(&counters),
        changes.clone(),
        stopped,
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let server = Server::builder().add_service(IngestServer::new(service));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Served {
        _folder: folder,
        store,
        counters,
        changes,
        endpoint,
        stop,
    }
}

/// A stream as an agent has it.
struct Agent {
    out: mpsc::Sender<v1::AgentMessage>,
    answers: Streaming<v1::CollectorMessage>,
}

impl Agent {
    async fn connect(served: &Served) -> Result<Self, Status> {
        let client = IngestClient::connect(served.endpoint.clone()).await;
        let mut client = client.expect("the server listens");
        let (out, messages) = mpsc::channel(64);
        let answers = client.stream(ReceiverStream::new(messages)).await?;
        Ok(Self {
            out,
            answers: answers.into_inner(),
        })
    }

    async fn send(&self, kind: Kind) {
        let message = v1::AgentMessage { kind: Some(kind) };
        self.out.send(message).await.expect("the stream is open");
    }

    async fn hello(&self, oldest: u32, newest: u32) {
        let hello = v1::Hello {
            protocol: newest,
            protocol_oldest: oldest,
            agent_version: "0".to_owned(),
            node: "n1".to_owned(),
            agent_id: vec![1; 16],
        };
        self.send(Kind::Hello(hello)).await;
    }

    async fn answer(&mut self) -> Result<Answer, Status> {
        let answer = tokio::time::timeout(Duration::from_secs(10), self.answers.message()).await;
        let answer = answer.expect("an answer within 10 s")?;
        let kind = answer.and_then(|answer| answer.kind);
        Ok(kind.expect("an answer with content"))
    }

    async fn introduced(served: &Served) -> Self {
        let mut agent = Self::connect(served).await.expect("a stream");
        agent.hello(1, 1).await;
        let welcome = agent.answer().await;
        assert!(matches!(welcome, Ok(Answer::Welcome(_))), "{welcome:?}");
        agent.send(Kind::Run(run())).await;
        agent
    }
}

fn run() -> v1::Run {
    v1::Run {
        run_id: RUN.to_vec(),
        agent_id: vec![1; 16],
        node: "n1".to_owned(),
        interval_ms: 10_000,
        ..v1::Run::default()
    }
}

fn timestamp(time: WallTime) -> Timestamp {
    Timestamp {
        seconds: time.0.div_euclid(1_000_000_000),
        nanos: time.0.rem_euclid(1_000_000_000) as i32,
    }
}

fn batch(encoder: &mut Encoder) -> v1::Batch {
    let whole = true;
    encoder.batch(
        &Snapshot::default(),
        timestamp(clock::now()),
        whole,
        Vec::new(),
    )
}

/// A batch with an event: a verdict that came to this state.
fn batch_with_change(encoder: &mut Encoder, number: u64, state: v1::VerdictState) -> v1::Batch {
    let time = Some(timestamp(clock::now()));
    let change = v1::VerdictChange {
        time,
        from: 0,
        verdict: Some(v1::Verdict {
            target: Some(v1::Target::default()),
            state: state.into(),
            ..v1::Verdict::default()
        }),
    };
    let event = v1::Event {
        number,
        time,
        kind: Some(v1::event::Kind::VerdictChange(change)),
    };
    let events = vec![event];
    let part = encode::part(v1::PartKind::Events, &v1::EventsPart { events });
    encoder.batch(
        &Snapshot::default(),
        timestamp(clock::now()),
        true,
        vec![part],
    )
}

#[tokio::test]
async fn events_are_durable_and_told_to_who_watches() {
    use crate::{
        fleet::CostLimits,
        query::{Clock, QueryService},
        store::{EventKind, EventsOf, PageMost, Retention},
    };
    use profiler_proto::v1::query_server::Query as _;
    use tokio_stream::StreamExt as _;

    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    let store = Arc::clone(&served.store);
    let (limits, retention) = (CostLimits::default(), Retention::default());
    let service = QueryService::new(store, limits, retention, Clock::System)
        .with_changes(served.changes.clone(), served.stop.subscribe());
    let request = tonic::Request::new(v1::WatchVerdictsRequest::default());
    let stream = service.watch_verdicts(request).await.expect("a stream");
    let mut stream = stream.into_inner();
    let mut encoder = Encoder::new();
    use v1::VerdictState::{Growing, Leaking};
    // The second comes twice.
    for (number, state) in [(1, Growing), (2, Leaking), (2, Leaking)] {
        let batch = batch_with_change(&mut encoder, number, state);
        agent.send(Kind::Batch(batch)).await;
        let answer = agent.answer().await;
        assert!(matches!(answer, Ok(Answer::Ack(_))), "{answer:?}");
    }
    for expected in [Growing, Leaking] {
        let change = stream.next().await.expect("a change").expect("no error");
        let verdict = change.verdict.expect("a verdict");
        assert_eq!((verdict.state(), verdict.node.as_str()), (expected, "n1"));
    }
    let of = EventsOf::new(EventKind::VerdictChange, WallTime(0), clock::now());
    let most = PageMost {
        events: 9,
        bytes: 1 << 20,
    };
    let kept = served.store.events(&of, None, most).await;
    assert_eq!(kept.expect("events").events.len(), 2);
    served.stop.send(true).expect("somebody listens");
    let ended = stream.next().await.expect("the end is told");
    assert_eq!(ended.expect_err("an error").code(), Code::Unavailable);
}

#[tokio::test]
async fn events_outlive_the_refusal_of_their_batch() {
    use crate::store::{EventKind, EventsOf};

    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    let state = v1::VerdictState::Growing;
    let mut batch = batch_with_change(&mut Encoder::new(), 1, state);
    let old = WallTime(clock::now().0 - 40 * 86_400 * 1_000_000_000);
    batch.time = Some(timestamp(old));
    agent.send(Kind::Batch(batch)).await;
    let answer = agent.answer().await;
    assert!(matches!(answer, Ok(Answer::Refusal(_))), "{answer:?}");
    let of = EventsOf::new(EventKind::VerdictChange, WallTime(0), clock::now());
    let counts = served.store.count_events(&of).await.expect("counts");
    assert_eq!(counts, [("n1".to_owned(), 1)]);
}

/// A batch with one row, of the stack with this number.
fn batch_of_stack(number: u64) -> v1::Batch {
    use profiler_query::{
        ids::{BootTime, ProcessHandle, StackId},
        model::{OwnerKey, ProcessEntry, Row, RowKey, TargetInfo, TargetState, Totals},
    };
    let key = RowKey {
        process: ProcessHandle(1),
        owner: OwnerKey::Stack(StackId(number as u32 - 1)),
    };
    let row = Row {
        allocated: 4096,
        ..Row::default()
    };
    let info = TargetInfo {
        pid: 1,
        namespace_pid: 1,
        name: "one".to_owned(),
        executable: "/bin/one".into(),
        container: Arc::default(),
        node: Arc::default(),
        started: BootTime(1),
        state: TargetState::Observed,
        exited: None,
    };
    let process = ProcessEntry {
        handle: key.process,
        info: Arc::new(info),
        totals: Totals::default(),
    };
    let snapshot = Snapshot {
        rows: vec![(key, row)],
        processes: vec![process],
        ..Snapshot::default()
    };
    Encoder::new().batch(&snapshot, timestamp(clock::now()), true, Vec::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_in_the_store() {
    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    let mut encoder = Encoder::new();
    for _ in 0..3 {
        agent.send(Kind::Batch(batch(&mut encoder))).await;
    }
    let mut last = 0;
    while last < 3 {
        match agent.answer().await {
            Ok(Answer::Ack(ack)) => {
                assert_eq!(ack.run_id, RUN);
                assert!(ack.sequence > last);
                last = ack.sequence;
                let kept = served.store.sequences(RunId(RUN)).await.expect("readable");
                assert_eq!(kept.last(), Some(&last));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(served.counters.totals().batches_stored, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_comes_again_is_acknowledged_and_kept_once() {
    let served = serve(Limits::default()).await;
    let first = batch(&mut Encoder::new());
    for _ in 0..2 {
        let mut agent = Agent::introduced(&served).await;
        agent.send(Kind::Batch(first.clone())).await;
        let answer = agent.answer().await;
        assert!(
            matches!(answer, Ok(Answer::Ack(ref ack)) if ack.sequence == 1),
            "{answer:?}"
        );
    }
    let kept = served.store.sequences(RunId(RUN)).await.expect("readable");
    assert_eq!(kept, [1]);
    let totals = served.counters.totals();
    assert_eq!((totals.batches_stored, totals.batches_repeated), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_are_known_by_their_content() {
    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    let frame = v1::Frame {
        function: "main".to_owned(),
        ..v1::Frame::default()
    };
    let mut dictionary = Dictionary::new();
    assert!(dictionary.define(5, std::slice::from_ref(&frame), false));
    let definitions = dictionary.take().expect("something is defined");
    agent.send(Kind::Definitions(definitions)).await;
    agent.send(Kind::Batch(batch_of_stack(5))).await;
    let answer = agent.answer().await;
    assert!(matches!(answer, Ok(Answer::Ack(_))), "{answer:?}");

    let numbers = served.store.numbers(RunId(RUN), &[5, 6]).await;
    let numbers = numbers.expect("readable");
    let hash = profiler_stream::content::stack_hash(
        &[profiler_stream::content::frame_hash(&frame)],
        false,
    );
    assert_eq!(numbers, [(5, StackHash(hash))]);
    let stacks = served.store.stacks(&[StackHash(hash)]).await;
    assert_eq!(stacks.expect("readable")[0].1.frames, [frame]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_makes_no_sense_is_refused_and_the_next_is_taken() {
    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    agent.send(Kind::Batch(batch_of_stack(9))).await;
    match agent.answer().await {
        Ok(Answer::Refusal(refusal)) => {
            assert_eq!(refusal.sequence, 1);
            assert!(
                refusal.reason.contains("stack 9 was not defined"),
                "{refusal:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    let mut encoder = Encoder::new();
    batch(&mut encoder);
    agent.send(Kind::Batch(batch(&mut encoder))).await;
    let answer = agent.answer().await;
    assert!(
        matches!(answer, Ok(Answer::Ack(ref ack)) if ack.sequence == 2),
        "{answer:?}"
    );
    assert_eq!(served.counters.totals().batches_refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_agent_sends_ends_the_stream_with_a_reason() {
    let served = serve(Limits::default()).await;
    let cases: Vec<(Vec<Kind>, Code, &str)> = vec![
        (vec![Kind::Run(run())], Code::InvalidArgument, "hello"),
        (
            vec![Kind::Batch(v1::Batch::default())],
            Code::InvalidArgument,
            "hello",
        ),
    ];
    for (messages, code, needle) in cases {
        let mut agent = Agent::connect(&served).await.expect("a stream");
        for message in messages {
            agent.send(message).await;
        }
        let status = agent.answer().await.expect_err("refused");
        assert_eq!(status.code(), code);
        assert!(status.message().contains(needle), "{status}");
    }
    let mut agent = Agent::connect(&served).await.expect("a stream");
    agent.hello(9, 9).await;
    let status = agent.answer().await.expect_err("refused");
    assert_eq!(status.code(), Code::FailedPrecondition);

    let mut agent = Agent::introduced(&served).await;
    let nameless = v1::Run {
        run_id: vec![1; 15],
        ..run()
    };
    agent.send(Kind::Run(nameless)).await;
    let status = agent.answer().await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_makes_no_sense_is_refused_and_the_next_is_taken() {
    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    let unlabelled = v1::Run {
        node: "n\n".to_owned(),
        ..run()
    };
    let undefined = Kind::Definitions(b"no zstd".to_vec());
    let cases = [
        (vec![Kind::Run(unlabelled)], "control characters"),
        (vec![Kind::Run(run()), undefined], "definitions"),
    ];
    for (messages, needle) in cases {
        for message in messages {
            agent.send(message).await;
        }
        let mut encoder = Encoder::new();
        for sequence in 1..=2 {
            agent.send(Kind::Batch(batch(&mut encoder))).await;
            match agent.answer().await {
                Ok(Answer::Refusal(refusal)) => {
                    assert_eq!(
                        (refusal.sequence, &refusal.run_id[..]),
                        (sequence, &RUN[..])
                    );
                    assert!(refusal.reason.contains(needle), "{refusal:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    agent.send(Kind::Run(run())).await;
    agent.send(Kind::Batch(batch(&mut Encoder::new()))).await;
    let answer = agent.answer().await;
    assert!(matches!(answer, Ok(Answer::Ack(_))), "{answer:?}");
    assert_eq!(served.counters.totals().batches_refused, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_refuses_is_refused() {
    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    let mut first = batch(&mut Encoder::new());
    first.sequence = u64::MAX;
    agent.send(Kind::Batch(first)).await;
    let answer = agent.answer().await;
    assert!(
        matches!(answer, Ok(Answer::Refusal(ref refusal)) if refusal.sequence == u64::MAX),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_would_expire_at_once_is_refused() {
    let served = serve(Limits {
        keep: Duration::from_secs(3600),
        ..Limits::default()
    })
    .await;
    let mut agent = Agent::introduced(&served).await;
    let past = WallTime(clock::now().0 - 3_700_000_000_000);
    let old = Encoder::new().batch(&Snapshot::default(), timestamp(past), true, Vec::new());
    agent.send(Kind::Batch(old)).await;
    match agent.answer().await {
        Ok(Answer::Refusal(refusal)) => assert!(refusal.reason.contains("clock"), "{refusal:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_which_nothing_comes_is_ended() {
    let served = serve(Limits {
        idle: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    let mut agent = Agent::connect(&served).await.expect("a stream");
    agent.hello(1, 1).await;
    assert!(matches!(agent.answer().await, Ok(Answer::Welcome(_))));
    let status = agent.answer().await.expect_err("ended");
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_collector_stops() {
    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    served.stop.send(true).expect("the service listens");
    let status = agent.answer().await.expect_err("ended");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("shutting down"), "{status}");
}

/// More agents than the budget has room for at one time, each with definitions before its batches.
#[tokio::test(flavor = "multi_thread")]
async fn all_come_forward_with_a_budget_that_is_too_small() {
    let served = serve(Limits {
        waiting_bytes: 1000,
        ..Limits::default()
    })
    .await;
    let served = Arc::new(served);
    let of_agent = async |number: u8, served: Arc<Served>| {
        let mut agent = Agent::introduced(&served).await;
        let run_id = vec![number; 16];
        agent.send(Kind::Run(v1::Run { run_id, ..run() })).await;
        let mut dictionary = Dictionary::new();
        let frame = v1::Frame::default();
        assert!(dictionary.define(5, &[frame], false));
        let definitions = dictionary.take().expect("something is defined");
        agent.send(Kind::Definitions(definitions)).await;
        let mut encoder = Encoder::new();
        for _ in 0..20 {
            agent.send(Kind::Batch(batch(&mut encoder))).await;
        }
        let mut last = 0;
        while last < 20 {
            match agent.answer().await {
                Ok(Answer::Ack(ack)) => last = ack.sequence,
                other => panic!("{other:?}"),
            }
        }
    };
    let agents: Vec<_> = (0..8)
        .map(|number| tokio::spawn(of_agent(number, Arc::clone(&served))))
        .collect();
    for agent in agents {
        agent.await.expect("an agent");
    }
    assert_eq!(served.counters.totals().batches_stored, 160);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_far_ahead_keeps_its_batches() {
    let served = serve(Limits::default()).await;
    let mut agent = Agent::introduced(&served).await;
    let tomorrow = WallTime(clock::now().0 + 86_400_000_000_000);
    let ahead = Encoder::new().batch(&Snapshot::default(), timestamp(tomorrow), true, Vec::new());
    agent.send(Kind::Batch(ahead)).await;
    let status = agent.answer().await.expect_err("refused");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("clock of n1"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_above_the_bound_are_told_so() {
    let served = serve(Limits {
        streams: 1,
        ..Limits::default()
    })
    .await;
    let first = Agent::introduced(&served).await;
    let refused = match Agent::connect(&served).await {
        Err(status) => status,
        Ok(mut agent) => agent.answer().await.expect_err("refused"),
    };
    assert_eq!(refused.code(), Code::ResourceExhausted);
    drop(first);
    assert_eq!(served.counters.totals().streams_refused, 1);
}
