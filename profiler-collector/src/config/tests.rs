use std::time::Duration;

use clap::Parser as _;

use super::*;

fn resolved(arguments: &[&str], file: &str) -> Result<Config> {
    let arguments = std::iter::once("profiler-collector").chain(arguments.iter().copied());
    let mut options = Args::parse_from(arguments).options;
    options.put_above(toml::from_str(file)?);
    resolve(options)
}

#[test]
fn the_documented_file_is_the_default() {
    let file: Options = toml::from_str(DEFAULT_TOML).expect("the default file parses");
    let documented = resolve(file).expect("its values are allowed");
    let default = resolve(Options::default()).expect("defaults are allowed");
    assert_eq!(format!("{documented:?}"), format!("{default:?}"));
}

#[test]
fn flags_stand_above_the_file() {
    let file = "listen = \"127.0.0.1:1\"\nkeep = \"60d\"\nstore = \"/x.db\"";
    let config = resolved(&["--listen", "127.0.0.1:2"], file).expect("allowed");
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.retention.coarse, Duration::from_secs(60 * 86_400));
    assert_eq!(config.store, StoreAt::Sqlite("/x.db".into()));
    assert_eq!(config.web.map(|web| web.port()), Some(7752));
}

#[test]
fn events_stay_at_least_as_long_as_batches() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    for (file, kept) in [
        ("", 90),
        ("keep = \"120d\"", 120),
        ("keep_events = \"365d\"", 365),
    ] {
        let config = resolved(&[], file).expect("allowed");
        assert_eq!(config.retention.events, days(kept), "{file}");
    }
}

#[test]
fn profiles_go_out_where_a_receiver_is_named() {
    assert!(resolved(&[], "").expect("allowed").otlp.is_none());
    for arguments in [
        &["--otlp-endpoint", "http://127.0.0.1:4317"][..],
        &[
            "--otlp-endpoint",
            "https://receiver:4317",
            "--otlp-ca",
            "ca",
        ],
        &[
            "--otlp-endpoint",
            "http://receiver:4317",
            "--otlp-plaintext",
        ],
    ] {
        let config = resolved(arguments, "otlp_interval = \"5min\"").expect("allowed");
        let otlp = config.otlp.expect("a receiver");
        assert_eq!(
            (&*otlp.endpoint, otlp.interval.as_secs()),
            (arguments[1], 300)
        );
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    for (arguments, needle) in [
        (&["--listen", "7751"][..], "listen: \"7751\""),
        (&["--listen", ""], "listen"),
        (&["--keep", "soon"], "keep: \"soon\""),
        (&["--keep", "1h"], "none may be longer"),
        (&["--keep-events", "29d"], "at least as long as batches"),
        (&["--store-bytes", "1KiB"], "at least 16MiB"),
        (&["--tls-cert", "a"], "tls_key"),
        (&["--tls-client-ca", "a"], "tls_cert"),
        (&["--store", "postgres://x"], "ClickHouse"),
        (&["--clickhouse-user", "x"], "clickhouse_password_file"),
        (&["--streams", "0"], "1 to 100000"),
        (&["--query-rows", "1"], "at least 1000"),
        (
            &["--otlp-endpoint", "receiver:4317"],
            "otlp_endpoint: \"receiver:4317\"",
        ),
        (
            &["--otlp-endpoint", "http://receiver:4317"],
            "otlp_plaintext",
        ),
        (&["--otlp-header-file", "a"], "otlp_endpoint"),
        (
            &["--otlp-endpoint", "http://[::1]:4317", "--otlp-ca", "a"],
            "https://[::1]:4317",
        ),
        (&["--otlp-interval", "1s"], "otlp_interval"),
    ] {
        let error = resolved(arguments, "").expect_err("refused").to_string();
        assert!(error.contains(needle), "{arguments:?}: {error}");
    }
    let unknown = resolved(&[], "lisen = \"127.0.0.1:1\"").expect_err("refused");
    assert!(format!("{unknown:#}").contains("lisen"));
}

#[test]
fn half_of_the_streams_may_come_from_one_address() {
    let limits = |arguments: &[&str]| resolved(arguments, "").expect("allowed").ingest;
    assert_eq!(limits(&[]).streams_per_peer, 1_000);
    assert_eq!(limits(&["--streams", "10000"]).streams_per_peer, 5_000);
    assert_eq!(limits(&["--streams", "10"]).streams_per_peer, 64);
}
