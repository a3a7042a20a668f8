//! A server with one service, which notes who asked.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use profiler_net::{
    client::{self, Settings},
    server::{self, ClientCertificates, Counts, Limits, Peer, Tls, TlsFiles},
    token::{Guard, Identity, Policy, Tokens},
};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_stream::Empty;
use tonic::{Request, Response, Status, transport::Server};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

use crate::certificates::Pair;

/// Whose requests came through.
pub(crate) type Asked = Arc<Mutex<Vec<(Peer, Identity)>>>;

struct Notes(Asked);

#[tonic::async_trait]
impl Health for Notes {
    type WatchStream = Empty<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let extensions = request.extensions();
        let peer = extensions.get::<Peer>().expect("a peer").clone();
        let identity = extensions.get::<Identity>().expect("an identity").clone();
        self.0.lock().unwrap().push((peer, identity));
        Ok(Response::new(HealthCheckResponse::default()))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Asked,
    pub(crate) guard: Guard,
    pub(crate) counts: Arc<Counts>,
    /// Dropped, the server stops and ends its connections with grace.
    _stop: oneshot::Sender<()>,
}

impl Served {
    pub(crate) async fn new(tls: Option<Tls>, policy: Policy, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, tls, policy, limits)
    }

    pub(crate) fn on(
        listener: TcpListener,
        tls: Option<Tls>,
        policy: Policy,
        limits: Limits,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let incoming = server::incoming(listener, tls, limits);
        let (asked, guard) = (Asked::default(), Guard::new(policy));
        let counts = incoming.counts();
        let router = Server::builder()
            .accept_http1(true)
            .layer(guard.clone())
            .add_service(HealthServer::new(Notes(Arc::clone(&asked))));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(router.serve_with_incoming_shutdown(incoming, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            asked,
            guard,
            counts,
            _stop: stop,
        }
    }

    /// With TLS; with a client CA, clients need a certificate.
    pub(crate) async fn tls(pair: &Pair, client_ca: Option<&Path>) -> (Self, Tls) {
        let tls = Tls::load(&files(pair, client_ca)).unwrap();
        let policy = everyone();
        let served = Self::new(Some(tls.clone()), policy, Limits::default()).await;
        (served, tls)
    }

    /// Settings for a client that trusts `ca`.
    pub(crate) fn settings(&self, ca: &Path) -> Settings {
        Settings {
            ca: Some(ca.to_owned()),
            ..Settings::new(format!("https://localhost:{}", self.address.port()))
        }
    }

    pub(crate) fn last(&self) -> (Peer, Identity) {
        self.asked
            .lock()
            .unwrap()
            .last()
            .expect("a request")
            .clone()
    }
}

pub(crate) fn files(pair: &Pair, client_ca: Option<&Path>) -> TlsFiles {
    TlsFiles {
        certificate: pair.certificate.clone(),
        key: pair.key.clone(),
        client_ca: client_ca.map(Path::to_owned),
        clients: ClientCertificates::Required,
    }
}

pub(crate) fn everyone() -> Policy {
    Policy {
        tokens: None,
        certificates: false,
        open: |_| false,
    }
}

pub(crate) fn with_tokens(tokens: &Tokens) -> Policy {
    Policy {
        tokens: Some(tokens.clone()),
        certificates: true,
        open: |path| path == "/healthz",
    }
}

/// Connects and asks.
pub(crate) async fn ask(settings: &Settings) -> Result<(), String> {
    let channel = client::connect(settings).await;
    let channel = channel.map_err(|error| error.to_string())?;
    ask_again(&channel)
        .await
        .map_err(|status| match client::refusal(&status) {
            Some(refusal) => refusal.to_string(),
            None => status.message().to_owned(),
        })
}

pub(crate) async fn ask_again(channel: &client::Channel) -> Result<(), Status> {
    let mut client = HealthClient::new(channel.clone());
    client
        .check(HealthCheckRequest::default())
        .await
        .map(|_| ())
}
