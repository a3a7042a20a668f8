//! Each verb of the client, as a process, against a server with canned answers.

mod access;
mod common;
mod connections;
mod fleet;
mod verdicts;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    time::{Duration, Instant},
};

use common::{Fake, OLDEST, client, free_port, not_grpc, run};
use flate2::read::GzDecoder;
use profiler_proto::{pprof::Profile, v1::TopResponse};
use prost::Message as _;

#[test]
fn status_targets_and_ranges() {
    let fake = Fake::tcp();
    let status = fake.run("status").text();
    assert!(
        status.contains("node       node-1, kernel 6.18.0"),
        "{status}"
    );
    assert!(
        status.contains("lost: 12 ring_full (ledgers are rebuilt)"),
        "{status}"
    );
    let targets = fake.run("targets --process app --exited --limit 3").text();
    assert!(targets.contains("4711   12.0 MiB"), "{targets}");
    let asked = fake.asked().pop().unwrap();
    assert!(asked.contains(r#"processes: ["app"]"#), "{asked}");
    assert!(asked.contains("include_exited: true, limit: 3"), "{asked}");
    let ranges = fake.run("ranges --pid 4711").text();
    assert!(ranges.contains("000000001000-000000003000"), "{ranges}");
}

#[test]
fn top_shows_stacks_leaf_first() {
    let text = Fake::tcp().run("top").text();
    let expected = "\
#1  live 6.0 MiB  allocated 7.0 MiB  freed 1.0 MiB  7 events  age 1m05s to 1s
    app (pid 4711)  container abababababab
      libc.so.6+0x1020  (build id 0123456789ab)
      [inlined] hash_insert  src/cache.c:40
      cache_put  src/cache.c:50
      main  src/cache.c:9
";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("at 2026-01-01 00:10:00, growth since 2026-01-01 00:00:00; 2 rows"));
    assert!(text.contains("no stack owns 2.0 MiB (16.7%)"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn flags_reach_the_request() {
    let fake = Fake::tcp();
    let line = "top --by process --order freed --limit 5 --pid 7 --pid 8 --container host \
                --cgroup /a* --pod u --since 1767225600 --at 1767225660 --unattributed";
    assert!(fake.run(line).text().contains("by process"));
    let asked = fake.asked().pop().unwrap();
    for part in [
        "pids: [7, 8]",
        r#"containers: ["host"]"#,
        r#"cgroups: ["/a*"]"#,
        r#"pods: ["u"]"#,
        "by: Process",
        "order: Freed",
        "limit: 5",
        "seconds: 1767225600",
        "seconds: 1767225660",
        "include_unattributed: true",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[test]
fn frames_are_cut_when_asked() {
    let text = Fake::tcp().run("top --frames 1 --limit 1").text();
    assert!(text.contains("… 3 more frames"), "{text}");
    assert!(!text.contains("cache_put"), "{text}");
}

#[test]
fn json_is_the_response_and_nothing_else() {
    let fake = Fake::tcp();
    let text = fake.run("top --format json").text();
    let response: TopResponse = serde_json::from_str(&text).unwrap();
    assert_eq!(response.rows.len(), 2);
    assert!(
        text.contains(r#""committedLiveBytes": "6291456""#),
        "{text}"
    );
    assert!(text.contains(r#""time": "2026-01-01T00:10:00Z""#), "{text}");
    for verb in [
        "status",
        "targets",
        "diff --from 5m",
        "ranges --pid 1",
        "export",
        "nodes",
        "series",
    ] {
        let text = fake.run(&format!("{verb} --format json")).text();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(value.is_object(), "{verb}: {text}");
    }
}

#[test]
fn diff_shows_growth() {
    let fake = Fake::tcp();
    let text = fake.run("diff --from -10m --to 1m").text();
    assert!(text.contains("#1  growth +2.0 MiB  live 6.0 MiB"), "{text}");
    let text = fake.run("diff --from 10m --by container").text();
    assert!(text.contains("+2.0 MiB"), "{text}");
}

const FOLDED: &str = "app;main;cache_put;hash_insert;libc.so.6+0x1020 6291456\n\
                      app;main;session_new;hash_insert;libc.so.6+0x1020 4194304\n";

#[test]
fn folded_stacks_from_each_verb_that_has_them() {
    let fake = Fake::tcp();
    for line in [
        "top --format folded",
        "flame --folded",
        "export --format folded",
    ] {
        assert_eq!(fake.run(line).text(), FOLDED, "{line}");
    }
    let asked = fake.asked().pop().unwrap();
    assert!(asked.contains("limit: 10000"), "{asked}");
}

#[test]
fn flame_draws_one_moment_and_a_difference() {
    let fake = Fake::tcp();
    let picture = fake.run("flame").text();
    assert!(picture.contains("</svg>") && picture.contains("cache_put (6,291,456 bytes"));
    assert!(picture.contains("no stack owns 16.7%, left out"));
    let difference = fake.run("flame --from 10m").text();
    assert!(
        difference.contains("libc.so.6+0x1020 (6,291,456 bytes, 60.00%; +50.00%)"),
        "{difference}"
    );
    let folded = fake.run("flame --from 10m --folded").text();
    assert!(folded.starts_with("app;main;cache_put;hash_insert;libc.so.6+0x1020 1048576 6291456"));
}

#[test]
fn files_are_written_and_told() {
    let fake = Fake::tcp();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mem.svg");
    let ran = fake.run(&format!("flame --value allocated -o {}", file.display()));
    assert_eq!(ran.text(), "");
    assert!(
        ran.err
            .contains("2 stacks, 12.0 MiB committed by stack (allocated)"),
        "{}",
        ran.err
    );
    assert!(std::fs::read_to_string(&file).unwrap().contains("</svg>"));
    let ran = fake.run("flame -o /nowhere/mem.svg");
    assert!(
        ran.error().contains("cannot write /nowhere/mem.svg"),
        "{}",
        ran.err
    );
}

#[test]
fn export_writes_pprof() {
    let ran = Fake::tcp().run("export");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut bytes = Vec::new();
    GzDecoder::new(ran.out.as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    let profile = Profile::decode(bytes.as_slice()).unwrap();
    assert_eq!(profile.sample.len(), 2);
    assert_eq!(profile.sample[0].value, [6 << 20, 7 << 20, 7]);
    // hash_insert is inlined into cache_put.
    assert_eq!(profile.sample[0].location_id.len(), 3);
}

#[test]
fn nothing_found_is_fine_but_cannot_be_drawn() {
    let fake = Fake::tcp();
    assert!(
        fake.run("top --process none")
            .text()
            .contains("no growth matches")
    );
    assert!(
        fake.run("flame --process none")
            .error()
            .contains("nothing to draw")
    );
    assert_eq!(fake.run("flame --folded --process none").text(), "");
}

#[test]
fn refused_requests_say_why() {
    let fake = Fake::tcp();
    let long_ago = format!("top --at {}", OLDEST - 1);
    for (line, part) in [
        ("top --pid 404", "not found: no process 404"),
        (long_ago.as_str(), "time out of range: kept since 2026"),
        ("top --container ab", "at least 4 characters"),
        ("flame --pid 404", "not found"),
        ("export --pid 404", "not found"),
    ] {
        let ran = fake.run(line);
        assert!(ran.error().contains(part), "{line}: {}", ran.err);
    }
}

#[test]
fn wrong_usage_is_an_error_like_any_other() {
    for (line, part) in [
        ("", "Usage: profiler"),
        ("heat", "unrecognized subcommand"),
        ("top --since soon", "RFC 3339"),
        ("top --by function --format folded", "needs stacks"),
        ("flame --to 5m", "--from"),
        ("--endpoint nonsense status", "unix:/PATH"),
    ] {
        let words: Vec<_> = line.split_whitespace().collect();
        let ran = run(&words);
        assert!(ran.error().contains(part), "{line}: {}", ran.err);
    }
    assert!(run(&["--help"]).text().contains("demand, not"));
    for verb in [
        "status",
        "targets",
        "top",
        "diff",
        "flame",
        "connections",
        "watch",
        "export",
        "ranges",
        "nodes",
        "series",
    ] {
        assert!(run(&[verb, "--help"]).text().contains("Examples"), "{verb}");
    }
}

#[test]
fn completions_need_no_endpoint() {
    assert!(run(&["completions", "bash"]).text().contains("_profiler()"));
}

#[test]
fn an_endpoint_that_is_down_says_what_was_tried() {
    let port = free_port();
    let ran = run(&["--endpoint", &format!("127.0.0.1:{port}"), "status"]);
    let error = ran.error();
    assert!(
        error.contains(&format!("http://127.0.0.1:{port} (")),
        "{error}"
    );
    assert!(
        error.contains("refused") && error.contains("cargo xtask run"),
        "{error}"
    );
    let ran = run(&["--endpoint", "unix:/nowhere/agent.sock", "top"]);
    assert!(
        ran.error()
            .contains("unix:/nowhere/agent.sock (No such file"),
        "{}",
        ran.err
    );
}

#[test]
fn an_endpoint_that_is_something_else_is_told() {
    let endpoint = not_grpc();
    let ran = run(&["--endpoint", &endpoint, "status"]);
    assert!(ran.error().contains(&endpoint), "{}", ran.err);
    assert!(
        ran.error().contains("gRPC") || ran.error().contains("went away"),
        "{}",
        ran.err
    );
}

#[test]
fn unix_sockets_and_the_environment_name_the_endpoint() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::unix(&directory.path().join("agent.sock"));
    let ran = client(&["targets"])
        .env("PROFILER_ENDPOINT", &fake.endpoint)
        .output()
        .unwrap();
    assert!(String::from_utf8(ran.stdout).unwrap().contains("4711"));
    assert_eq!(fake.asked().len(), 1);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let fake = Fake::tcp();
    let mut child = client(&["--endpoint", &fake.endpoint, "watch", "--interval", "1s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    // The pipe is closed after one line.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.contains("2 processes in 1 container"), "{first}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn watch_prints_blocks_and_ends() {
    let fake = Fake::tcp();
    let text = fake.run("watch --interval 1s --count 2").text();
    assert_eq!(
        text.matches("2 processes in 1 container").count(),
        2,
        "{text}"
    );
    assert!(
        text.contains("live    6.0 MiB") && text.contains("app (pid 4711)"),
        "{text}"
    );
    let begun = Instant::now();
    let text = fake
        .run("watch --interval 30s --duration 1s --by stack")
        .text();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(
        text.contains("app (pid 4711)  libc.so.6+0x1020 < hash_insert < cache_put"),
        "{text}"
    );
}

#[test]
fn watch_waits_for_an_endpoint_and_survives_its_death() {
    let port = free_port();
    let endpoint = format!("127.0.0.1:{port}");
    let ran = run(&[
        "--endpoint",
        &endpoint,
        "watch",
        "--count",
        "2",
        "--interval",
        "1s",
    ]);
    assert!(ran.error().contains("trying again every 1s"), "{}", ran.err);

    let fake = Fake::on_port(port);
    let mut child = client(&[
        "--endpoint",
        &endpoint,
        "watch",
        "--interval",
        "1s",
        "--count",
        "6",
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next_block = || lines.find(|line| line.as_ref().unwrap().contains("processes in"));
    assert!(next_block().is_some());
    drop(fake);
    std::thread::sleep(Duration::from_millis(1500));
    let _again = Fake::on_port(port);
    assert!(
        next_block().is_some(),
        "no block after the endpoint came back"
    );
    drop(lines);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("trying again"), "{said}");
}
