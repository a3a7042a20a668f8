//! Collectors that cannot be used, and those that are used in their place.

use std::time::Duration;

use profiler_proto::v1;
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::{
    backlog::Memory,
    collector::{Behaviour, Collector, welcome},
    delivery::{sender, settled},
};
use crate::sender::{Settings, Watch};

/// What is told when a collector begins like this, and how often it was asked in a short time.
async fn told(behaviour: &Behaviour) -> (String, usize) {
    let memory = Memory::default();
    memory.add_file(1, 1, 1);
    let collector = Collector::new(&memory, vec![behaviour.clone(); 100]);
    let (address, _server) = collector.serve().await;
    let mut sender = sender(&memory, vec![address.clone()]);
    sender.settings = Settings {
        backoff: (Duration::from_millis(1), Duration::from_secs(60)),
        ..sender.settings
    };
    let watch = sender.watch();
    let sending = tokio::spawn(sender.run());
    let error = error(&watch).await;
    sleep(Duration::from_millis(100)).await;
    sending.abort();
    assert!(memory.lock().acked.is_empty());
    let connections = collector.seen().connections;
    (error.replace(&address, "IT"), connections)
}

async fn error(watch: &Watch) -> String {
    let wait = async {
        loop {
            if let Some((_, error)) = watch.status().last_error {
                return error;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait)
        .await
        .expect("an error")
}

#[tokio::test]
async fn an_agent_that_is_not_taken_says_so_and_asks_rarely() {
    let refuse = |status| async move { told(&Behaviour::Refuse(status)).await };
    assert_eq!(
        refuse(Status::failed_precondition("upgrade\nthe agent")).await,
        ("IT: it refuses this agent: upgrade the agent".to_owned(), 1)
    );
    assert_eq!(
        refuse(Status::unauthenticated("show a token")).await,
        ("IT: it refuses this agent: show a token".to_owned(), 1)
    );
    let strange = Behaviour::Welcome(v1::Welcome {
        protocol: 7,
        ..welcome()
    });
    assert_eq!(
        told(&strange).await,
        (
            "IT: it is of version 9.9 and speaks version 7 of the protocol, this agent 1 to 1: use \
             an agent and a collector of versions that fit"
                .to_owned(),
            1
        )
    );
}

#[tokio::test]
async fn a_collector_that_is_only_busy_is_asked_again_soon() {
    let busy = Behaviour::Refuse(Status::unavailable("busy"));
    let (error, asked) = told(&busy).await;
    assert_eq!(error, "IT: busy");
    assert!(asked > 2, "{asked}");
    let (error, _) = told(&Behaviour::Mute).await;
    assert_eq!(error, "IT: it did not answer within 1 s");
}

#[tokio::test]
async fn the_next_collector_is_used_when_the_first_cannot_be_reached_or_refuses() {
    let memory = Memory::default();
    memory.add_file(1, 1, 5);
    let refusal = Behaviour::Refuse(Status::failed_precondition("no"));
    let refusing = Collector::new(&memory, vec![refusal; 100]);
    let good = Collector::new(&memory, vec![]);
    let (second, _server) = refusing.serve().await;
    let (third, _server) = good.serve().await;
    let nobody = "http://127.0.0.1:1".to_owned();
    let sender = sender(&memory, vec![nobody, second, third.clone()]);
    let watch = sender.watch();
    let sending = tokio::spawn(sender.run());
    settled(&memory).await;
    sending.abort();
    assert_eq!(good.seen().stored.len(), 5);
    assert_eq!(watch.status().connected.unwrap().endpoint, third);
}

#[tokio::test]
async fn why_a_collector_cannot_be_reached_is_told() {
    let memory = Memory::default();
    let sender = sender(&memory, vec!["http://127.0.0.1:1".to_owned()]);
    let watch = sender.watch();
    let sending = tokio::spawn(sender.run());
    let error = error(&watch).await;
    sending.abort();
    assert!(error.starts_with("http://127.0.0.1:1: "), "{error}");
    assert!(error.contains("Connection refused"), "{error}");
}
