use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
};

use profiler_proto::v1::{self, query_client::QueryClient};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::fake::{Pipeline, Served};
use crate::export::{Access, BindError, Listen, Listeners};

/// A directory that is gone when the test is over.
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    pub(super) fn new(name: &str) -> Self {
        let name = format!("profiler-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a fresh directory");
        Self(path)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("run/profiler/agent.sock")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn bind(path: &Path) -> Result<Listeners, BindError> {
    Listeners::bind(&Listen {
        tcp: None,
        unix: Some(path.to_owned()),
        access: Access::default(),
        http: None,
    })
    .await
}

#[tokio::test]
async fn the_socket_answers_like_the_port_and_is_removed() {
    let directory = Directory::new("socket");
    let path = directory.socket();
    let served = Served::listening(Pipeline::new(), Some(path.clone())).await;
    let mode = fs::metadata(&path)
        .expect("the socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);

    let endpoint = Endpoint::from_shared(format!("unix:{}", path.display())).expect("an endpoint");
    let channel = endpoint.connect().await.expect("a connection");
    let request = v1::ListTargetsRequest::default();
    let over_socket = QueryClient::new(channel)
        .list_targets(request.clone())
        .await;
    let over_port = served.client.clone().list_targets(request).await;
    let over_socket = over_socket.expect("an answer").into_inner();
    assert_eq!(over_socket.targets.len(), 3);
    assert_eq!(
        over_socket.targets,
        over_port.expect("an answer").into_inner().targets
    );
    served.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let directory = Directory::new("stale");
    let path = directory.socket();
    fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    drop(UnixListener::bind(&path).expect("a socket left behind"));
    let first = bind(&path).await.expect("the stale socket is replaced");
    let error = bind(&path).await.expect_err("someone answers");
    assert!(matches!(error, BindError::SocketTaken(_)));
    assert!(error.to_string().contains("another agent"));
    assert!(path.exists());
    drop(first);
    assert!(!path.exists());

    fs::write(&path, "precious").expect("a file");
    let error = bind(&path).await.expect_err("a file is no socket");
    assert!(matches!(error, BindError::NotASocket(_)));
    assert_eq!(fs::read(&path).expect("the file"), b"precious");
}

#[tokio::test]
async fn a_socket_that_was_replaced_is_left_alone() {
    let directory = Directory::new("replaced");
    let path = directory.socket();
    let listeners = bind(&path).await.expect("a socket");
    fs::remove_file(&path).expect("removed by someone");
    fs::write(&path, "other").expect("a file in its place");
    drop(listeners);
    assert!(path.exists());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let directory = Directory::new("port");
    for (tcp, http) in [(Some(address), None), (None, Some(address))] {
        let listen = Listen {
            tcp,
            unix: Some(directory.socket()),
            access: Access::default(),
            http,
        };
        let error = Listeners::bind(&listen)
            .await
            .expect_err("the port is taken");
        let expected = format!("port {} is in use", address.port());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(!directory.socket().exists());
    }
}

#[tokio::test]
async fn health_and_reflection_know_the_service() {
    let served = Served::new(Pipeline::new()).await;
    let endpoint = Endpoint::from_shared(served.address.clone()).expect("an endpoint");
    let channel = endpoint.connect().await.expect("a connection");
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "profiler.v1.Query"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = health.check(request).await.expect("an answer").into_inner();
        assert_eq!(answer.status, 1, "{service:?} serves");
    }
    let list = MessageRequest::ListServices(String::new());
    let services = match reflected(channel.clone(), list).await {
        MessageResponse::ListServicesResponse(list) => list.service,
        other => panic!("not a list of services: {other:?}"),
    };
    for service in ["profiler.v1.Query", "grpc.health.v1.Health"] {
        assert!(
            services.iter().any(|known| known.name == service),
            "{services:?}"
        );
    }
    // What a client needs to ask without stubs, with the files that these import.
    for request in [
        MessageRequest::FileContainingSymbol("profiler.v1.Query".to_owned()),
        MessageRequest::FileByFilename("profiler/v1/growth.proto".to_owned()),
        MessageRequest::FileByFilename("google/protobuf/timestamp.proto".to_owned()),
    ] {
        let answer = reflected(channel.clone(), request.clone()).await;
        let found = matches!(answer, MessageResponse::FileDescriptorResponse(_));
        assert!(found, "{request:?}: {answer:?}");
    }
    served.stop().await;
}

async fn reflected(channel: Channel, request: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    };
    let mut client = ServerReflectionClient::new(channel);
    let answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await;
    let answer = answers.expect("answers").into_inner().message().await;
    let answer = answer.expect("an answer").expect("one");
    answer.message_response.expect("a response")
}
