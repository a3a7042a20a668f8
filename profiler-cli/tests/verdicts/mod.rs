//! Verdicts, soaks and canaries.

use crate::common::{Fake, client, free_port};

#[test]
fn verdicts_are_a_table_and_one_alone_is_told_in_full() {
    let fake = Fake::tcp();
    let text = fake.run("verdict --no-truncate").text();
    assert!(
        text.contains("leaking  abababababab") && text.contains("steady   app (pid 4711)"),
        "{text}"
    );
    assert!(text.contains("2m00s (1m40s or more)"), "{text}");
    assert!(fake.asked()[0].contains("containers_only: true"));
    let text = fake.run("verdict --container abab").text();
    assert!(fake.asked()[1].contains("containers_only: false"));
    for part in [
        "leaking  abababababab  on node-1",
        "64.0 MiB limit ╌╌",
        "7.50 sigma",
        "speaks for a leak",
        "[tier C] cache_put demanded 40.0 MiB",
        "- a cache that has not filled yet",
        "no stack stands for 12.5%",
        "OOM-killed after 10m00s",
        "probes are told: unhealthy: 75% of the limit, and it grows",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn only_a_check_has_a_code_of_its_own() {
    let fake = Fake::tcp();
    for (line, code) in [
        ("verdict", 0),
        ("verdict --check", 1),
        ("verdict --check --process steady", 0),
        ("verdict --check --process unsure", 2),
        ("verdict --check --process none", 2),
        ("verdict --check --process silent", 2),
        ("verdict --check --process many", 2),
        ("verdict --check --watch", 3),
    ] {
        assert_eq!(fake.run(line).code, code, "{line}");
    }
    let ran = Fake::old().run("verdict");
    assert!(ran.error().contains("older than the client"), "{}", ran.err);
}

#[test]
fn a_check_asks_for_all_and_shows_what_was_asked_for() {
    let fake = Fake::tcp();
    let ran = fake.run("verdict --check --limit 1");
    assert!(fake.asked()[0].contains("limit: 1000"));
    let text = String::from_utf8(ran.out).unwrap();
    assert!(text.contains("1 of 2 verdicts"), "{text}");
}

#[test]
fn a_reader_that_goes_does_not_open_a_gate() {
    let fake = Fake::tcp();
    for (line, code) in [
        ("verdict --check", 1),
        ("canary --baseline process=old --canary process=worse", 1),
        ("soak --target process:leak --duration 1s", 2),
        ("verdict", 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut words = vec!["--endpoint", &*fake.endpoint];
        words.extend(line.split_whitespace());
        let status = client(&words)
            .stdout(writer)
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{line}");
    }
}

#[test]
fn kills_are_told_with_what_grew_before() {
    let text = Fake::tcp().run("verdict --oom").text();
    for part in [
        "1 kill; 3 before them are no longer known",
        "app (pid 4711)  abababababab",
        "its cgroup's limit was reached; the victim held 60.0 MiB (noticed by mark_victim)",
        "before: leaking",
        "who demanded memory in the 5m00s before",
        "cache_put",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn json_of_verdicts_is_the_mapping() {
    let fake = Fake::tcp();
    for (verb, part) in [
        ("verdict", r#""state": "VERDICT_STATE_LEAKING""#),
        ("verdict --oom", r#""processName": "app""#),
    ] {
        let text = fake.run(&format!("{verb} --format json")).text();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn changes_are_lines_and_the_end_of_the_stream_is_told() {
    use std::io::{BufRead as _, BufReader};
    let fake = Fake::tcp();
    let words = ["--endpoint", &fake.endpoint, "verdict", "--watch"];
    let mut child = client(&words)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("growing -> leaking  abababababab"), "{line}");
}

#[test]
fn a_kill_fails_a_soak_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (page, json) = (folder.path().join("s.html"), folder.path().join("s.json"));
    let line = format!(
        "soak --target process:killed --duration 60s --report {} --report-json {}",
        page.display(),
        json.display()
    );
    let ran = Fake::tcp().run(&line);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["passed"], false);
    assert_eq!(report["ended_by"], "certain");
    assert!(
        report["reason"]
            .as_str()
            .unwrap()
            .contains("for want of memory")
    );
    for key in [
        "state",
        "readings",
        "slope_bytes_per_hour",
        "slope_lower_bytes_per_hour",
        "slope_upper_bytes_per_hour",
        "floor_bytes",
        "gates",
        "points",
    ] {
        assert!(report.get(key).is_some(), "{key} in {report}");
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("Soak: "), "{page}");
}

#[test]
fn a_target_that_goes_away_leaves_a_soak_undecided() {
    let ran = Fake::tcp().run("soak --target process:gone --duration 4s");
    assert_eq!(ran.code, 2, "{}", ran.err);
    let text = String::from_utf8(ran.out).unwrap();
    assert!(text.contains("is no longer there"), "{text}");
}

#[test]
fn no_report_of_a_run_before_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (page, json) = (folder.path().join("s.html"), folder.path().join("s.json"));
    for file in [&page, &json] {
        std::fs::write(file, "passed").unwrap();
    }
    let line = format!(
        "soak --target process:none --duration 1m --report {} --report-json {}",
        page.display(),
        json.display()
    );
    assert!(Fake::tcp().run(&line).error().contains("no target matches"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_report_can_go_to_the_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::tcp();
    let words = [
        "--endpoint",
        &*fake.endpoint,
        "soak",
        "--target",
        "process:leak",
    ];
    let ran = client(&words)
        .args(["--duration", "1s", "--report", "-"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8(ran.stdout).unwrap().contains("<svg"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_soak_that_is_terminated_leaves_its_report() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("s.json");
    for signal in ["TERM", "HUP", "INT"] {
        let fake = Fake::tcp();
        let words = [
            "--endpoint",
            &*fake.endpoint,
            "soak",
            "--target",
            "process:flat",
        ];
        let mut child = client(&words)
            .args(["--duration", "60s", "--report-json"])
            .arg(&json)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The first line of progress says that it goes on.
        let mut line = String::new();
        let mut progress = BufReader::new(child.stderr.take().unwrap());
        progress.read_line(&mut line).unwrap();
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(2), "{signal}: {line}");
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        assert_eq!(report["ended_by"], "interrupt");
        std::fs::remove_file(&json).unwrap();
    }
}

#[test]
fn names_cannot_write_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("s.html");
    let line = format!(
        "soak --target process:<b>leak</b> --duration 3s --report {}",
        page.display()
    );
    let ran = Fake::tcp().run(&line);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("&lt;b&gt;leak"), "{page}");
    assert!(!page.contains("<b>"), "{page}");
}

#[test]
fn a_soak_of_nothing_does_not_begin() {
    let fake = Fake::tcp();
    for (line, part) in [
        ("soak --duration 1m", "nothing is chosen"),
        (
            "soak --target process:none --duration 1m",
            "no target matches",
        ),
        ("soak --target pid:0 --duration 1m", "no process id"),
        ("soak --target pid:1 --duration 1m --max-growth 5", "5MiB/h"),
        (
            "soak --target pid:1 --duration 1m --interval 1s",
            "at most 500ms",
        ),
        (
            "soak --target pid:1 --duration 1m --report /none/x",
            "/none/x",
        ),
    ] {
        let ran = fake.run(line);
        assert!(ran.error().contains(part), "{line}: {}", ran.err);
    }
    let port = free_port();
    let endpoint = format!("127.0.0.1:{port}");
    let ran = crate::common::run(&[
        "--endpoint",
        &endpoint,
        "soak",
        "--target",
        "pid:1",
        "--duration",
        "1m",
    ]);
    assert!(ran.error().contains("no answer"), "{}", ran.err);
}

#[test]
fn a_canary_is_not_compared_with_itself() {
    let ran = Fake::tcp().run("canary --baseline process=old --canary process=old");
    assert!(
        ran.error().contains("as the baseline and as the canary"),
        "{}",
        ran.err
    );
}

#[test]
fn a_canary_passes_fails_or_is_too_young() {
    let fake = Fake::tcp();
    for (line, code, part) in [
        (
            "canary --baseline process=old --canary process=new",
            0,
            "does not grow faster",
        ),
        (
            "canary --baseline process=old --canary process=worse",
            1,
            "grows faster",
        ),
        (
            "canary --baseline process=old --canary process=worse --min-age 55m",
            2,
            "12 are needed",
        ),
    ] {
        let ran = fake.run(line);
        let text = String::from_utf8(ran.out).unwrap();
        assert_eq!(ran.code, code, "{line}: {text} {}", ran.err);
        assert!(text.contains(part), "{line}: {text}");
    }
    let ran = fake.run("canary --baseline process=old --canary process=worse --format json");
    let report: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(report["outcome"], "fail");
    let slope = report["figures"]["slope_difference"]["value"]
        .as_f64()
        .unwrap();
    assert!((slope / f64::from(60 << 20) - 1.0).abs() < 1e-6, "{report}");
}
