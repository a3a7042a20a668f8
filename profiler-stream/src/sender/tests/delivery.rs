//! Whatever a collector does: every batch arrives, in order, and none that is done with again.

use std::time::Duration;

use profiler_proto::v1::{self, collector_message::Kind};
use tokio::time::{sleep, timeout};

use super::{
    backlog::{Memory, run_id},
    collector::{AHEAD, Behaviour, Collector, welcome},
};
use crate::sender::{Backlog, Identity, Plain, Sender, Settings, Watch};

/// Impatient, for tests.
pub(super) fn sender(memory: &Memory, endpoints: Vec<String>) -> Sender<Memory> {
    sender_of(memory.clone(), endpoints)
}

pub(super) fn sender_of<B: Backlog>(backlog: B, endpoints: Vec<String>) -> Sender<B> {
    let settings = Settings {
        backoff: (Duration::from_millis(1), Duration::from_millis(50)),
        patience: Duration::from_secs(1),
        ..Settings::new(endpoints)
    };
    let identity = Identity {
        agent_version: "1.2.3".to_owned(),
        node: "n1".to_owned(),
        agent_id: [9; 16],
    };
    Sender::new(settings, identity, Box::new(Plain), backlog)
}

/// Waits until all that was added is acked or refused.
pub(super) async fn settled(memory: &Memory) {
    let wait = async {
        while !memory
            .names()
            .iter()
            .all(|name| memory.lock().is_done(*name))
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), wait)
        .await
        .expect("all is done with");
}

/// Sends two runs in three files over connections that behave like this, and then well.
async fn deliver(script: Vec<Behaviour>) -> (Memory, Collector, Watch) {
    let memory = Memory::default();
    let collector = Collector::new(&memory, script);
    let (address, server) = collector.serve().await;
    memory.add_file(1, 1, 20);
    memory.add_file(1, 21, 10);
    let sender = sender(&memory, vec![address]);
    let watch = sender.watch();
    let sending = tokio::spawn(sender.run());
    sleep(Duration::from_millis(10)).await;
    memory.add_file(2, 1, 20);
    settled(&memory).await;
    sending.abort();
    server.abort();
    (memory, collector, watch)
}

fn assert_delivered(memory: &Memory, collector: &Collector) {
    let (state, seen) = (memory.lock(), collector.seen());
    assert_eq!(seen.wrong, [] as [&str; 0]);
    for name in &state.acked {
        assert!(
            seen.stored.contains(name),
            "{name:?} was acked and is not stored"
        );
    }
    assert_eq!(state.acked.len() + state.refused.len(), 50);
    assert!(seen.ahead <= AHEAD, "{}", seen.ahead);
}

#[tokio::test]
async fn a_good_collector_gets_each_batch_once() {
    let (memory, collector, watch) = deliver(vec![]).await;
    assert_delivered(&memory, &collector);
    assert_eq!(collector.seen().arrived, memory.names());
    let status = watch.status();
    assert_eq!((status.sent, status.acked, status.refused), (50, 50, 0));
    assert_eq!(status.connected.unwrap().version, "9.9");
    let hello = &collector.seen().hellos[0];
    assert_eq!((hello.protocol, hello.protocol_oldest), (1, 1));
    assert_eq!(
        (hello.node.as_str(), &hello.agent_id[..]),
        ("n1", &[9; 16][..])
    );
}

#[tokio::test]
async fn connections_that_drop_lose_nothing() {
    let drops = (0..30).map(|n| Behaviour::Drop {
        after: n % 5,
        acked: n % 3 == 0,
    });
    let (memory, collector, watch) = deliver(drops.collect()).await;
    assert_delivered(&memory, &collector);
    let status = watch.status();
    assert_eq!(status.acked, 50);
    assert!(status.sent >= collector.seen().arrived.len() as u64);
    assert!(status.last_error.unwrap().1.contains("it ended the stream"));
}

#[tokio::test]
async fn a_collector_that_answers_late_is_not_overrun() {
    let late = vec![Behaviour::Late { every: AHEAD }];
    let (memory, collector, _) = deliver(late).await;
    assert_delivered(&memory, &collector);
    assert_eq!(collector.seen().ahead, AHEAD);
}

#[tokio::test]
async fn what_is_refused_is_dropped_and_not_sent_again() {
    let drop = Behaviour::Drop {
        after: 3,
        acked: true,
    };
    let script = vec![drop, Behaviour::Unwilling { divisor: 7 }];
    let (memory, collector, watch) = deliver(script).await;
    assert_delivered(&memory, &collector);
    let refused: Vec<_> = memory.lock().refused.iter().copied().collect();
    assert_eq!(
        refused,
        [(1, 7), (1, 14), (1, 21), (1, 28), (2, 7), (2, 14)]
    );
    assert_eq!(watch.status().refused, 6);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_dropped_without_being_sent() {
    let small = v1::Welcome {
        message_bytes_max: 2000,
        ..welcome()
    };
    let memory = Memory::default();
    let collector = Collector::new(&memory, vec![Behaviour::Welcome(small)]);
    let (address, _server) = collector.serve().await;
    memory.add_file(1, 1, 5);
    let sending = tokio::spawn(sender(&memory, vec![address]).run());
    settled(&memory).await;
    sending.abort();
    assert_eq!(memory.lock().refused.len(), 5);
    assert_eq!(collector.seen().arrived, []);
}

#[tokio::test]
async fn a_collector_that_never_answers_is_given_up() {
    let script = vec![Behaviour::Silent, Behaviour::Silent];
    let (memory, collector, watch) = deliver(script).await;
    assert_delivered(&memory, &collector);
    assert_eq!(collector.seen().connections, 3);
    assert!(
        watch
            .status()
            .last_error
            .unwrap()
            .1
            .contains("answered for nothing in 1 s")
    );
}

#[tokio::test]
async fn a_slow_collector_is_waited_for() {
    let script = vec![Behaviour::Slow(Duration::from_millis(3))];
    let (memory, collector, _) = deliver(script).await;
    assert_delivered(&memory, &collector);
    assert_eq!(collector.seen().connections, 1);
    assert_eq!(collector.seen().arrived.len(), 50);
}

#[tokio::test]
async fn answers_that_make_no_sense_lose_nothing() {
    let ack = |run: u8, sequence| {
        Behaviour::Garbage(Some(Kind::Ack(v1::Ack {
            run_id: run_id(run),
            sequence,
        })))
    };
    let script = vec![
        ack(1, 1_000_000),
        ack(77, 3),
        Behaviour::Garbage(Some(Kind::Ack(v1::Ack::default()))),
        Behaviour::Garbage(Some(Kind::Refusal(v1::Refusal::default()))),
        Behaviour::Garbage(Some(Kind::Welcome(welcome()))),
        Behaviour::Garbage(None),
    ];
    let (memory, collector, _) = deliver(script).await;
    assert_delivered(&memory, &collector);
    assert_eq!(memory.lock().refused.len(), 0);
}

#[tokio::test]
async fn a_collector_at_random_loses_nothing() {
    for seed in 0..10 {
        let mut random = fastrand::Rng::with_seed(seed);
        let script = (0..25).map(|_| match random.u8(..8) {
            0 => Behaviour::Good,
            1 => Behaviour::Refuse(tonic::Status::unavailable("later")),
            2 => Behaviour::Late {
                every: random.usize(1..=AHEAD),
            },
            3 => Behaviour::Unwilling {
                divisor: random.u64(2..9),
            },
            4 => Behaviour::Slow(Duration::from_millis(1)),
            _ => Behaviour::Drop {
                after: random.usize(..8),
                acked: random.bool(),
            },
        });
        let (memory, collector, _) = deliver(script.collect()).await;
        assert_delivered(&memory, &collector);
    }
}
