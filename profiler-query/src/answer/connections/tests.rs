use profiler_proto::v1::{self, ConnectionFold};
use proptest::prelude::*;

use super::{ConnectionFacts as _, Listing, Messages};
use crate::{
    answer::{Filter, Selection},
    ids::{BootTime, Cookie, PeerId, ProcessHandle},
    model::{BehalfKey, Growth, OwnerKey, Snapshot},
    testing::{entry, info, on_node, row},
};

const NODES: [&str; 2] = ["a", "b"];

/// One process on each of two nodes.
fn growth() -> Growth {
    let owner = |cookie| OwnerKey::Behalf(BehalfKey::Connection(Cookie(cookie)));
    Growth::since_start(&Snapshot {
        time: BootTime(1_000_000_000_000),
        rows: vec![
            row(1, owner(5), 100),
            row(1, OwnerKey::Behalf(BehalfKey::Nobody), 300),
            row(2, owner(5), 7),
        ],
        processes: vec![
            entry(1, on_node(info(7, "node"), "a", &[]), 400),
            entry(2, on_node(info(7, "node"), "b", &[]), 7),
        ],
    })
}

fn connection(cookie: u64, live: u64, peer: &str) -> v1::Connection {
    v1::Connection {
        cookie,
        local: "10.0.0.1:8080".to_owned(),
        peer: peer.to_owned(),
        kind: v1::ConnectionKind::Tcp.into(),
        role: v1::ConnectionRole::Server.into(),
        committed_allocated_bytes: live,
        received_calls: 2,
        opened: Some(pbjson_types::Timestamp {
            seconds: 900,
            nanos: 0,
        }),
        ..v1::Connection::default()
    }
}

/// What one agent sends: its process has the number 31.
fn part(connections: Vec<v1::Connection>) -> v1::ConnectionsPart {
    v1::ConnectionsPart {
        process: vec![31; connections.len()],
        open_connections: 40,
        total_classes: 1,
        connections,
        classes: vec![v1::ConnectionClass {
            pid: 7,
            ..v1::ConnectionClass::default()
        }],
        joins: vec![v1::ConnectionJoin {
            cgroup: "/".to_owned(),
            socket_queue_bytes: 768,
            open_connections: 40,
            ..v1::ConnectionJoin::default()
        }],
        peers: vec![v1::Peer {
            number: 1,
            process: 31,
            port: 8080,
            connection: Some(v1::Connection {
                peer: "10.0.0.9".to_owned(),
                role: v1::ConnectionRole::Server.into(),
                kind: v1::ConnectionKind::Tcp.into(),
                connections: 3,
                committed_allocated_bytes: 11,
                ..v1::Connection::default()
            }),
        }],
        ..v1::ConnectionsPart::default()
    }
}

fn messages(parts: [v1::ConnectionsPart; 2]) -> Messages {
    let mut messages = Messages::default();
    for ((number, node), part) in (1..).zip(NODES).zip(parts) {
        messages.add(
            node,
            part,
            |process| (process == 31).then_some(ProcessHandle(number)),
            |peer| Some(PeerId(10 * number + peer)),
        );
    }
    messages
}

fn fleet() -> Messages {
    messages([
        part(vec![
            connection(5, 100, "10.0.0.2:1"),
            connection(6, 0, "10.0.0.3:1"),
        ]),
        part(vec![connection(5, 7, "10.0.0.2:2")]),
    ])
}

fn ask(
    messages: &Messages,
    request: v1::ListConnectionsRequest,
    pinned: &[BootTime],
) -> v1::ListConnectionsResponse {
    let filter = Filter::new(request.selector.as_ref()).expect("a filter");
    let listing = Listing::new(request).expect("a listing");
    let growth = growth();
    let selection = filter.choose(growth.targets()).expect("a choice");
    messages.answer(&listing, &growth, &selection, pinned)
}

fn names(answer: &v1::ListConnectionsResponse) -> Vec<(&str, u64)> {
    let connections = answer.connections.iter();
    connections.map(|one| (&*one.node, one.cookie)).collect()
}

#[test]
fn equal_cookies_of_two_nodes_are_two_connections() {
    let fleet = fleet();
    let answer = ask(&fleet, v1::ListConnectionsRequest::default(), &[]);
    assert_eq!(names(&answer), [("a", 5), ("b", 5), ("a", 6)]);
    assert_eq!(answer.connections[0].process_name, "node");
    assert_eq!((answer.open_connections, answer.total_classes), (80, 2));
    for (node, live) in [("a", 100), ("b", 7)] {
        let known = fleet.connection(node, Cookie(5)).expect("a connection");
        assert_eq!(known.committed_allocated_bytes, live);
    }
    assert!(fleet.connection("c", Cookie(5)).is_none() && fleet.knows(Cookie(6)));
}

#[test]
fn what_is_chosen_of_a_fleet_has_its_own_joins_and_classes() {
    let request = v1::ListConnectionsRequest {
        selector: Some(v1::Selector {
            nodes: vec!["a".to_owned()],
            ..v1::Selector::default()
        }),
        peers: vec!["10.0.0.2".to_owned()],
        ports: vec![8080],
        ..v1::ListConnectionsRequest::default()
    };
    let answer = ask(&fleet(), request, &[]);
    assert_eq!(names(&answer), [("a", 5)]);
    assert_eq!((answer.classes.len(), answer.total_classes), (1, 1));
    let [join] = &answer.joins[..] else {
        panic!("one container")
    };
    assert_eq!((join.joined_bytes, join.no_connection_bytes), (100, 300));
    assert_eq!((join.socket_queue_bytes, join.open_connections), (768, 40));
}

#[test]
fn connections_of_messages_are_taken_together_with_those_that_are_over() {
    let request = v1::ListConnectionsRequest {
        fold: vec![ConnectionFold::Role.into(), ConnectionFold::Port.into()],
        limit: 1,
        ..v1::ListConnectionsRequest::default()
    };
    let first = ask(&fleet(), request.clone(), &[BootTime(9)]);
    let [group] = &first.groups[..] else {
        panic!("one group on this page")
    };
    assert_eq!((&*group.node, group.connections, group.open), ("a", 5, 2));
    assert_eq!(group.port, 8080);
    assert_eq!((group.committed_allocated_bytes, first.total), (111, 2));
    let request = v1::ListConnectionsRequest {
        page_token: first.next_page_token,
        ..request
    };
    let listing = Listing::new(request.clone()).expect("a listing");
    assert_eq!(listing.page().pinned(), [BootTime(9)]);
    let second = ask(&fleet(), request, &[]);
    assert_eq!(&*second.groups[0].node, "b");
    assert_eq!(second.next_page_token, "");
}

#[test]
fn a_connection_whose_process_is_not_known_is_of_everything_only() {
    let mut alone = part(vec![connection(5, 1, "10.0.0.2:1")]);
    alone.process.clear();
    let messages = messages([alone, part(Vec::new())]);
    let listing = Listing::new(v1::ListConnectionsRequest::default()).expect("a listing");
    let some = Selection::Some([ProcessHandle(1)].into());
    for (selection, count) in [(Selection::All, 1), (some, 0)] {
        let answer = messages.answer(&listing, &growth(), &selection, &[]);
        assert_eq!(answer.connections.len(), count);
    }
}

proptest! {
    #[test]
    fn all_pages_together_are_the_whole_list(
        parts in [(); 2].map(|()| prop::collection::btree_map(0..9_u64, 0..4_u64, 0..8)),
        order in 0..=8_i32,
        limit in 1..5_u32,
    ) {
        let messages = messages(parts.map(|cookies| {
            let cookies = cookies.into_iter();
            part(cookies.map(|(cookie, live)| connection(cookie, live, "10.0.0.2:1")).collect())
        }));
        let request = v1::ListConnectionsRequest { order, ..Default::default() };
        let whole = ask(&messages, request.clone(), &[]);
        let (mut got, mut token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListConnectionsRequest { limit, page_token: token, ..request.clone() };
            let page = ask(&messages, request, &[BootTime(3)]);
            prop_assert!(page.connections.len() <= limit as usize);
            prop_assert_eq!(page.total, whole.total);
            token = page.next_page_token;
            got.extend(page.connections);
            if token.is_empty() {
                break;
            }
        }
        prop_assert_eq!(got, whole.connections);
    }
}
