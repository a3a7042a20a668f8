//! Collectors, the spool, and what is said of the node.

use super::*;

#[test]
fn without_collectors_nothing_is_streamed() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.collectors, Collectors::default());
    assert!(config.collectors.endpoints.is_empty());
}

#[test]
fn collectors_come_from_the_file_or_from_flags() {
    let file = "collectors = [\"https://a.example:7751\", \"https://b.example:7751/\"]\n\
                spool = \"/tmp/spool\"\nspool_bytes = \"1GiB\"\nspool_age = \"1h\"\n";
    let urls = |flags: &[&str]| {
        let endpoints = load(file, flags).unwrap().collectors.endpoints;
        let urls = endpoints.into_iter().map(|endpoint| endpoint.url);
        urls.collect::<Vec<_>>()
    };
    assert_eq!(
        urls(&[]),
        ["https://a.example:7751", "https://b.example:7751"]
    );
    let flags = [
        "--collector",
        "http://[::1]:1",
        "--collector",
        "http://localhost:2",
    ];
    assert_eq!(urls(&flags), ["http://[::1]:1", "http://localhost:2"]);
    let spool = load(file, &[]).unwrap().collectors;
    assert_eq!(spool.spool, Path::new("/tmp/spool"));
    assert_eq!(
        (spool.spool_bytes, spool.spool_age),
        (GIB, Duration::from_secs(3600))
    );
}

#[test]
fn an_address_that_is_no_collectors_is_refused() {
    for url in [
        "collector.example:7751",
        "ftp://a:1",
        "https://a.example",
        "https://a:1/path",
        "https://a:1?q",
        "https://user:secret@a:1",
        "",
    ] {
        let refused = refusal(&format!("collectors = [{url:?}]"), &[]);
        let place = format!("/etc/profiler/agent.toml:1: collectors: {url:?}: ");
        assert!(refused.starts_with(&place), "{refused}");
        let allowed = "; allowed: https://HOST:PORT or http://HOST:PORT";
        assert!(refused.ends_with(allowed), "{refused}");
    }
    let many: Vec<_> = (0..17)
        .map(|n| format!("\"http://127.0.0.1:{n}\""))
        .collect();
    assert_eq!(
        refusal(&format!("collectors = [{}]", many.join(",")), &[]),
        "/etc/profiler/agent.toml:1: collectors: 17 collectors are too many: 16 are allowed"
    );
}

#[test]
fn other_hosts_without_tls_need_the_flag() {
    let remote = ["--collector", "http://10.0.0.1:7751"];
    let refused = refusal("", &remote);
    assert!(
        refused.starts_with(
            "--collector or PROFILER_COLLECTOR: collector: \"http://10.0.0.1:7751\" is another \
             host and would be reached without TLS"
        ),
        "{refused}"
    );
    assert!(load("insecure_collector = true", &remote).is_ok());
    assert!(load("", &[remote[0], remote[1], "--insecure-collector"]).is_ok());
    assert!(load("", &["--collector", "http://127.1.2.3:7751"]).is_ok());
}

#[test]
fn files_for_tls_and_tokens_have_to_be_there_and_to_be_of_use() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cert, key, empty) = (write("cert", "c"), write("key", "k"), write("empty", ""));
    let https = "collectors = [\"https://a:1\"]";
    let flags = ["--collector-cert", &cert, "--collector-key", &key];
    let identity = load(https, &flags).unwrap().collectors.identity;
    assert_eq!(identity, Some((PathBuf::from(&cert), PathBuf::from(&key))));
    let place = "--collector-cert or PROFILER_COLLECTOR_CERT: collector_cert:";
    assert_eq!(
        refusal(https, &flags[..2]),
        format!("{place} collector_key is needed with it")
    );
    assert_eq!(
        refusal("collectors = [\"http://127.0.0.1:1\"]", &flags),
        format!("{place} it is of no use without TLS: no collector's address begins with https://")
    );
    let token = |path: &str| refusal(https, &["--collector-token-file", path]);
    let place = "--collector-token-file or PROFILER_COLLECTOR_TOKEN_FILE: collector_token_file:";
    assert_eq!(token(&empty), format!("{place} {empty} is empty"));
    assert_eq!(
        token("/nonexistent/token"),
        format!("{place} cannot read /nonexistent/token: No such file or directory (os error 2)")
    );
    assert_eq!(
        token("/dev/zero"),
        format!("{place} /dev/zero is longer than 1048576 bytes")
    );
}

#[test]
fn spools_keep_to_their_ranges() {
    assert_eq!(
        refusal("spool = \"spool\"", &[]),
        "/etc/profiler/agent.toml:1: spool: \"spool\" cannot be the spool: an absolute path is \
         needed"
    );
    assert_eq!(
        refusal("spool_bytes = \"1MiB\"", &[]),
        "/etc/profiler/agent.toml:1: spool_bytes: 1MiB is out of range: 16MiB to 1024GiB are allowed"
    );
    assert_eq!(
        refusal("spool_age = \"1s\"", &[]),
        "/etc/profiler/agent.toml:1: spool_age: 1s is out of range: 1min to 720h are allowed"
    );
}

#[test]
fn a_node_has_a_name_and_labels() {
    let file = "node = \"n1\"\nlabels = { zone = \"eu-1\", rack = \"7\" }";
    let config = load(file, &[]).unwrap();
    assert_eq!(config.node.as_deref(), Some("n1"));
    assert_eq!(config.labels.get("rack").map(String::as_str), Some("7"));
    let flags = ["--node", "n2", "--label", "zone=us=1", "--label", "a="];
    let config = load(file, &flags).unwrap();
    assert_eq!(config.node.as_deref(), Some("n2"));
    let labels: Vec<_> = config.labels.iter().collect();
    let labels: Vec<_> = labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(labels, [("a", ""), ("zone", "us=1")]);
    assert_eq!(
        refusal("labels = { \"\" = \"x\" }", &[]),
        "/etc/profiler/agent.toml:1: labels: \"\" cannot be a label's key: 1 to 256 bytes without \
         control characters are allowed"
    );
    assert_eq!(
        refusal("node = \"a\\nb\"", &[]),
        "/etc/profiler/agent.toml:1: node: \"a\\nb\" cannot be a node's name: at most 256 bytes \
         without control characters are allowed, or \"\" for the host's"
    );
    let value = |bytes| format!("labels = {{ a = \"{}\" }}", "x".repeat(bytes));
    load(&value(profiler_stream::TEXT_MAX), &[]).unwrap();
    assert!(
        refusal(&value(profiler_stream::TEXT_MAX + 1), &[]).contains("at most 256 bytes"),
        "a collector would refuse it"
    );
    let words = ["profiler-agent", "--label", "zone"];
    let error = Args::try_parse_from(words).unwrap_err().to_string();
    assert!(
        error.contains("\"zone\" is no label: write a key and a value, such as zone=eu-1"),
        "{error}"
    );
}
