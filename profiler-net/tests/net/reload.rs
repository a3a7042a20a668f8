//! Files that change while a server serves.

use std::{
    fmt::Debug,
    fs,
    time::{Duration, Instant},
};

use profiler_net::{
    client::{self, Settings},
    server::Limits,
};
use tokio::net::TcpListener;

use crate::{
    certificates::Authority,
    served::{Served, ask, ask_again, everyone},
};

async fn eventually<T, E: Debug>(attempt: impl AsyncFn() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(5), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_live_ones_stay() {
    let directory = tempfile::tempdir().unwrap();
    let old = Authority::new(directory.path(), "old");
    let new = Authority::new(directory.path(), "new");
    let (served, tls) = Served::tls(&old.sign(&["localhost"]), None).await;
    let live = client::connect(&served.settings(&old.file)).await.unwrap();
    ask_again(&live).await.unwrap();
    let address = served.last().0.address;

    new.sign_until(&["localhost"], 2998);
    let expires = tls.certificate().expires;
    assert_eq!(tls.reload(), Ok(true));
    assert!(tls.certificate().expires < expires);
    ask(&served.settings(&new.file)).await.unwrap();
    ask(&served.settings(&old.file)).await.unwrap_err();
    ask_again(&live).await.unwrap();
    assert_eq!(served.last().0.address, address, "the same connection");
    assert_eq!(tls.reload(), Ok(false));
}

#[tokio::test]
async fn broken_files_keep_the_old_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let pair = ca.sign(&["localhost"]);
    let (served, tls) = Served::tls(&pair, None).await;
    let other = ca.sign(&["other"]);
    fs::copy(&other.key, &pair.key).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(
        error.contains("localhost.key: does not fit the certificate"),
        "{error}"
    );
    ask(&served.settings(&ca.file)).await.unwrap();
    fs::write(&pair.certificate, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    assert!(tls.reload().is_err());
    fs::remove_file(&pair.certificate).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("localhost.crt: cannot be read"), "{error}");
    ask(&served.settings(&ca.file)).await.unwrap();
}

#[tokio::test]
async fn a_new_client_ca_counts_for_new_connections() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let clients = Authority::new(directory.path(), "clients");
    let (served, tls) = Served::tls(&ca.sign(&["localhost"]), Some(&clients.file)).await;
    let pair = clients.sign(&["node-1"]);
    let settings = Settings {
        cert: Some(pair.certificate),
        key: Some(pair.key),
        ..served.settings(&ca.file)
    };
    ask(&settings).await.unwrap();
    fs::copy(&ca.file, &clients.file).unwrap();
    assert_eq!(tls.reload(), Ok(true));
    ask(&settings).await.unwrap_err();
}

#[tokio::test]
async fn a_client_reads_its_certificate_again_when_it_connects_again() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let pair = ca.sign(&["localhost"]);
    let (served, tls) = Served::tls(&pair, Some(&ca.file)).await;
    let node = ca.sign(&["node-1"]);
    let settings = Settings {
        cert: Some(node.certificate),
        key: Some(node.key),
        ..served.settings(&ca.file)
    };
    let channel = client::connect(&settings).await.unwrap();
    ask_again(&channel).await.unwrap();
    let before = served.last().0.certificate.unwrap();
    let address = served.address;
    drop(served);

    ca.sign_until(&["node-1"], 2998);
    let listener = eventually(async || TcpListener::bind(address).await).await;
    let served = Served::on(listener, Some(tls), everyone(), Limits::default());
    // The old connection ends with grace: it may still take a request, or lose one.
    eventually(async || {
        let _ = ask_again(&channel).await;
        let arrived = !served.asked.lock().unwrap().is_empty();
        arrived.then_some(()).ok_or("no request at the new server")
    })
    .await;
    assert!(served.last().0.certificate.unwrap().expires < before.expires);
}
