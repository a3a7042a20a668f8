//! Nodes that report, and those that do not.

use profiler_collector::store::Store as _;
use profiler_proto::v1::{self, NodeState, query_server::Query as _};
use profiler_stream::encode::part;
use tonic::Request;

use crate::fixture::{Agent, MIB, Table, World, at};

fn table(mib: u64) -> Table {
    Table::default()
        .process(1, 100, "docker-web")
        .stack(1, mib * MIB, 0)
}

fn status(lost: u64) -> Vec<v1::Part> {
    let loss = v1::Loss {
        cause: "event_ring_full".to_owned(),
        count: lost,
        meaning: "lost".to_owned(),
    };
    let accounting = v1::Accounting {
        events_seen: 1000,
        losses: vec![loss],
        ..v1::Accounting::default()
    };
    let status = v1::GetStatusResponse {
        accounting: Some(accounting),
        processes_observed: 3,
        ..v1::GetStatusResponse::default()
    };
    let status = Some(status);
    vec![part(v1::PartKind::Status, &v1::StatusPart { status })]
}

async fn world() -> World {
    let world = World::new();
    let mut silent = Agent::new("silent", 1, 1, 0);
    let mut steady = Agent::new("steady", 2, 1, 0);
    let mut writes = vec![silent.write(&table(64).0, 10, true, status(5))];
    for seconds in (10..=200).step_by(10) {
        let whole = seconds % 60 == 10;
        let extra = if whole { status(7) } else { Vec::new() };
        let write = steady.write(&table(seconds).0, seconds, whole, extra);
        // One that never came.
        if seconds != 150 {
            writes.push(write);
        }
    }
    world.store.write(writes).await.expect("written");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_is_left_out_and_said_so() {
    let world = world().await;
    let ask = |seconds| {
        let service = world.service(seconds);
        async move {
            let answer = service.top(Request::new(v1::TopRequest::default())).await;
            let answer = answer.expect("an answer").into_inner();
            let nodes: Vec<String> = answer.rows.iter().map(|row| row.node.clone()).collect();
            let losses = answer.accounting.expect("accounting").losses;
            (nodes, losses)
        }
    };
    let (nodes, losses) = ask(60).await;
    assert_eq!(nodes, ["silent", "steady"]);
    assert!(losses.iter().all(|loss| loss.cause != "nodes_silent"));
    assert_eq!(
        (losses[0].cause.as_str(), losses[0].count),
        ("event_ring_full", 12)
    );

    let (nodes, losses) = ask(200).await;
    assert_eq!(nodes, ["steady"]);
    let silent = losses.iter().find(|loss| loss.cause == "nodes_silent");
    let silent = silent.expect("the loss");
    assert_eq!(silent.count, 1);
    assert!(silent.meaning.ends_with(": silent"));
    assert_eq!(losses[0].count, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_hides_what_follows_it_until_the_next_whole_batch() {
    let world = world().await;
    let live = |seconds| {
        let service = world.service(seconds);
        async move {
            let request = v1::TopRequest {
                at: at(seconds),
                ..v1::TopRequest::default()
            };
            let answer = service.top(Request::new(request)).await;
            answer.expect("an answer").into_inner().rows[0].committed_live_bytes / MIB
        }
    };
    assert_eq!(live(140).await, 140);
    assert_eq!(live(180).await, 140);
    assert_eq!(live(190).await, 190);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_listed_with_how_far_they_were_heard_of() {
    let world = world().await;
    let service = world.service(200);
    let all = service
        .list_nodes(Request::new(v1::ListNodesRequest::default()))
        .await;
    let nodes = all.expect("an answer").into_inner().nodes;
    let [silent, steady] = &nodes[..] else {
        panic!("two nodes: {nodes:?}");
    };
    assert_eq!(
        (silent.node.as_str(), silent.state()),
        ("silent", NodeState::Silent)
    );
    assert_eq!((silent.targets, silent.committed_bytes), (0, 0));
    assert_eq!((silent.batches, silent.batches_missing), (1, 0));
    assert_eq!(silent.losses[0].count, 5);
    assert_eq!(
        (steady.node.as_str(), steady.state()),
        ("steady", NodeState::Reporting)
    );
    assert_eq!((steady.batches, steady.batches_missing), (19, 1));
    assert_eq!((steady.first_batch, steady.last_batch), (at(10), at(200)));
    assert_eq!(steady.committed_bytes, 200 * MIB);
    assert_eq!((steady.runs, steady.agent_started), (1, at(0)));
    assert_eq!(steady.labels["zone"], "zone-2");

    let selector = v1::Selector {
        nodes: vec!["st*".to_owned()],
        ..v1::Selector::default()
    };
    let request = v1::ListNodesRequest {
        selector: Some(selector),
    };
    let some = service.list_nodes(Request::new(request)).await;
    assert_eq!(some.expect("an answer").into_inner().nodes, nodes[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_says_what_it_keeps() {
    let world = world().await;
    let status = world
        .service(200)
        .get_status(Request::new(v1::GetStatusRequest {}))
        .await;
    let status = status.expect("an answer").into_inner();
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    assert!(status.capabilities.is_empty());
    assert!(
        status.notes[0].contains("sqlite: 20 batches of 2 runs"),
        "{:?}",
        status.notes
    );
    assert_eq!(status.history_oldest, at(10));
    assert_eq!(status.processes_observed, 3);
    let losses = status.accounting.expect("accounting").losses;
    assert!(losses.iter().any(|loss| loss.cause == "nodes_silent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ledgers_have_to_be_asked_for_on_the_node() {
    let request = v1::ListRangesRequest::default();
    let refused = World::new()
        .service(0)
        .list_ranges(Request::new(request))
        .await;
    let refused = refused.expect_err("a refusal");
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
    assert!(refused.message().contains("agent of the node"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_batches_cannot_be_read_is_left_out_and_said_so() {
    let world = World::new();
    let mut sound = Agent::new("sound", 1, 1, 0);
    sound.send(&world, &table(8).0, 10, true).await;
    let mut broken = Agent::new("broken", 2, 1, 0);
    let mut write = broken.write(&table(9).0, 10, true, Vec::new());
    let batch = write.batch.as_mut().expect("a batch");
    for part in &mut batch.parts {
        part.data.truncate(part.data.len() / 2);
    }
    world.store.write(vec![write]).await.expect("written");
    let service = world.service(15);
    let answer = service.top(Request::new(v1::TopRequest::default())).await;
    let answer = answer.expect("an answer").into_inner();
    let nodes: Vec<&str> = answer.rows.iter().map(|row| row.node.as_str()).collect();
    assert_eq!(nodes, ["sound"]);
    let losses = answer.accounting.expect("accounting").losses;
    let loss = losses.iter().find(|loss| loss.cause == "nodes_unreadable");
    assert!(loss.expect("the loss").meaning.ends_with(": broken"));
}
