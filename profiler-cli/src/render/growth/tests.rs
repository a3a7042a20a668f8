use profiler_proto::v1::{Accounting, Behalf, Connection, ConnectionRole, Frame};

use super::*;

const MIB: u64 = 1 << 20;

fn row() -> GrowthRow {
    GrowthRow {
        committed_live_bytes: 12 * MIB,
        committed_allocated_bytes: 20 * MIB,
        committed_freed_bytes: 8 * MIB,
        events: 34,
        oldest_live_age_seconds: 130.0,
        newest_live_age_seconds: 3.0,
        pid: 4711,
        process_name: "node".into(),
        container_id: "ab".repeat(32),
        cgroup: "/system.slice/docker".into(),
        frames: vec![Frame {
            function: "grow".into(),
            file: "src/cache.c".into(),
            line: 12,
            ..Frame::default()
        }],
        self_live_bytes: MIB,
        live_delta_bytes: -(4 << 20),
        ..GrowthRow::default()
    }
}

fn layout(by: By) -> Layout {
    Layout {
        by,
        order: Order::Live,
        connection: None,
        compared: false,
        frames: 12,
        look: Look::plain(Some(100)),
    }
}

fn response() -> TopResponse {
    TopResponse {
        rows: vec![row()],
        total_rows: 153,
        accounting: Some(Accounting::default()),
        ..TopResponse::default()
    }
}

#[test]
fn a_block_a_stack() {
    let text = top(&response(), layout(By::Stack));
    let expected = "\
who demanded memory, by stack, largest live first (tier C: demand, not retention; sampled estimates)
at unknown, growth since unknown; 1 of 153 rows

#1  live 12.0 MiB  allocated 20.0 MiB  freed 8.0 MiB  34 events  age 2m10s to 3s
    node (pid 4711)  container abababababab
      grow  src/cache.c:12

accounting: 0 events seen, 0 stacks captured; nothing lost
";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn tables_by_everything_else() {
    let text = top(&response(), layout(By::Process));
    assert!(text.contains("not retention; exact)"), "{text}");
    let table: Vec<_> = text.lines().skip(3).take(2).collect();
    assert_eq!(
        table,
        [
            "    LIVE  ALLOCATED    FREED  EVENTS   PID  PROCESS  CONTAINER",
            "12.0 MiB   20.0 MiB  8.0 MiB      34  4711  node     abababababab",
        ]
    );
    let text = top(&response(), layout(By::Container));
    assert!(
        text.contains("abababababab  /system.slice/docker"),
        "{text}"
    );
    let text = top(&response(), layout(By::Function));
    assert!(text.contains("grow      cache.c:12"), "{text}");
    assert!(text.contains("12.0 MiB  1.0 MiB"), "{text}");
}

#[test]
fn a_diff_is_signed() {
    let response = DiffResponse {
        rows: vec![row()],
        total_rows: 1,
        ..DiffResponse::default()
    };
    let text = diff(&response, layout(By::Stack));
    assert!(
        text.contains("#1  growth -4.0 MiB  live 12.0 MiB"),
        "{text}"
    );
    assert!(text.contains("largest growth of live first"), "{text}");
    assert!(text.contains("the endpoint sent none"), "{text}");
    let text = diff(&response, layout(By::Container));
    assert!(text.contains("-4.0 MiB  12.0 MiB"), "{text}");
}

#[test]
fn no_rows_are_told() {
    let text = top(&TopResponse::default(), layout(By::Stack));
    assert!(text.contains("no growth matches"), "{text}");
}

#[test]
fn colour_only_when_asked() {
    let mut coloured = layout(By::Stack);
    coloured.look.colour = true;
    assert!(top(&response(), coloured).contains("\x1b[1m#1\x1b[0m"));
    assert!(!top(&response(), layout(By::Stack)).contains('\x1b'));
}

#[test]
fn rows_by_connection_name_it_or_what_stands_for_none() {
    let connection = Connection {
        cookie: 8193,
        peer: "unix:/run/\x1b[2J".into(),
        role: ConnectionRole::Client.into(),
        ..Connection::default()
    };
    let mut response = response();
    response.rows = vec![
        GrowthRow {
            behalf: Behalf::Connection.into(),
            connection: Some(connection),
            ..row()
        },
        GrowthRow {
            behalf: Behalf::NoConnection.into(),
            pid: 0,
            process_name: String::new(),
            ..row()
        },
    ];
    let text = top(&response, layout(By::Connection));
    assert!(text.contains("not retention; exact)"), "{text}");
    let table: Vec<_> = text.lines().skip(3).take(3).collect();
    assert_eq!(
        table,
        [
            "    LIVE  ALLOCATED    FREED  EVENTS  COOKIE  PROCESS      CONNECTION",
            "12.0 MiB   20.0 MiB  8.0 MiB      34    8193  node (4711)  client to \
             unix:/run/\u{fffd}[2J",
            "12.0 MiB   20.0 MiB  8.0 MiB      34       -               (no connection)",
        ]
    );
    assert_eq!(label(&response.rows[1], By::Connection), "(no connection)");
}

#[test]
fn growth_of_one_connection_says_so() {
    let one = Layout {
        connection: Some(8193),
        ..layout(By::Stack)
    };
    let title = "who demanded memory on behalf of connection 8193, by stack, ";
    assert!(top(&response(), one).starts_with(title));
}
