//! Clients that are slow, many, or speak something else.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use profiler_net::{
    client::{self, Settings},
    server::{Limits, Tls},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    certificates::Authority,
    served::{Served, ask, ask_again, everyone, files},
};

const SOON: Duration = Duration::from_secs(5);

async fn limited(limits: Limits) -> (Served, Settings, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let tls = Tls::load(&files(&ca.sign(&["localhost"]), None)).unwrap();
    let served = Served::new(Some(tls), everyone(), limits).await;
    let settings = served.settings(&ca.file);
    (served, settings, directory)
}

async fn eventually(what: &str, check: impl Fn() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn slow_handshakes_hold_up_nobody_and_end() {
    let limits = Limits {
        handshake_time: Duration::from_secs(1),
        ..Limits::default()
    };
    let (served, settings, _directory) = limited(limits).await;
    let mut slow = Vec::new();
    for silent in [true, false].repeat(20) {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        if !silent {
            // A record of the handshake that is never completed.
            stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
        }
        slow.push(stream);
    }
    timeout(Duration::from_millis(900), ask(&settings))
        .await
        .expect("not held up")
        .unwrap();
    eventually("late ones are let go", || {
        served.counts.late.load(Relaxed) == 40
    })
    .await;
    for mut stream in slow {
        let mut byte = [0];
        let read = timeout(SOON, stream.read(&mut byte)).await.expect("closed");
        assert!(matches!(read, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn the_oldest_handshake_gives_way() {
    let limits = Limits {
        handshakes: 4,
        handshake_time: Duration::from_secs(60),
        ..Limits::default()
    };
    let (served, settings, _directory) = limited(limits).await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        slow.push(TcpStream::connect(served.address).await.unwrap());
    }
    timeout(SOON, ask(&settings))
        .await
        .expect("a place")
        .unwrap();
    assert_eq!(served.counts.displaced.load(Relaxed), 7);
    let mut byte = [0];
    let oldest = timeout(SOON, slow[0].read(&mut byte))
        .await
        .expect("closed");
    assert!(matches!(oldest, Ok(0) | Err(_)));
}

#[tokio::test]
async fn open_connections_are_bounded_and_places_come_free() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let (served, settings, _directory) = limited(limits).await;
    let first = client::connect(&settings).await.unwrap();
    let second = client::connect(&settings).await.unwrap();
    client::connect(&settings).await.unwrap_err();
    assert_eq!(served.counts.full.load(Relaxed), 1);
    ask_again(&second).await.unwrap();
    drop(first);
    let start = Instant::now();
    while ask(&settings).await.is_err() {
        assert!(start.elapsed() < SOON, "the place comes free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn plain_clients_are_told_to_use_https() {
    let (served, settings, _directory) = limited(Limits::default()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .expect("closed")
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("this port speaks TLS: use https://"),
        "{answer}"
    );

    let plain = Settings::new(settings.endpoint.replace("https", "http"));
    let error = ask(&plain).await.unwrap_err();
    assert!(
        error.contains("speaks TLS on this port: use https://"),
        "{error}"
    );
    eventually("both are counted", || {
        served.counts.plain.load(Relaxed) == 2
    })
    .await;
}

#[tokio::test]
async fn probes_and_rubbish_do_no_harm() {
    let (served, settings, _directory) = limited(Limits::default()).await;
    drop(TcpStream::connect(served.address).await.unwrap());
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&[0x16; 4096]).await.unwrap();
    eventually("rubbish fails", || served.counts.failed.load(Relaxed) == 1).await;
    ask(&settings).await.unwrap();
}

#[tokio::test]
async fn who_says_nothing_after_the_handshake_takes_no_place() {
    let limits = Limits {
        silence: Duration::from_millis(200),
        ..Limits::default()
    };
    let served = Served::new(None, everyone(), limits).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(SOON, silent.read_to_end(&mut answer)).await;
    // Closed, with or without a word of the server.
    read.expect("closed").ok();
}
