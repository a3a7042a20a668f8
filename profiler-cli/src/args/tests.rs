use clap::CommandFactory as _;
use profiler_proto::v1::{ConnectionFold, ConnectionOrder, ListConnectionsRequest};

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_selected_is_everything() {
    let cli = Cli::try_parse_from(["profiler", "targets"]).unwrap();
    let Command::Targets(args) = cli.command else {
        panic!("not targets")
    };
    assert_eq!(args.select.to_wire(), None);
}

#[test]
fn selection_repeats_and_times_may_carry_a_sign() {
    let line = "profiler diff --pid 7 --pid 8 --process node* --from -10m --to 5m";
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let Command::Diff(args) = cli.command else {
        panic!("not diff")
    };
    let selector = args.select.to_wire().unwrap();
    assert_eq!(selector.pids, [7, 8]);
    assert_eq!(selector.processes, ["node*"]);
    let apart = args.to.unwrap().0 - args.from.unwrap().0;
    assert_eq!(apart.num_minutes(), 5);
}

#[test]
fn wrong_values_say_what_is_allowed() {
    for (line, part) in [
        ("profiler top --since soon", "RFC 3339"),
        ("profiler top --limit 10001", "10000"),
        ("profiler top --by heap", "possible values: stack"),
        ("profiler --endpoint nowhere status", "unix:/PATH"),
        ("profiler flame --to 5m", "--from"),
        ("profiler diff", "--from"),
    ] {
        let error = Cli::try_parse_from(line.split(' '))
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn one_connection_or_all() {
    for (line, cookie) in [
        ("profiler top", 0),
        ("profiler top --connection 8193", 8193),
        ("profiler top --connection 18446744073709551615", u64::MAX),
    ] {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Top(args) = cli.command else {
            panic!("not top")
        };
        assert_eq!(args.behalf.to_wire(), cookie, "{line}");
    }
}

#[test]
fn connections_are_asked_for_as_typed_and_unnarrowed_by_default() {
    let asked = |line: &str| {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Connections(args) = cli.command else {
            panic!("not connections")
        };
        args.to_wire()
    };
    let plain = ListConnectionsRequest {
        order: ConnectionOrder::Live.into(),
        limit: 20,
        ..ListConnectionsRequest::default()
    };
    assert_eq!(asked("profiler connections"), plain);
    let narrowed = ListConnectionsRequest {
        peers: vec!["10.0.0.0/8".into(), "::1".into()],
        ports: vec![80, 443],
        fold: vec![ConnectionFold::Role.into(), ConnectionFold::Age.into()],
        ..plain
    };
    let line = "profiler connections --peer 10.0.0.0/8 --peer ::1 --port 80 --port 443 \
                --fold role,age";
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(asked(&line), narrowed);
}
