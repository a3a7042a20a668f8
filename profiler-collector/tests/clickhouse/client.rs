//! The client against a real server's HTTP interface, and against none.

use std::{net::TcpListener, time::Duration};

use clickhouse::Row;
use libtest_mimic::Trial;
use profiler_collector::store::{
    StoreError,
    clickhouse::{ClickHouse, Client, Settings},
};
use serde::{Deserialize, Serialize};

use crate::{
    old_server::{OldServer, old_server},
    trial::trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let nothing = || Ok(());
    vec![
        trial("rows_go_and_come_over_http", old_server, rows_go_and_come),
        trial(
            "who_asks_has_to_prove_it",
            old_server,
            who_asks_has_to_prove_it,
        ),
        trial(
            "what_the_server_says_is_told",
            old_server,
            what_the_server_says_is_told,
        ),
        trial(
            "a_slow_answer_is_given_up",
            old_server,
            a_slow_answer_is_given_up,
        ),
        trial(
            "a_server_that_ends_is_told",
            old_server,
            a_server_that_ends_is_told,
        ),
        trial(
            "no_server_is_told_at_once",
            nothing,
            no_server_is_told_at_once,
        ),
        trial(
            "a_silent_server_is_given_up",
            nothing,
            a_silent_server_is_given_up,
        ),
    ]
}

/// Of each type that the tables have and this old version knows.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Sample {
    run: [u8; 16],
    sequence: u64,
    kind: i32,
    whole: bool,
    time: i64,
    node: String,
    frames: Vec<u64>,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
}

const TABLE: &str = "CREATE TABLE sample (
    run FixedString(16), sequence UInt64, kind Int32, whole UInt8, time Int64, node String,
    frames Array(UInt64), data String
) ENGINE = MergeTree ORDER BY (run, sequence)";

fn samples(count: u64) -> Vec<Sample> {
    let sample = |sequence: u64| Sample {
        run: [0xff; 16],
        sequence,
        kind: -3,
        whole: sequence.is_multiple_of(2),
        time: i64::MIN + sequence.cast_signed(),
        node: "n\u{f6}de '\\\n\t".into(),
        frames: (0..sequence % 5).map(|frame| u64::MAX - frame).collect(),
        data: (0..=255).cycle().take(sequence as usize % 5000).collect(),
    };
    (0..count).map(sample).collect()
}

async fn rows_go_and_come(server: OldServer) {
    let client = Client::new(&server.settings()).expect("a client");
    client.execute(TABLE).await.expect("a table");
    // Far more than one piece of a chunked body.
    let sent = samples(5000);
    client.insert("sample", &sent).await.expect("rows");
    let query = "SELECT run, sequence, kind, whole, time, node, frames, data FROM sample
                 ORDER BY sequence";
    let came: Vec<Sample> = client.rows(query).await.expect("rows");
    assert!(came == sent, "{} rows came back, or differ", came.len());

    // Long lists of keys, as questions for stacks have.
    let keys: Vec<String> = (0..10_000).map(|key: u64| (key * 3).to_string()).collect();
    let query = format!(
        "SELECT count() FROM sample WHERE sequence IN ({})",
        keys.join(", ")
    );
    assert_eq!(client.rows::<u64>(&query).await.expect("a count"), [1667]);
    let query = format!(
        "SELECT count() FROM sample WHERE run = '{}'",
        "\\xff".repeat(16)
    );
    assert_eq!(client.rows::<u64>(&query).await.expect("a count"), [5000]);
}

async fn who_asks_has_to_prove_it(server: OldServer) {
    for (user, password) in [("collector", "wrong"), ("collector", ""), ("nobody", "x")] {
        let settings = Settings {
            user: user.into(),
            password: password.into(),
            ..server.settings()
        };
        let client = Client::new(&settings).expect("a client");
        let error = client.execute("SELECT 1").await.expect_err("refused");
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains(user), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

async fn what_the_server_says_is_told(server: OldServer) {
    let client = Client::new(&server.settings()).expect("a client");
    for (statement, said) in [
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELEKT 1", "Syntax error"),
    ] {
        let error = client.execute(statement).await.expect_err("refused");
        assert!(matches!(error, StoreError::Internal(_)), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = client
        .insert("nowhere", &samples(1))
        .await
        .expect_err("refused");
    assert!(error.to_string().contains("nowhere"), "{error}");
    let settings = Settings {
        options: vec![("max_memory_usage".into(), "20000000".into())],
        ..server.settings()
    };
    let client = Client::new(&settings).expect("a client");
    let hungry = "SELECT groupArray(number) FROM numbers(10000000)";
    let error = client.execute(hungry).await.expect_err("refused");
    assert!(matches!(error, StoreError::TooMuch(_)), "{error:?}");
    // The connection is good for more.
    assert_eq!(client.rows::<u8>("SELECT 1").await.expect("a row"), [1]);
}

async fn a_slow_answer_is_given_up(server: OldServer) {
    let settings = Settings {
        timeout: Duration::from_millis(300),
        ..server.settings()
    };
    let client = Client::new(&settings).expect("a client");
    let error = client.execute("SELECT sleep(3)").await.expect_err("late");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("in time"), "{error}");
}

async fn a_server_that_ends_is_told(server: OldServer) {
    let client = Client::new(&server.settings()).expect("a client");
    client.execute("SELECT 1").await.expect("an answer");
    drop(server);
    let error = client.execute("SELECT 1").await.expect_err("no server");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

async fn no_server_is_told_at_once((): ()) {
    let settings = Settings {
        // Discard: nobody has that any more.
        url: "http://127.0.0.1:9".into(),
        ..Settings::default()
    };
    let error = ClickHouse::open(settings).await.err().expect("no server");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

async fn a_silent_server_is_given_up((): ()) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let settings = Settings {
        url: format!("http://{}", silent.local_addr().expect("an address")),
        timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    let client = Client::new(&settings).expect("a client");
    let error = client.execute("SELECT 1").await.expect_err("no answer");
    assert!(error.to_string().contains("in time"), "{error}");
}
