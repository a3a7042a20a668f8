//! Connections of several nodes.

use profiler_collector::store::Store as _;
use profiler_proto::v1::{self, GroupBy, query_server::Query as _};
use profiler_stream::encode::part;
use tonic::{Code, Request};

use crate::fixture::{Agent, MIB, Table, World, at};

fn connection(cookie: u64, live: u64) -> v1::Connection {
    v1::Connection {
        cookie,
        local: "10.0.0.1:8080".to_owned(),
        peer: format!("10.0.0.2:{}", 1000 + cookie),
        kind: v1::ConnectionKind::Tcp.into(),
        role: v1::ConnectionRole::Server.into(),
        state: v1::ConnectionState::Open.into(),
        committed_allocated_bytes: live,
        committed_live_bytes: live,
        connections: 1,
        ..v1::Connection::default()
    }
}

fn sent(connections: &[(u64, u64)], total: u64) -> Vec<v1::Part> {
    let message = v1::ConnectionsPart {
        connections: connections
            .iter()
            .map(|(cookie, mib)| connection(*cookie, mib * MIB))
            .collect(),
        process: vec![1; connections.len()],
        open_connections: 7,
        closed_connections_kept: 40,
        total_with_growth: total,
        ..v1::ConnectionsPart::default()
    };
    vec![part(v1::PartKind::Connections, &message)]
}

/// Equal cookies on both nodes.
async fn two_nodes() -> World {
    let world = World::new();
    for (number, node) in [(1, "a"), (2, "b")] {
        let own = u64::from(number);
        let table = |more: u64| {
            Table::default()
                .process(1, 100, "docker-web")
                .stack(1, (6 + more) * MIB, 0)
                .connection(5, (1 + own + more) * MIB)
                .connection(6, 2 * MIB)
        };
        let mut agent = Agent::new(node, number, 1, 0);
        let extra = sent(&[(5, 1 + own), (6, 2)], 2 + 10 * own);
        let writes = vec![
            agent.write(&table(0).0, 10, true, extra),
            agent.write(&table(9).0, 20, false, Vec::new()),
        ];
        world.store.write(writes).await.expect("written");
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_all_nodes_are_listed_as_of_the_last_whole_batch() {
    let world = two_nodes().await;
    let service = world.service(25);
    let mut request = v1::ListConnectionsRequest {
        limit: 3,
        ..v1::ListConnectionsRequest::default()
    };
    let mut listed = Vec::new();
    loop {
        let answer = service
            .list_connections(Request::new(request.clone()))
            .await;
        let answer = answer.expect("an answer").into_inner();
        assert_eq!((answer.total, answer.open_connections), (4, 14));
        let losses = answer.accounting.expect("accounting").losses;
        let loss = losses
            .iter()
            .find(|loss| loss.cause == "connections_not_sent");
        assert_eq!(loss.expect("the loss").count, 2 * (47 - 2));
        let page = answer.connections.into_iter();
        listed.extend(page.map(|one| {
            (
                one.node,
                one.cookie,
                one.committed_live_bytes / MIB,
                one.pid,
            )
        }));
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let own = |node: &str, cookie, mib| (node.to_owned(), cookie, mib, 100);
    assert_eq!(listed[..2], [own("b", 5, 3), own("a", 5, 2)]);
    let mut last = listed[2..].to_vec();
    last.sort();
    assert_eq!(last, [own("a", 6, 2), own("b", 6, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_growth_is_told_of_growth_that_was_not_sent() {
    let request = v1::ListConnectionsRequest {
        with_growth: true,
        ..v1::ListConnectionsRequest::default()
    };
    let world = two_nodes().await;
    let service = world.service(25);
    let answer = service.list_connections(Request::new(request)).await;
    let accounting = answer.expect("an answer").into_inner().accounting;
    let losses = accounting.expect("accounting").losses;
    let mut losses = losses.iter();
    let loss = losses.find(|loss| loss.cause == "connections_not_sent");
    assert_eq!(loss.expect("the loss").count, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_by_connection_names_the_connection_of_its_own_node() {
    let world = two_nodes().await;
    let request = v1::DiffRequest {
        by: GroupBy::Connection.into(),
        from: at(10),
        ..v1::DiffRequest::default()
    };
    let answer = world.service(25).diff(Request::new(request)).await;
    let rows = answer.expect("an answer").into_inner().rows;
    assert_eq!(rows.len(), 2);
    for row in rows {
        let connection = row.connection.expect("a connection");
        assert_eq!(connection.cookie, 5);
        assert_eq!(connection.peer, "10.0.0.2:1005");
        assert_eq!(connection.node, row.node);
        assert_eq!(row.live_delta_bytes, (9 * MIB).cast_signed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_have_to_be_asked_for_on_the_node() {
    let request = v1::ListConnectionsRequest {
        with_points: true,
        ..v1::ListConnectionsRequest::default()
    };
    let refused = World::new()
        .service(0)
        .list_connections(Request::new(request))
        .await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::Unimplemented);
}
