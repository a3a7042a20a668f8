//! Who gets through with which token, over gRPC and over HTTP.

use std::{fs, net::SocketAddr, path::PathBuf, sync::atomic::Ordering::Relaxed};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use profiler_net::{
    client::{self, Settings},
    server::Limits,
    token::{Identity, Tokens},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use crate::served::{Served, ask_again, with_tokens};

const TOKEN: &str = "0123456789abcdef";

struct Guarded {
    directory: tempfile::TempDir,
    tokens: Tokens,
    served: Served,
}

impl Guarded {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        fs::write(&path, format!("ann: {TOKEN}\n")).unwrap();
        let tokens = Tokens::load(&path).unwrap();
        let served = Served::new(None, with_tokens(&tokens), Limits::default()).await;
        Self {
            directory,
            tokens,
            served,
        }
    }

    fn file(&self, token: &str) -> Option<PathBuf> {
        let path = self.directory.path().join("client-token");
        fs::write(&path, token).unwrap();
        Some(path)
    }

    fn settings(&self, token_file: Option<PathBuf>) -> Settings {
        Settings {
            token_file,
            ..Settings::new(format!("http://{}", self.served.address))
        }
    }

    async fn code(&self, token: Option<&str>) -> Code {
        let settings = self.settings(token.and_then(|token| self.file(token)));
        let channel = client::connect(&settings).await.unwrap();
        ask_again(&channel)
            .await
            .map_or_else(|status| status.code(), |()| Code::Ok)
    }
}

/// A request over HTTP/1.1, and the whole answer.
async fn http(address: SocketAddr, path: &str, authorization: Option<&str>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let header = authorization.map_or(String::new(), |value| format!("authorization: {value}\r\n"));
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn over_grpc_right_ones_pass_and_others_are_told() {
    let guarded = Guarded::new().await;
    assert_eq!(guarded.code(Some(TOKEN)).await, Code::Ok);
    assert_eq!(guarded.served.last().1, Identity::Token(Some("ann".into())));
    assert_eq!(
        guarded.code(Some("0123456789abcdeX")).await,
        Code::Unauthenticated
    );
    assert_eq!(guarded.code(None).await, Code::Unauthenticated);
    let counts = guarded.served.guard.counts();
    assert_eq!(
        (counts.missing.load(Relaxed), counts.wrong.load(Relaxed)),
        (1, 1)
    );
}

#[tokio::test]
async fn a_replaced_token_counts_at_once_after_a_reload_on_both_sides() {
    let guarded = Guarded::new().await;
    let path = guarded.directory.path().join("tokens");
    fs::write(&path, "fedcba9876543210").unwrap();
    assert_eq!(guarded.tokens.reload(), Ok(true));
    assert_eq!(guarded.code(Some(TOKEN)).await, Code::Unauthenticated);
    assert_eq!(guarded.code(Some("fedcba9876543210")).await, Code::Ok);
    fs::write(&path, "short").unwrap();
    assert!(guarded.tokens.reload().is_err());
    assert_eq!(guarded.code(Some("fedcba9876543210")).await, Code::Ok);
}

#[tokio::test]
async fn over_http_a_browser_is_asked_and_basic_carries_the_token() {
    let guarded = Guarded::new().await;
    let address = guarded.served.address;
    let answer = http(address, "/", None).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(
        answer.contains("www-authenticate: Basic realm="),
        "{answer}"
    );
    assert!(answer.contains("authorization: Bearer TOKEN"), "{answer}");
    let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
    // No page is there: 404 or the like says that the guard was passed.
    for value in [basic(&format!("any:{TOKEN}")), format!("bearer {TOKEN}")] {
        let answer = http(address, "/", Some(&value)).await;
        assert!(!answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    for value in [
        basic(TOKEN),
        basic("any:x"),
        "Basic !".to_owned(),
        format!("Digest {TOKEN}"),
    ] {
        let answer = http(address, "/", Some(&value)).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{value}: {answer}");
    }
    let open = http(address, "/healthz", None).await;
    assert!(!open.starts_with("HTTP/1.1 401 "), "{open}");
}

#[tokio::test]
async fn after_ten_wrong_ones_the_address_has_to_wait() {
    let guarded = Guarded::new().await;
    for _ in 0..10 {
        assert_eq!(
            guarded.code(Some("0123456789abcdeX")).await,
            Code::Unauthenticated
        );
    }
    let wrong = "0123456789abcdeY";
    assert_eq!(guarded.code(Some(wrong)).await, Code::ResourceExhausted);
    let value = format!("Bearer {wrong}");
    let answer = http(guarded.served.address, "/", Some(&value)).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    let counts = guarded.served.guard.counts();
    assert_eq!(
        (counts.wrong.load(Relaxed), counts.limited.load(Relaxed)),
        (10, 2)
    );
    // Others at the same address have to get in.
    assert_eq!(guarded.code(Some(TOKEN)).await, Code::Ok);
}

#[tokio::test]
async fn asking_without_a_token_is_no_guess() {
    let guarded = Guarded::new().await;
    for _ in 0..20 {
        http(guarded.served.address, "/", None).await;
    }
    assert_eq!(guarded.code(Some(TOKEN)).await, Code::Ok);
}
