//! TCP and TLS for a channel. Files are read for each connection, so that a renewed certificate
//! serves the next.

use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::{ConnectError, Settings, Target, settings_error, stream::ClientStream};
use crate::{files::Source, pem, stream::Stream};

const HTTP2: &[u8] = b"h2";
/// A server of HTTP/2 speaks first (RFC 9113, 3.4); one that does not is asked all the same.
const GREETING: Duration = Duration::from_millis(500);

/// Opens connections to one target, whatever URI it is asked for.
#[derive(Clone)]
pub(super) struct Connector(Arc<Settings>, Target);

impl Connector {
    /// Reads the files once, so that errors in them are told before anything is sent.
    pub(super) fn new(settings: &Settings, target: Target) -> Result<Self, ConnectError> {
        if target.tls {
            config(settings)?;
        } else if settings.ca.is_some() || settings.cert.is_some() {
            return Err(settings_error(format_args!(
                "certificates mean nothing over http://: use https://{}",
                target.authority
            )));
        }
        Ok(Self(Arc::new(settings.clone()), target))
    }
}

type Opening = Pin<Box<dyn Future<Output = Result<TokioIo<ClientStream>, ConnectError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = TokioIo<ClientStream>;
    type Error = ConnectError;
    type Future = Opening;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Opening {
        let Self(settings, target) = self.clone();
        Box::pin(async move {
            let opening = timeout(settings.connect_timeout, open(&settings, &target));
            let stream = opening.await.map_err(|_| {
                let seconds = settings.connect_timeout.as_secs_f32();
                ConnectError::Unreachable(format!("no connection within {seconds} s"))
            })??;
            Ok(TokioIo::new(ClientStream(stream)))
        })
    }
}

async fn open(settings: &Settings, target: &Target) -> Result<BufReader<Stream>, ConnectError> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await;
    let stream = stream.map_err(|error| ConnectError::Unreachable(error.to_string()))?;
    // Requests are written whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    if !target.tls {
        return Ok(BufReader::new(Stream::Plain(stream)));
    }
    let name = settings.server_name.as_ref().unwrap_or(&target.host);
    let name = ServerName::try_from(name.clone())
        .map_err(|_| settings_error(format_args!("{name:?} is no name of a server")))?;
    let connector = TlsConnector::from(Arc::new(config(settings)?));
    let stream = connector.connect(name, stream).await;
    let stream = stream.map_err(|error| ConnectError::from_handshake(&error))?;
    if stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
        let reason =
            "the server does not offer HTTP/2 over TLS (ALPN): is it an agent or collector?";
        return Err(ConnectError::Untrusted(reason.to_owned()));
    }
    greeted(Stream::Tls(Box::new(stream.into()))).await
}

/// Waits for the server's first words before any are said to it. A server refuses a client
/// certificate only after the client's own handshake is over (RFC 8446, 4.4.2.4), and closes: a
/// request that reaches it then has the connection reset, and why is lost.
async fn greeted(stream: Stream) -> Result<BufReader<Stream>, ConnectError> {
    let mut stream = BufReader::new(stream);
    match timeout(GREETING, stream.fill_buf()).await {
        Ok(Ok([])) => {
            let reason = "the server closed the connection after the TLS handshake";
            Err(ConnectError::Unreachable(reason.to_owned()))
        }
        Ok(Err(error)) => Err(ConnectError::from_handshake(&error)),
        Ok(Ok(_)) | Err(_) => Ok(stream),
    }
}

fn config(settings: &Settings) -> Result<ClientConfig, ConnectError> {
    let roots = roots(settings.ca.as_deref())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(settings_error)?
        .with_root_certificates(roots);
    let mut config = match (&settings.cert, &settings.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = pem::certificates(&Source::read(cert)?)?;
            let source = Source::read(key)?;
            let config = builder.with_client_auth_cert(chain, pem::key(&source)?);
            let misfit =
                |error| source.refuse(format_args!("does not fit the certificate: {error}"));
            config.map_err(misfit)?
        }
        _ => {
            let reason = "a client certificate needs its key, and the other way round: give both \
                          --tls-cert and --tls-key (cert, key)";
            return Err(settings_error(reason));
        }
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, ConnectError> {
    if let Some(path) = ca {
        return Ok(pem::roots(&Source::read(path)?)?);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let reason = "this host trusts no CA at all: give that of the server with --tls-ca (ca)";
        return Err(settings_error(reason));
    }
    Ok(roots)
}
