//! Connections, and growth by them.

use std::io::Read as _;

use flate2::read::GzDecoder;
use profiler_proto::{
    pprof::{Profile, Sample},
    v1::ListConnectionsResponse,
};
use prost::Message as _;

use crate::common::{Fake, run};

#[test]
fn the_answer_comes_first_then_connections_then_the_join() {
    let text = Fake::tcp().run("connections").text();
    let flat = text.replace('\n', " ");
    let parts = [
        "app (4711) server :8080 HTTP/2: retained while the socket is open - 22 connections, 18.4 \
         KiB per call, 97.0% released within 30 s of close",
        "live bytes rise with calls and are given back at close",
        "COOKIE",
        "8193  2.0 MiB",
        "10.0.0.9, 312 connections",
        "3 of 4 connections; the next page: --page second",
        "9.0 MiB (90.0%)  1.0 MiB (10.0%)",
        "accounting: 48,213 events seen",
    ];
    let places: Vec<_> = parts.iter().map(|part| flat.find(part)).collect();
    assert!(places.iter().all(Option::is_some), "{places:?} in {text}");
    assert!(places.is_sorted(), "{places:?} in {text}");
}

#[test]
fn pages_points_and_groups() {
    let fake = Fake::tcp();
    let text = fake.run("connections --page second").text();
    assert!(text.contains("8195") && !text.contains("--page"), "{text}");
    let text = fake.run("connections --points").text();
    assert!(
        text.contains("#8193 server from 10.0.0.7:51234 HTTP/2\nCALLS  RECEIVED"),
        "{text}"
    );
    let text = fake.run("connections --fold role,port").text();
    assert!(text.contains("PROCESS     ROLE    PORT"), "{text}");
    assert!(text.contains("app (4711)  server  8080"), "{text}");
    assert!(text.contains("1 group\n"), "{text}");
}

#[test]
fn everything_that_narrows_reaches_the_request() {
    let fake = Fake::tcp();
    let line = "connections --pid 7 --state open --state closed --role server --kind tcp,unix \
                --protocol http1,http2,tls --peer 10.0.0.0/8 --peer unix:/run/a --port 8080 \
                --cookie 8193 --growing --sort slope --limit 7 --page second --fold peer,age";
    fake.run(line).text();
    let asked = fake.asked().pop().unwrap();
    for part in [
        "pids: [7]",
        "states: [Open, Closed]",
        "roles: [Server]",
        "kinds: [Tcp, Unix]",
        "protocols: [Http1, Http2, Tls]",
        r#"peers: ["10.0.0.0/8", "unix:/run/a"]"#,
        "ports: [8080]",
        "cookies: [8193]",
        "with_growth: true",
        "order: Slope",
        "limit: 7",
        r#"page_token: "second""#,
        "with_points: false",
        "fold: [Peer, Age]",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let refused = fake.run("connections --page third");
    assert!(refused.error().contains("no such page"), "{}", refused.err);
}

#[test]
fn connections_as_json_are_the_response() {
    let text = Fake::tcp().run("connections --format json").text();
    let response: ListConnectionsResponse = serde_json::from_str(&text).unwrap();
    assert_eq!(response.connections.len(), 3);
    let part = r#""pattern": "PATTERN_RETAINED_WHILE_OPEN""#;
    assert!(text.contains(part), "{text}");
    assert!(text.contains(r#""cookie": "8193""#), "{text}");
}

#[test]
fn growth_by_connection_names_what_is_none() {
    let fake = Fake::tcp();
    let text = fake.run("top --by connection").text();
    assert!(text.contains("by connection, largest live first"), "{text}");
    for row in [
        "8193  app (4711)  server from 10.0.0.7:51234 HTTP/2",
        "   -  app (4711)  (peer 10.0.0.9, 312 connections)",
        "   -  app (4711)  (helper threads)",
    ] {
        assert!(text.contains(row), "{row} in {text}");
    }
    assert!(fake.asked().pop().unwrap().contains("by: Connection"));
    let text = fake.run("watch --count 1 --by connection").text();
    assert!(
        text.contains("#8193 server from 10.0.0.7:51234 HTTP/2  app (4711)"),
        "{text}"
    );
    fake.run("diff --from 5m --by connection").text();
    assert!(fake.asked().pop().unwrap().contains("by: Connection"));
    let ran = fake.run("top --by connection --format folded");
    assert!(ran.error().contains("needs stacks"), "{}", ran.err);
}

#[test]
fn the_stacks_of_one_connection() {
    let fake = Fake::tcp();
    let text = fake.run("top --connection 8193").text();
    assert!(
        text.contains("who demanded memory on behalf of connection 8193, by stack"),
        "{text}"
    );
    for line in [
        "top --connection 8193",
        "diff --from 5m --connection 8193",
        "flame --connection 8193",
        "export --format folded --connection 8193",
        "watch --count 1 --connection 8193",
    ] {
        let ran = fake.run(line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        let asked = fake.asked().pop().unwrap();
        assert!(asked.contains("connection: 8193"), "{line}: {asked}");
    }
    let ran = fake.run("top --connection 5");
    assert!(ran.error().contains("no connection 5"), "{}", ran.err);
}

#[test]
fn a_flame_graph_has_connections_at_its_roots() {
    let fake = Fake::tcp();
    let text = fake.run("flame --folded --by connection").text();
    assert_eq!(
        text,
        "#8193 server from 10.0.0.7:51234 HTTP/2;app;main;cache_put;hash_insert;libc.so.6+0x1020 \
         2097152\n\
         [no connection, or a smaller one];app;main;cache_put;hash_insert;libc.so.6+0x1020 \
         4194304\n\
         [no connection, or a smaller one];app;main;session_new;hash_insert;libc.so.6+0x1020 \
         4194304\n"
    );
    let asked = fake.asked();
    assert!(asked[0].contains("with_growth: true") && asked[0].contains("limit: 64"));
    // One request for each connection that has a cookie, then one for everything.
    assert_eq!(asked.len(), 4, "{asked:?}");
    let picture = fake.run("flame --by connection").text();
    assert!(picture.contains("1 of 4 connections apart"), "{picture}");
}

#[test]
fn pprof_names_connections_only_on_request() {
    let fake = Fake::tcp();
    let plain = fake.run("export");
    let named = profile(&plain.out).string_table;
    assert!(!named.contains(&"connection".into()));
    let labelled = fake.run("export --connection-labels");
    assert_eq!(labelled.code, 0, "{}", labelled.err);
    let profile = profile(&labelled.out);
    let samples: Vec<_> = profile
        .sample
        .iter()
        .map(|sample| (sample.value[0] >> 20, connection(&profile, sample)))
        .collect();
    let one = ["8193", "10.0.0.7:51234", "server"].map(str::to_owned);
    assert_eq!(samples, [(2, one.to_vec()), (4, vec![]), (4, vec![])]);
}

fn profile(packed: &[u8]) -> Profile {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    Profile::decode(bytes.as_slice()).unwrap()
}

/// The labels of a sample that are about its connection.
fn connection(profile: &Profile, sample: &Sample) -> Vec<String> {
    let text = |index: i64| profile.string_table[usize::try_from(index).unwrap()].clone();
    let about = |key: &str| ["connection", "peer", "role"].contains(&key);
    let labels = sample.label.iter().filter(|label| about(&text(label.key)));
    labels.map(|label| text(label.str)).collect()
}

#[test]
fn what_excludes_each_other_is_refused() {
    for (line, part) in [
        ("connections --state half", "possible values: open, closed"),
        ("connections --points --fold peer", "cannot be used with"),
        ("connections --port 0", "1..=65535"),
        ("connections --cookie 0", "1.."),
        ("top --connection 0", "1.."),
        ("flame --by process", "possible values: stack, connection"),
        ("flame --by connection --connection 7", "exclude each other"),
        (
            "export --connection-labels --format json",
            "needs --format pprof",
        ),
        (
            "export --connection-labels --connection 7",
            "cannot be used with",
        ),
    ] {
        let words: Vec<_> = line.split_whitespace().collect();
        let ran = run(&words);
        assert!(ran.error().contains(part), "{line}: {}", ran.err);
    }
    assert!(run(&["export", "--help"]).text().contains("cardinality"));
}
