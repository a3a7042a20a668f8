//! Who gets through with which certificate, and what the others are told.

use std::fs;

use profiler_net::{
    client::{self, ConnectError, Settings},
    server::{ClientCertificates, Limits, Tls},
    token::{Identity, Tokens},
};

use crate::{
    certificates::{Authority, Pair},
    served::{Served, ask, everyone, files, with_tokens},
};

fn as_client(settings: &Settings, pair: &Pair) -> Settings {
    Settings {
        cert: Some(pair.certificate.clone()),
        key: Some(pair.key.clone()),
        ..settings.clone()
    }
}

#[tokio::test]
async fn a_server_certificate_is_enough_where_no_client_ca_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let (served, _) = Served::tls(&ca.sign(&["localhost"]), None).await;
    ask(&served.settings(&ca.file)).await.unwrap();
    let (peer, identity) = served.last();
    assert!(peer.tls && peer.certificate.is_none() && peer.address.ip().is_loopback());
    assert_eq!(identity, Identity::Anyone);
}

#[tokio::test]
async fn a_client_certificate_is_verified_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let clients = Authority::new(directory.path(), "clients");
    let tls = files(&ca.sign(&["localhost"]), Some(&clients.file));
    let tokens = directory.path().join("tokens");
    fs::write(&tokens, "0123456789abcdef").unwrap();
    let policy = with_tokens(&Tokens::load(&tokens).unwrap());
    let served = Served::new(Some(Tls::load(&tls).unwrap()), policy, Limits::default()).await;
    let pair = clients.sign(&["node-1", "10.1.2.3"]);
    ask(&as_client(&served.settings(&ca.file), &pair))
        .await
        .unwrap();
    let (peer, identity) = served.last();
    let certificate = peer.certificate.expect("a certificate");
    assert_eq!(certificate.subject, "CN=node-1");
    assert_eq!(certificate.names, ["node-1", "10.1.2.3"]);
    assert_eq!(identity, Identity::Certificate(certificate));
}

#[tokio::test]
async fn clients_without_a_right_certificate_are_refused_and_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let clients = Authority::new(directory.path(), "clients");
    let (served, _) = Served::tls(&ca.sign(&["localhost"]), Some(&clients.file)).await;
    let settings = served.settings(&ca.file);
    let none = ask(&settings).await.unwrap_err();
    assert!(
        none.contains("wants a client certificate: give one with --tls-cert"),
        "{none}"
    );
    let wrong = ask(&as_client(&settings, &ca.sign(&["node-1"])))
        .await
        .unwrap_err();
    assert!(
        wrong.contains("not signed by the server's client CA"),
        "{wrong}"
    );
    let old = clients.sign_until(&["node-2"], 2020);
    let expired = ask(&as_client(&settings, &old)).await.unwrap_err();
    assert!(expired.contains("it has expired"), "{expired}");
    assert!(served.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn optional_certificates_leave_it_to_the_guard() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let mut tls = files(&ca.sign(&["localhost"]), Some(&ca.file));
    tls.clients = ClientCertificates::Optional;
    let tokens = directory.path().join("tokens");
    fs::write(&tokens, "agent: 0123456789abcdef").unwrap();
    let policy = with_tokens(&Tokens::load(&tokens).unwrap());
    let served = Served::new(Some(Tls::load(&tls).unwrap()), policy, Limits::default()).await;
    let settings = served.settings(&ca.file);
    let error = ask(&settings).await.unwrap_err();
    assert!(
        error.starts_with("a client certificate or a token is needed"),
        "{error}"
    );
    ask(&as_client(&settings, &ca.sign(&["node-1"])))
        .await
        .unwrap();
    assert!(matches!(served.last().1, Identity::Certificate(_)));
    let token_file = Some(tokens);
    ask(&Settings {
        token_file,
        ..settings
    })
    .await
    .unwrap();
    assert_eq!(served.last().1, Identity::Token(Some("agent".into())));
}

#[tokio::test]
async fn servers_that_cannot_be_trusted_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let other = Authority::new(directory.path(), "other");
    let told = async |pair: &Pair, settings: &dyn Fn(Settings) -> Settings| {
        let (served, _) = Served::tls(pair, None).await;
        ask(&settings(served.settings(&ca.file))).await.unwrap_err()
    };
    let name = told(&ca.sign(&["collector.example", "10.1.2.3"]), &|settings| {
        settings
    })
    .await;
    let expected = "is for collector.example, 10.1.2.3, not for localhost: connect by a name";
    assert!(name.contains(expected), "{name}");
    let unknown = told(&other.sign(&["localhost"]), &|settings| settings).await;
    assert!(
        unknown.contains("signed by no CA that is trusted here"),
        "{unknown}"
    );
    let system = told(&ca.sign(&["localhost"]), &|settings| Settings {
        ca: None,
        ..settings
    })
    .await;
    assert!(
        system.contains("give") && system.contains("--tls-ca"),
        "{system}"
    );
    let expired = told(&ca.sign_until(&["localhost"], 2020), &|settings| settings).await;
    assert!(
        expired.contains("the server's certificate has expired"),
        "{expired}"
    );
}

#[tokio::test]
async fn another_name_can_be_expected_than_the_one_connected_to() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let (served, _) = Served::tls(&ca.sign(&["collector.example"]), None).await;
    let settings = Settings {
        server_name: Some("collector.example".to_owned()),
        ..served.settings(&ca.file)
    };
    ask(&settings).await.unwrap();
}

#[tokio::test]
async fn a_plain_server_and_no_server_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let served = Served::new(None, everyone(), Limits::default()).await;
    let settings = served.settings(&ca.file);
    let plain = client::connect(&settings).await.unwrap_err();
    assert!(
        plain
            .to_string()
            .contains("does not speak TLS on this port: use http://"),
        "{plain}"
    );
    drop(served);
    tokio::task::yield_now().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = client::connect(&Settings::new(format!("http://{free}")))
        .await
        .unwrap_err();
    assert!(matches!(&nobody, ConnectError::Unreachable(text) if text.contains("refused")));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::new(directory.path(), "ca");
    let (one, two) = (ca.sign(&["one"]), ca.sign(&["two"]));
    let tokens = directory.path().join("tokens");
    fs::write(&tokens, "0123456789abcdef").unwrap();
    let secure = Settings::new("https://192.0.2.1:1");
    let plain = Settings::new("http://192.0.2.1:1");
    let ca = |path: &std::path::Path| Some(path.to_owned());
    for (settings, part) in [
        (
            Settings {
                ca: ca(&one.key),
                ..secure.clone()
            },
            "holds no certificate",
        ),
        (
            Settings {
                ca: ca("/nonexistent".as_ref()),
                ..secure.clone()
            },
            "cannot be read",
        ),
        (
            Settings {
                cert: ca(&one.certificate),
                ..secure.clone()
            },
            "needs its key",
        ),
        (
            Settings {
                cert: ca(&one.certificate),
                key: ca(&two.key),
                ..secure.clone()
            },
            "two.key: does not fit the certificate",
        ),
        (
            Settings {
                cert: ca(&one.certificate),
                key: ca(&one.certificate),
                ..secure
            },
            "no private key",
        ),
        (
            Settings {
                ca: ca(&one.certificate),
                ..plain.clone()
            },
            "mean nothing over http://",
        ),
        (
            Settings {
                token_file: ca(&tokens),
                ..plain
            },
            "in clear text",
        ),
    ] {
        let error = client::connect(&settings).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
