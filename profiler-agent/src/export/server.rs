//! Listeners, and the services on them.

use std::{future::Future, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use profiler_net::{
    FileError,
    server::{self, ClientCertificates, Limits, Tls, TlsFiles},
    token::{Guard, Policy, Tokens},
};
use profiler_proto::{FILE_DESCRIPTOR_SET, v1::query_server::QueryServer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::watch,
};
use tokio_stream::{Stream, wrappers::UnixListenerStream};
use tonic::transport::{
    Server,
    server::{Connected, Router},
};
use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::{HealthReporter, HealthService},
};

use super::{query::QueryService, unix_socket::SocketFile};
use crate::health::{Verdicts, grpc::ByName, http};

/// The name under which health and reflection know the service.
const SERVICE: &str = "profiler.v1.Query";

/// The longest question: a thousand values in each field of a selector fit.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// The longest answer: 10,000 rows of 40 frames with names of ordinary length fit.
const RESPONSE_BYTES_MAX: usize = 64 << 20;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const STREAMS_MAX: u32 = 64;
/// Connections over TCP: people, a collector's pages, probes.
const LIMITS: Limits = Limits {
    connections: 256,
    handshakes: 64,
    handshake_time: Duration::from_secs(10),
    per_address: 64,
    silence: Duration::from_secs(30),
};
/// Peers that no longer answer are let go.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// What is still being answered at shutdown gets so much time.
const GRACE: Duration = Duration::from_secs(2);

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// A TCP address; port 0 takes any.
    pub tcp: Option<SocketAddr>,
    /// A Unix socket.
    pub unix: Option<PathBuf>,
    /// Who may ask over TCP. The rights of its file guard the Unix socket.
    pub access: Access,
    /// A TCP address for probes of health over HTTP.
    pub http: Option<SocketAddr>,
}

/// Who may ask over TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Certificate, key and client CA; none: in clear text.
    pub tls: Option<TlsFiles>,
    /// Bearer tokens. Clients with a certificate of the client CA need none.
    pub token_file: Option<PathBuf>,
}

impl Access {
    /// Reads the files. With neither a client CA nor tokens everyone may ask.
    pub fn load(&self) -> Result<(Option<Tls>, Guard), FileError> {
        let tokens = self.token_file.as_deref().map(Tokens::load).transpose()?;
        let certificates = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let clients = match tokens {
            Some(_) => ClientCertificates::Optional,
            None => ClientCertificates::Required,
        };
        let files = self.tls.clone().map(|files| TlsFiles { clients, ..files });
        let tls = files.as_ref().map(Tls::load).transpose()?;
        let guard = Guard::new(Policy {
            tokens,
            certificates,
            open: |_| false,
        });
        Ok((tls, guard))
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            tcp: Some(SocketAddr::from(([127, 0, 0, 1], 7741))),
            unix: Some(PathBuf::from("/run/profiler/agent.sock")),
            access: Access::default(),
            http: Some(SocketAddr::from(([127, 0, 0, 1], 7742))),
        }
    }
}

/// Why a listener could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Someone listens on the port.
    #[error(
        "port {} is in use ({address}): another agent may be running. Stop it, or give this one \
         another address",
        address.port()
    )]
    PortTaken {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Anything else about the TCP address.
    #[error("can't listen on {address}: {error}")]
    Tcp {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Someone answers on the socket.
    #[error(
        "{}: another agent answers on this socket. Stop it, or give this one another path",
        .0.display()
    )]
    SocketTaken(PathBuf),
    /// The file is something else.
    #[error(
        "{}: this file is not a socket, so it is left alone. Remove it, or give another path",
        .0.display()
    )]
    NotASocket(PathBuf),
    /// Anything else about the socket.
    #[error("{}: can't {doing}: {error}", path.display())]
    Socket {
        /// The path asked for.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// A certificate, key or token that cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Listeners that are bound and do not serve yet.
#[derive(Debug)]
pub struct Listeners {
    tcp: Option<TcpListener>,
    tls: Option<Tls>,
    guard: Guard,
    unix: Option<(SocketFile, UnixListener)>,
    http: Option<TcpListener>,
}

impl Listeners {
    /// Takes the ports and the socket, or says why not and leaves nothing behind. Needs a tokio
    /// runtime.
    pub async fn bind(listen: &Listen) -> Result<Self, BindError> {
        let (tls, guard) = listen.access.load()?;
        let tcp = bind_tcp(listen.tcp).await?;
        let unix = listen.unix.as_deref();
        let unix = unix.map(SocketFile::bind).transpose()?;
        let http = bind_tcp(listen.http).await?;
        Ok(Self {
            tcp,
            tls,
            guard,
            unix,
            http,
        })
    }

    /// The TCP address with the port that was taken.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref()?.local_addr().ok()
    }

    /// The address of probes over HTTP, likewise.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref()?.local_addr().ok()
    }

    /// Serves until `shutdown` completes or a listener fails. What is being answered then gets a
    /// few seconds; the socket's file is removed.
    pub async fn serve(
        self,
        service: QueryService,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), anyhow::Error> {
        let (stop, stopped) = watch::channel(false);
        let reporter = HealthReporter::new();
        report(&reporter, ServingStatus::Serving).await;
        let verdicts = service.verdicts();
        let health = HealthServer::new(ByName::new(
            HealthService::from_health_reporter(reporter.clone()),
            Arc::clone(&verdicts),
        ));
        let over_tcp = router(&self.guard, service.clone(), health.clone())?;
        let over_unix = router(&Guard::open(), service, health)?;
        let tcp = self
            .tcp
            .map(|listener| server::incoming(listener, self.tls, LIMITS));
        let (_file, unix) = match self.unix {
            Some((file, listener)) => (Some(file), Some(UnixListenerStream::new(listener))),
            None => (None, None),
        };
        let serve = async {
            tokio::try_join!(
                serve_on(over_tcp, tcp, stopped.clone()),
                serve_on(over_unix, unix, stopped.clone()),
                answer_probes(self.http, verdicts, stopped),
            )
        };
        tokio::pin!(serve);
        tokio::select! {
            ended = &mut serve => return Ok(ended.map(|_| ())?),
            () = shutdown => {}
        }
        report(&reporter, ServingStatus::NotServing).await;
        stop.send_replace(true);
        match tokio::time::timeout(GRACE, serve).await {
            Ok(ended) => Ok(ended.map(|_| ())?),
            Err(_) => {
                tracing::warn!("questions that were still being answered are cut off");
                Ok(())
            }
        }
    }
}

async fn bind_tcp(address: Option<SocketAddr>) -> Result<Option<TcpListener>, BindError> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::PortTaken { address },
        _ => BindError::Tcp { address, error },
    })
}

/// Serves what comes in, if there is such a listener.
async fn serve_on<S, C>(
    router: Router,
    incoming: Option<S>,
    stopped: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error>
where
    S: Stream<Item = io::Result<C>>,
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    match incoming {
        Some(incoming) => {
            let stopped = until(stopped);
            router.serve_with_incoming_shutdown(incoming, stopped).await
        }
        None => Ok(()),
    }
}

/// Over HTTP, if there is such a listener. It has no failure of its own.
async fn answer_probes(
    listener: Option<TcpListener>,
    verdicts: Arc<dyn Verdicts>,
    stopped: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    if let Some(listener) = listener {
        http::serve(listener, verdicts, until(stopped)).await;
    }
    Ok(())
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn report(reporter: &HealthReporter, status: ServingStatus) {
    for name in ["", SERVICE] {
        reporter.set_service_status(name, status).await;
    }
}

/// Health is open to probes, which have no token.
fn router(
    guard: &Guard,
    service: QueryService,
    health: HealthServer<impl Health>,
) -> Result<Router, anyhow::Error> {
    let query = QueryServer::new(service)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .add_service(guard.before(query))
        .add_service(health)
        .add_service(guard.before(reflection().build_v1()?))
        .add_service(guard.before(reflection().build_v1alpha()?)))
}
