//! TLS from PEM files that may change under it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    certificate::Certificate,
    files::{FileError, LOOK, Reloaded, Source},
    pem,
};

/// What is spoken inside: gRPC, and pages for browsers.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// A certificate that ends within this time is warned of.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 86_400);
const WARN_EVERY: Duration = Duration::from_secs(12 * 3600);

/// What is asked of clients where there is a client CA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Clients without a certificate are turned away in the handshake.
    #[default]
    Required,
    /// Clients may come without; a [`Guard`](crate::token::Guard) then wants a token.
    Optional,
}

/// Where certificates and keys are. All PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
    /// The authorities of client certificates; with it clients are asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether they have to give one.
    pub clients: ClientCertificates,
}

/// TLS for a listener. Clones are the same. Connections keep what they began with when files
/// change; new ones get the new.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    loaded: Reloaded<Loaded>,
    warned: Mutex<Option<Instant>>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    certificate: Certificate,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The file that cannot be used, and why: unreadable, no PEM, a key of another certificate.
    pub fn load(files: &TlsFiles) -> Result<Self, FileError> {
        let mut paths = vec![files.certificate.clone(), files.key.clone()];
        paths.extend(files.client_ca.clone());
        let clients = files.clients;
        let parse = move |sources: &[Source]| load(sources, clients);
        let loaded = Reloaded::new("TLS certificates", paths, LOOK, parse)?;
        let tls = Self(Arc::new(Inner {
            loaded,
            warned: Mutex::new(None),
        }));
        tls.tell();
        tls.warn_of_expiry();
        Ok(tls)
    }

    /// Reads the files now, as at SIGHUP. True: they had changed. [`incoming`](super::incoming)
    /// does so by itself every 10 s.
    ///
    /// # Errors
    /// The file that cannot be used; what was loaded before stays.
    pub fn reload(&self) -> Result<bool, FileError> {
        let outcome = self.0.loaded.reload();
        if outcome == Ok(true) {
            self.tell();
        }
        self.warn_of_expiry();
        outcome
    }

    /// The server's own certificate.
    pub fn certificate(&self) -> Certificate {
        self.0.loaded.value().certificate.clone()
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.loaded.value().config))
    }

    fn tell(&self) {
        let certificate = self.certificate();
        tracing::info!(
            holder = certificate.holder(),
            expires_in = %days(certificate.expires),
            "TLS certificate loaded"
        );
    }

    fn warn_of_expiry(&self) {
        let expires = self.0.loaded.value().certificate.expires;
        if expires > SystemTime::now() + EXPIRES_SOON {
            return;
        }
        let mut warned = self.0.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            *warned = Some(Instant::now());
            tracing::warn!(expires_in = %days(expires), "the TLS certificate has to be renewed");
        }
    }
}

fn load(sources: &[Source], clients: ClientCertificates) -> Result<Loaded, FileError> {
    let (chain, key, client_ca) = match sources {
        [chain, key] => (chain, key, None),
        [chain, key, client_ca, ..] => (chain, key, Some(client_ca)),
        _ => unreachable!("a certificate and a key are always named"),
    };
    let certificates = pem::certificates(chain)?;
    let certificate = match certificates.first() {
        Some(first) => Certificate::parse(first).map_err(|reason| chain.refuse(reason))?,
        None => unreachable!("an empty file is refused"),
    };
    let verifier = client_ca.map(|source| verifier(source, clients));
    let verifier = verifier.unwrap_or_else(|| Ok(WebPkiClientVerifier::no_client_auth()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| chain.refuse(error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, pem::key(key)?)
        .map_err(|error| key.refuse(format_args!("does not fit the certificate: {error}")))?;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Loaded {
        config: Arc::new(config),
        certificate,
    })
}

fn verifier(
    source: &Source,
    clients: ClientCertificates,
) -> Result<Arc<dyn ClientCertVerifier>, FileError> {
    let roots = Arc::new(pem::roots(source)?);
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let builder = match clients {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| source.refuse(error))
}

fn days(until: SystemTime) -> String {
    match until.duration_since(SystemTime::now()) {
        Ok(left) => format!("{} days", left.as_secs() / 86_400),
        Err(past) => format!("-{} days (expired)", past.duration().as_secs() / 86_400),
    }
}
