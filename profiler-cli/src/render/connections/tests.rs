use pbjson_types::Timestamp;
use profiler_proto::v1::{
    Accounting, Connection, ConnectionClass, ConnectionEnd, ConnectionGroup, ConnectionJoin,
    ConnectionKind, ConnectionProtocol, ConnectionRole, ConnectionState, Pattern, ReleaseBasis,
    Snapshot,
};

use super::*;

const MIB: u64 = 1 << 20;

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn connection() -> Connection {
    Connection {
        cookie: 8193,
        local: "10.0.0.1:8080".into(),
        peer: "10.0.0.7:51234".into(),
        role: ConnectionRole::Server.into(),
        protocol: ConnectionProtocol::Http2.into(),
        state: ConnectionState::Open.into(),
        pid: 412,
        process_name: "node".into(),
        opened: at(100),
        received_bytes: 5 * MIB,
        received_calls: 1_402,
        sent_bytes: 7 * MIB,
        committed_live_bytes: 2 * MIB,
        committed_allocated_bytes: 3 * MIB,
        live_bytes_per_call: 1_496.0,
        pattern: Pattern::RetainedWhileOpen.into(),
        connections: 1,
        ..Connection::default()
    }
}

fn class() -> ConnectionClass {
    ConnectionClass {
        pid: 412,
        process_name: "node".into(),
        role: ConnectionRole::Server.into(),
        kind: ConnectionKind::Tcp.into(),
        protocol: ConnectionProtocol::Http2.into(),
        endpoint: ":8080".into(),
        pattern: Pattern::RetainedWhileOpen.into(),
        basis: ReleaseBasis::Committed.into(),
        reason: "live bytes rise with calls, without a plateau".into(),
        connections: 22,
        closed: 20,
        judged: 18,
        bytes_per_call: 18_841.6,
        bytes_per_connection: 1_048_576.0,
        released_share: Some(0.97),
        late_growth: Some(0.98),
        late_growth_low: Some(0.91),
        late_growth_high: Some(1.05),
        ..ConnectionClass::default()
    }
}

fn answer(connections: Vec<Connection>) -> ListConnectionsResponse {
    ListConnectionsResponse {
        total: u32::try_from(connections.len()).unwrap(),
        connections,
        snapshot: Some(Snapshot {
            time: at(200),
            since: at(50),
        }),
        accounting: Some(Accounting::default()),
        ..ListConnectionsResponse::default()
    }
}

fn of_classes(classes: Vec<ConnectionClass>) -> ListConnectionsResponse {
    ListConnectionsResponse {
        classes,
        ..answer(vec![])
    }
}

fn shown_at(response: &ListConnectionsResponse, width: Option<usize>, sort: Sort) -> String {
    let layout = Layout {
        sort,
        fold: &[],
        look: Look::plain(width),
    };
    connections(response, layout)
}

fn text(response: &ListConnectionsResponse) -> String {
    shown_at(response, None, Sort::Live)
}

#[test]
fn a_class_is_told_in_one_line_with_its_reason() {
    let text = text(&of_classes(vec![class()]));
    let expected = "
node (412) server :8080 HTTP/2: retained while the socket is open - 22 connections, 18.4 KiB per \
call, 97.0% released within 30 s of close (committed bytes)
    live bytes rise with calls, without a plateau
    allocated 0 B, live 0 B, after close 0 B; 0 calls, 18.4 KiB per call, 1.0 MiB per connection; \
20 closed, 18 of them 30 s ago or longer; late growth 0.98 (0.91 to 1.05) of steady growth's 1
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn each_pattern_has_the_figure_that_it_is_about() {
    let with = |pattern: Pattern| ConnectionClass {
        pattern: pattern.into(),
        ..class()
    };
    let refilled = ConnectionClass {
        basis: ReleaseBasis::Refill.into(),
        refill_ratio: Some(0.12),
        endpoint: "10.0.0.9:5432".into(),
        role: ConnectionRole::Client.into(),
        ..with(Pattern::BoundedPerConnection)
    };
    for (class, part) in [
        (
            with(Pattern::PerRequest),
            "per request, whatever the connection - 22 connections, 18.4 KiB per call",
        ),
        (
            with(Pattern::RetainedAfterClose),
            "retained after close - 22 connections, 1.0 MiB per connection",
        ),
        (
            with(Pattern::Undetermined),
            "undetermined - 22 connections, live 0 B",
        ),
        (
            refilled,
            "client to 10.0.0.9:5432 HTTP/2: bounded per connection - 22 connections, 1.0 MiB per \
             connection, later connections grew the process by 12.0% of what earlier ones did \
             (refill)",
        ),
    ] {
        let text = text(&of_classes(vec![class]));
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn classes_come_largest_first_and_quiet_ones_last() {
    let with = |endpoint: &str, live, pattern: Pattern| ConnectionClass {
        endpoint: endpoint.into(),
        committed_live_bytes: live,
        pattern: pattern.into(),
        ..class()
    };
    let mut classes = vec![
        with(":quiet", 9, Pattern::NoGrowth),
        with(":small", 1, Pattern::PerRequest),
        with(":large", 2, Pattern::Undetermined),
    ];
    let all = text(&of_classes(classes.clone()));
    let places = [":large", ":small", ":quiet"].map(|endpoint| all.find(endpoint));
    assert!(places.is_sorted() && places[0].is_some(), "{all}");
    classes.resize(15, with(":quiet", 0, Pattern::NoGrowth));
    let cut = text(&of_classes(classes));
    assert!(cut.contains("… 3 more classes"), "{cut}");
}

#[test]
fn all_columns_where_there_is_room() {
    let text = text(&answer(vec![connection()]));
    let table: Vec<_> = text.lines().skip(3).take(2).collect();
    assert_eq!(
        table,
        [
            "COOKIE     LIVE  ALLOCATED  PER CALL  CALLS  RECEIVED     SENT    AGE  STATE  ROLE    \
             PROTOCOL  PATTERN     PROCESS     PEER            LOCAL",
            "  8193  2.0 MiB    3.0 MiB   1.5 KiB  1,402   5.0 MiB  7.0 MiB  1m40s  open   server  \
             HTTP/2    while open  node (412)  10.0.0.7:51234  10.0.0.1:8080",
        ]
    );
}

#[test]
fn columns_give_way_but_not_the_one_sorted_by() {
    let mut long = connection();
    long.peer = format!("unix:/run/{}", "x".repeat(200));
    let answer = answer(vec![long]);
    for width in [80, 100, 120] {
        let text = shown_at(&answer, Some(width), Sort::Sent);
        let table = text.lines().skip(3).take(2);
        for line in table {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(
            text.contains("SENT   ") && text.contains("node (412)  unix:/"),
            "{text}"
        );
        assert!(text.contains("no room for LOCAL, PATTERN"), "{text}");
    }
    let text = shown_at(&answer, Some(120), Sort::Live);
    assert!(text.contains("ALLOCATED  PER CALL"), "{text}");
    let queues = shown_at(&answer, Some(120), Sort::Queues);
    assert!(queues.contains("QUEUES"), "{queues}");
}

#[test]
fn what_is_special_about_a_connection_shows() {
    let before = Connection {
        opened: None,
        shared: true,
        peer: String::new(),
        ..connection()
    };
    let over = Connection {
        cookie: 0,
        peer: "10.0.0.9".into(),
        connections: 312,
        state: ConnectionState::Closed.into(),
        end: ConnectionEnd::PeerClosed.into(),
        closed: at(130),
        ..connection()
    };
    let text = text(&answer(vec![before, over]));
    for part in [
        ">2m30s",
        "node (412), shared",
        "    -  2.0 MiB",
        "30s  peer closed",
        "10.0.0.9, 312 connections",
        "node (412), shared  -  ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_watched_cannot_steer_the_terminal() {
    let evil = "\x1b[2J\u{202e}\n";
    let connection = Connection {
        local: format!("unix:/{evil}"),
        peer: format!("unix:@{evil}"),
        process_name: evil.into(),
        ..connection()
    };
    let class = ConnectionClass {
        endpoint: format!("unix:/{evil}"),
        process_name: evil.into(),
        container_id: evil.into(),
        reason: evil.into(),
        ..class()
    };
    let join = ConnectionJoin {
        container_id: evil.into(),
        ..ConnectionJoin::default()
    };
    let mut response = ListConnectionsResponse {
        classes: vec![class],
        joins: vec![join],
        next_page_token: evil.into(),
        ..answer(vec![connection])
    };
    response.connections[0].points = vec![Default::default()];
    let group = ConnectionGroup {
        process_name: evil.into(),
        peer: evil.into(),
        age: evil.into(),
        ..ConnectionGroup::default()
    };
    let mut both = text(&response);
    response.groups = vec![group];
    let layout = Layout {
        sort: Sort::Live,
        fold: &[Fold::Peer, Fold::Age],
        look: Look::plain(Some(100)),
    };
    both.push_str(&connections(&response, layout));
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!both.contains(steers), "{both:?}");
    assert!(!both.contains("[2J\n"), "{both:?}");
}

#[test]
fn groups_have_a_column_for_each_thing_they_share() {
    let response = ListConnectionsResponse {
        groups: vec![ConnectionGroup {
            pid: 412,
            process_name: "node".into(),
            age: "1m-10m".into(),
            protocol: ConnectionProtocol::Tls.into(),
            connections: 22,
            open: 20,
            committed_live_bytes: MIB,
            ..ConnectionGroup::default()
        }],
        total: 5,
        ..answer(vec![])
    };
    let layout = Layout {
        sort: Sort::Live,
        fold: &[Fold::Protocol, Fold::Port, Fold::Age],
        look: Look::plain(None),
    };
    let text = connections(&response, layout);
    assert!(text.contains("PROCESS     PROTOCOL  PORT  AGE\n"), "{text}");
    assert!(
        text.contains("node (412)  TLS       -     1m-10m\n"),
        "{text}"
    );
    assert!(text.contains("1 of 5 groups\n"), "{text}");
}

#[test]
fn the_join_is_told_in_bytes_and_shares() {
    let join = |container: &str, joined| ConnectionJoin {
        container_id: container.into(),
        joined_bytes: joined,
        helper_thread_bytes: MIB,
        joined_share: 0.75,
        helper_thread_share: 0.25,
        open_connections: 3,
        socket_queue_bytes: 2048,
        ..ConnectionJoin::default()
    };
    let mut response = answer(vec![]);
    response.joins = vec![join("a.service", MIB), join("b.service", 3 * MIB)];
    let text = text(&response);
    assert!(
        text.contains(
            "3.0 MiB (75.0%)     0 B (0.0%)  1.0 MiB (25.0%)  0 B (0.0%)     3  2.0 KiB  b.service"
        ),
        "{text}"
    );
    assert!(text.find("b.service") < text.find("a.service"), "{text}");
    assert!(text.contains("no connection matches"), "{text}");
}
