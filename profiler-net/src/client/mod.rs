//! The asking side: a channel to an agent or a collector, with TLS and a token where wanted.

mod bearer;
mod connector;
mod error;
mod stream;
mod target;

use std::{path::PathBuf, time::Duration};

use tonic::{
    service::interceptor::InterceptedService,
    transport::{Channel as Transport, Endpoint},
};

use crate::token::Tokens;

pub use bearer::Bearer;
pub use error::{ConnectError, refusal};
pub use target::Target;

use connector::Connector;

/// Peers that no longer answer are noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A channel that sends the token with each request. It connects again by itself; the files are
/// read again for each new connection.
pub type Channel = InterceptedService<Transport, Bearer>;

/// Where to connect, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `https://HOST:PORT` or `http://HOST:PORT`.
    pub endpoint: String,
    /// PEM file of the authorities that may have signed the server's certificate; those that this
    /// host trusts if none.
    pub ca: Option<PathBuf>,
    /// PEM file of a certificate to show, with `key`.
    pub cert: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// File whose first token is sent.
    pub token_file: Option<PathBuf>,
    /// The name that the server's certificate has to carry, if not the endpoint's host.
    pub server_name: Option<String>,
    /// The token may go to other hosts in clear text.
    pub insecure_token: bool,
    /// Time for a connection: lookup, TCP and TLS.
    pub connect_timeout: Duration,
    /// Time for an answer; none for streams that stay.
    pub request_timeout: Option<Duration>,
}

impl Settings {
    /// To `endpoint`, without certificates or a token.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            ca: None,
            cert: None,
            key: None,
            token_file: None,
            server_name: None,
            insecure_token: false,
            connect_timeout: Duration::from_secs(5),
            request_timeout: None,
        }
    }
}

/// Connects.
///
/// # Errors
/// What is wrong and what to do: with the settings or their files, with the way there, or with
/// one of the certificates. A connection that is made again later fails in the requests that want
/// it: see [`refusal`].
pub async fn connect(settings: &Settings) -> Result<Channel, ConnectError> {
    let target: Target = settings.endpoint.parse().map_err(ConnectError::Settings)?;
    let bearer = bearer(settings, &target)?;
    let connector = Connector::new(settings, target.clone())?;
    let scheme = if target.tls { "https" } else { "http" };
    let origin = format!("{scheme}://{}", target.authority);
    let origin = origin.parse().map_err(settings_error)?;
    let mut endpoint = Endpoint::from_shared(format!("http://{}", target.authority))
        .map_err(settings_error)?
        .origin(origin)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_while_idle(true);
    if let Some(timeout) = settings.request_timeout {
        endpoint = endpoint.timeout(timeout);
    }
    let transport = endpoint.connect_with_connector(connector).await;
    let transport = transport.map_err(|error| ConnectError::from_chain(&error))?;
    Ok(InterceptedService::new(transport, bearer))
}

fn settings_error(error: impl std::fmt::Display) -> ConnectError {
    ConnectError::Settings(error.to_string())
}

fn bearer(settings: &Settings, target: &Target) -> Result<Bearer, ConnectError> {
    let Some(path) = &settings.token_file else {
        return Ok(Bearer::none());
    };
    if !target.tls && !target.is_loopback() && !settings.insecure_token {
        return Err(ConnectError::Settings(format!(
            "the token would go to {} in clear text: use https://, or accept that with \
             --insecure-token (insecure_token)",
            target.authority
        )));
    }
    Ok(Bearer::new(Tokens::load(path)?))
}
