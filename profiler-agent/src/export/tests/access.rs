//! Who is answered over TCP, and who on the socket.

use std::{
    fs,
    path::{Path, PathBuf},
};

use profiler_net::{
    client::{self, Settings},
    server::TlsFiles,
};
use profiler_proto::v1::{self, query_client::QueryClient};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
};

use super::{
    fake::{Pipeline, Served},
    listeners::Directory,
};
use crate::export::{Access, Listen, Listeners};

/// A CA and one certificate, for the server and for its clients.
fn certificates(directory: &Path) -> TlsFiles {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = CertifiedIssuer::self_signed(params, key).expect("a CA");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &ca).expect("a certificate");
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    TlsFiles {
        certificate: write("agent.crt", certificate.pem()),
        key: write("agent.key", key.serialize_pem()),
        client_ca: Some(write("ca.crt", ca.pem())),
        ..TlsFiles::default()
    }
}

fn tokens(directory: &Path) -> PathBuf {
    let path = directory.join("tokens");
    fs::write(&path, "ann: 0123456789abcdef\n").expect("a file");
    path
}

async fn targets(settings: &Settings) -> Result<usize, Status> {
    let channel = client::connect(settings).await;
    let channel = channel.map_err(|error| Status::unauthenticated(error.to_string()))?;
    let request = v1::ListTargetsRequest::default();
    let answer = QueryClient::new(channel).list_targets(request).await?;
    Ok(answer.into_inner().targets.len())
}

async fn channel(uri: String) -> Channel {
    let endpoint = Endpoint::from_shared(uri).expect("an endpoint");
    endpoint.connect().await.expect("a connection")
}

#[tokio::test]
async fn with_a_client_ca_a_certificate_is_needed() {
    let directory = Directory::new("mtls");
    let tls = certificates(&directory.0);
    let access = Access {
        tls: Some(tls.clone()),
        token_file: None,
    };
    let served = Served::guarded(Pipeline::new(), None, access).await;
    let none = Settings {
        ca: tls.client_ca,
        ..Settings::new(served.address.replace("http:", "https:"))
    };
    let own = Settings {
        cert: Some(tls.certificate),
        key: Some(tls.key),
        ..none.clone()
    };
    assert_eq!(targets(&own).await.expect("an answer"), 3);
    let refused = targets(&none).await.expect_err("no certificate");
    assert!(
        refused.message().contains("client certificate"),
        "{refused}"
    );
    let plain = served.client.clone();
    let plain = { plain }
        .list_targets(v1::ListTargetsRequest::default())
        .await;
    plain.expect_err("no TLS");
    served.stop().await;
}

#[tokio::test]
async fn with_tokens_one_is_needed_except_for_health_and_on_the_socket() {
    let directory = Directory::new("tokens");
    let token_file = Some(tokens(&directory.0));
    let access = Access {
        tls: None,
        token_file: token_file.clone(),
    };
    let socket = directory.socket();
    let served = Served::guarded(Pipeline::new(), Some(socket.clone()), access).await;
    let none = Settings::new(served.address.clone());
    let refused = targets(&none).await.expect_err("no token");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let own = Settings { token_file, ..none };
    assert_eq!(targets(&own).await.expect("an answer"), 3);

    let stranger = channel(served.address.clone()).await;
    let mut health = HealthClient::new(stranger.clone());
    let answer = health.check(HealthCheckRequest::default()).await;
    assert_eq!(answer.expect("an answer").into_inner().status, 1);
    let mut reflection = ServerReflectionClient::new(stranger);
    let requests = tokio_stream::once(ServerReflectionRequest::default());
    let refused = reflection.server_reflection_info(requests).await;
    assert_eq!(refused.expect_err("no token").code(), Code::Unauthenticated);

    let mut on_socket = QueryClient::new(channel(format!("unix:{}", socket.display())).await);
    let answer = on_socket
        .list_targets(v1::ListTargetsRequest::default())
        .await;
    assert_eq!(answer.expect("an answer").into_inner().targets.len(), 3);
    served.stop().await;
}

#[tokio::test]
async fn with_both_either_will_do() {
    let directory = Directory::new("either");
    let tls = certificates(&directory.0);
    let token_file = Some(tokens(&directory.0));
    let access = Access {
        tls: Some(tls.clone()),
        token_file: token_file.clone(),
    };
    let served = Served::guarded(Pipeline::new(), None, access).await;
    let none = Settings {
        ca: tls.client_ca,
        ..Settings::new(served.address.replace("http:", "https:"))
    };
    let refused = targets(&none).await.expect_err("neither");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let certified = Settings {
        cert: Some(tls.certificate),
        key: Some(tls.key),
        ..none.clone()
    };
    assert_eq!(targets(&certified).await.expect("an answer"), 3);
    let known = Settings { token_file, ..none };
    assert_eq!(targets(&known).await.expect("an answer"), 3);
    served.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_before_anything_is_bound() {
    let directory = Directory::new("unusable");
    let access = Access {
        tls: None,
        token_file: Some(directory.0.join("absent")),
    };
    let listen = Listen {
        tcp: None,
        unix: Some(directory.socket()),
        access,
        http: None,
    };
    let error = Listeners::bind(&listen).await.expect_err("no file");
    assert!(
        error.to_string().contains("absent: cannot be read"),
        "{error}"
    );
    assert!(!directory.socket().exists());
}
