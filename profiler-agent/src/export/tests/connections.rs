use profiler_common::socket as abi;
use profiler_proto::v1::{self, ConnectionFold, ConnectionOrder, GroupBy};
use tonic::Code;

use super::fake::{NODE, PAGE, Pipeline, REDIS, SECOND, Served, functions};
use crate::{
    connection::{Behalf, End, SocketFacts},
    event::Served as ThreadServes,
    ids::{BootTime, Cookie, ProcessHandle, StackId},
    ledger::Owner,
};

fn facts(role: u8, last: u8, calls: u64) -> SocketFacts {
    let mut entry = abi::SocketEntry {
        kind: abi::SOCKET_TCP,
        family: 2,
        role,
        protocol: abi::PROTOCOL_HTTP2,
        opened: 400 * SECOND,
        received_calls: calls,
        received_bytes: 100 * calls,
        receive_queue: 768,
        local_port: 8080,
        peer_port: 40_000,
        ..abi::SocketEntry::BLANK
    };
    entry.address[..4].copy_from_slice(&[10, 0, 0, 1]);
    entry.address[16..20].copy_from_slice(&[10, 0, 0, last]);
    SocketFacts::new(&entry).expect("a whole entry")
}

fn on(cookie: u64) -> Behalf {
    let serves = ThreadServes {
        connection: Some(Cookie(cookie)),
        ..ThreadServes::default()
    };
    Behalf::of(&serves, || false)
}

fn owner(stack: u32, behalf: Behalf) -> Owner {
    Owner::Stack {
        stack: StackId(stack),
        inclusion: u32::MAX,
        behalf,
    }
}

/// node serves two connections, the first of which closes; redis has one to itself.
pub(super) fn recorded() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.map(NODE, owner(1, on(11)), 450, 0x100, 8);
    pipeline.map(NODE, owner(2, on(11)), 451, 0x200, 2);
    pipeline.map(NODE, owner(1, on(12)), 452, 0x300, 4);
    pipeline.map(NODE, owner(3, Behalf::HELPER), 453, 0x400, 6);
    pipeline.map(NODE, owner(3, Behalf::NOBODY), 454, 0x500, 1);
    pipeline.map(NODE, Owner::PreExisting, 455, 0x600, 9);
    let moment = |seconds: u64| BootTime(seconds * SECOND);
    let mut learn = |cookie, process: ProcessHandle, facts| {
        let connections = &mut pipeline.books.connections;
        connections.update(Cookie(cookie), facts, Some(process), moment(449));
    };
    learn(11, NODE, facts(abi::ROLE_SERVER, 2, 20));
    learn(12, NODE, facts(abi::ROLE_SERVER, 3, 4));
    learn(21, REDIS, facts(abi::ROLE_CLIENT, 4, 1));
    pipeline.keep(460);
    pipeline.unmap(NODE, 470, 0x100, 3);
    let connections = &mut pipeline.books.connections;
    let closed = SocketFacts {
        end: End::Peer,
        ..facts(abi::ROLE_SERVER, 2, 25)
    };
    connections.close(Cookie(11), closed, Some(NODE), moment(480));
    pipeline.keep(490);
    pipeline
}

async fn list(
    served: &mut Served,
    request: v1::ListConnectionsRequest,
) -> v1::ListConnectionsResponse {
    let answer = served.client.list_connections(request).await;
    answer.expect("an answer").into_inner()
}

fn cookies(answer: &v1::ListConnectionsResponse) -> Vec<u64> {
    answer.connections.iter().map(|one| one.cookie).collect()
}

#[tokio::test]
async fn connections_carry_their_socket_and_their_memory() {
    let mut served = Served::new(recorded()).await;
    let answer = list(&mut served, v1::ListConnectionsRequest::default()).await;
    assert_eq!(cookies(&answer), [11, 12, 21], "most live bytes first");
    assert_eq!((answer.total, answer.open_connections), (3, 2));
    let first = &answer.connections[0];
    assert_eq!(
        (&*first.local, &*first.peer),
        ("10.0.0.1:8080", "10.0.0.2:40000")
    );
    assert_eq!(first.role(), v1::ConnectionRole::Server);
    assert_eq!(first.protocol(), v1::ConnectionProtocol::Http2);
    assert_eq!(first.state(), v1::ConnectionState::Closed);
    assert_eq!(first.end(), v1::ConnectionEnd::PeerClosed);
    assert_eq!((first.received_calls, first.received_bytes), (25, 2500));
    let live = 7 * PAGE;
    assert_eq!(first.committed_allocated_bytes, 10 * PAGE);
    assert_eq!(
        (first.committed_live_bytes, first.live_at_close_bytes),
        (live, live)
    );
    assert!((first.live_bytes_per_call - live as f64 / 25.0).abs() < 1e-9);
    assert_eq!(&*first.process_name, "node");

    let join = &answer.joins[0];
    let bytes = (
        join.joined_bytes,
        join.helper_thread_bytes,
        join.no_connection_bytes,
    );
    assert_eq!(bytes, (14 * PAGE, 6 * PAGE, PAGE));
    assert!((join.joined_share - 14.0 / 21.0).abs() < 1e-9);
    assert_eq!((join.open_connections, join.socket_queue_bytes), (1, 768));
    assert_eq!(
        answer.classes.len(),
        1,
        "redis has no growth on its connection"
    );
    assert_eq!(
        (&*answer.classes[0].endpoint, answer.classes[0].connections),
        (":8080", 2)
    );
}

#[tokio::test]
async fn a_listing_is_narrowed_ordered_and_paged() {
    let mut served = Served::new(recorded()).await;
    let narrowed = [
        (
            v1::ListConnectionsRequest {
                states: vec![v1::ConnectionState::Open.into()],
                ..Default::default()
            },
            vec![12, 21],
        ),
        (
            v1::ListConnectionsRequest {
                peers: vec!["10.0.0.2/31".to_owned()],
                ..Default::default()
            },
            vec![11, 12],
        ),
        (
            v1::ListConnectionsRequest {
                peers: vec!["0.0.0.0/0".to_owned()],
                ports: vec![40_000],
                ..Default::default()
            },
            vec![21],
        ),
        (
            v1::ListConnectionsRequest {
                with_growth: true,
                order: ConnectionOrder::Slope.into(),
                ..Default::default()
            },
            vec![12, 11],
        ),
    ];
    for (request, expected) in narrowed {
        assert_eq!(cookies(&list(&mut served, request).await), expected);
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let request = v1::ListConnectionsRequest {
            limit: 1,
            page_token: token,
            ..Default::default()
        };
        let answer = list(&mut served, request).await;
        assert_eq!(answer.total, 3);
        seen.extend(cookies(&answer));
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [11, 12, 21]);
}

#[tokio::test]
async fn connections_of_a_process_are_taken_together() {
    let mut served = Served::new(recorded()).await;
    let request = v1::ListConnectionsRequest {
        fold: vec![ConnectionFold::Port.into(), ConnectionFold::Age.into()],
        ..Default::default()
    };
    let answer = list(&mut served, request).await;
    assert!(answer.connections.is_empty());
    let groups: Vec<_> = answer
        .groups
        .iter()
        .map(|group| {
            (
                &*group.process_name,
                group.port,
                &*group.age,
                group.connections,
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            ("node", 8080, "1m-10m", 1),
            ("node", 8080, "10m-1h", 1),
            ("redis-server", 40_000, "10m-1h", 1)
        ]
    );
    assert_eq!(answer.groups[0].live_after_close_bytes, 7 * PAGE);
}

#[tokio::test]
async fn growth_by_connection_adds_up_to_that_of_the_process() {
    let mut served = Served::new(recorded()).await;
    let request = v1::TopRequest {
        by: GroupBy::Connection.into(),
        include_unattributed: true,
        ..Default::default()
    };
    let answer = served
        .client
        .top(request)
        .await
        .expect("an answer")
        .into_inner();
    let rows: Vec<_> = answer
        .rows
        .iter()
        .map(|row| {
            let cookie = row.connection.as_ref().map_or(0, |one| one.cookie);
            (row.behalf(), cookie, row.committed_live_bytes / PAGE)
        })
        .collect();
    assert_eq!(
        rows,
        [
            (v1::Behalf::NoEvent, 0, 9),
            (v1::Behalf::Connection, 11, 7),
            (v1::Behalf::HelperThread, 0, 6),
            (v1::Behalf::Connection, 12, 4),
            (v1::Behalf::NoConnection, 0, 1)
        ]
    );
    let live: u64 = answer.rows.iter().map(|row| row.committed_live_bytes).sum();
    let accounting = answer.accounting.expect("accounting");
    assert_eq!(live, accounting.ledger_committed_bytes);
}

#[tokio::test]
async fn one_connection_has_its_own_stacks_and_its_own_past() {
    let mut served = Served::new(recorded()).await;
    let request = |by: GroupBy| v1::TopRequest {
        by: by.into(),
        connection: 11,
        ..Default::default()
    };
    let by_stack = served
        .client
        .top(request(GroupBy::Stack))
        .await
        .expect("an answer");
    let by_stack = by_stack.into_inner();
    let rows: Vec<_> = by_stack
        .rows
        .iter()
        .map(|row| (row.stack_id, row.committed_live_bytes / PAGE))
        .collect();
    assert_eq!(rows, [(2, 5), (3, 2)]);
    assert!(functions(&by_stack.rows[0]).len() > 1);
    let by_process = served
        .client
        .top(request(GroupBy::Process))
        .await
        .expect("an answer");
    assert_eq!(
        by_process.into_inner().rows[0].committed_live_bytes,
        7 * PAGE
    );

    let request = v1::DiffRequest {
        by: GroupBy::Connection.into(),
        from: super::fake::wall(460),
        to: super::fake::wall(490),
        ..Default::default()
    };
    let diff = served
        .client
        .diff(request)
        .await
        .expect("an answer")
        .into_inner();
    assert_eq!(diff.rows.len(), 1);
    assert_eq!(diff.rows[0].live_delta_bytes, -3 * PAGE as i64);

    let unknown = v1::TopRequest {
        connection: 99,
        ..Default::default()
    };
    let status = served.client.top(unknown).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn nonsense_is_refused_with_a_reason() {
    let mut served = Served::new(recorded()).await;
    let requests = [
        (
            v1::ListConnectionsRequest {
                limit: 10_001,
                ..Default::default()
            },
            "limit",
        ),
        (
            v1::ListConnectionsRequest {
                order: 77,
                ..Default::default()
            },
            "order",
        ),
        (
            v1::ListConnectionsRequest {
                fold: vec![0],
                ..Default::default()
            },
            "fold",
        ),
        (
            v1::ListConnectionsRequest {
                page_token: "x".to_owned(),
                ..Default::default()
            },
            "page_token",
        ),
        (
            v1::ListConnectionsRequest {
                peers: vec!["10.0.0.0/33".to_owned()],
                ..Default::default()
            },
            "peers",
        ),
        (
            v1::ListConnectionsRequest {
                cookies: vec![1; 1_001],
                ..Default::default()
            },
            "1000",
        ),
    ];
    for (request, reason) in requests {
        let status = served.client.list_connections(request).await;
        let status = status.expect_err("a refusal");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(reason), "{}", status.message());
    }
}
