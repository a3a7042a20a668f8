//! Why there is no connection, and what to do about it.

use std::{error::Error, io};

use rustls::{AlertDescription as Alert, CertificateError as Invalid};

use crate::files::FileError;

/// Why there is no connection, and what to do about it.
///
/// Where TLS is refused on a connection that stands already, requests fail, and [`refusal`] finds
/// these words in their `tonic::Status`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// One of their files cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
    /// Somebody answers, but no trust came about.
    #[error("{0}")]
    Untrusted(String),
}

impl ConnectError {
    /// Out of the transport's error, which wraps that of the connector.
    pub(super) fn from_chain(error: &(dyn Error + 'static)) -> Self {
        let (mut next, mut last) = (Some(error), String::new());
        while let Some(error) = next {
            if let Some(own) = error.downcast_ref::<Self>() {
                return own.clone();
            }
            last = error.to_string();
            next = error.source();
        }
        Self::Unreachable(last)
    }

    pub(super) fn from_handshake(error: &io::Error) -> Self {
        match tls(error) {
            Some(error) => Self::Untrusted(reason(error)),
            None => Self::Unreachable(format!("the TLS handshake broke off: {error}")),
        }
    }
}

/// How the errors of `in_words` are known again: HTTP/2 keeps their kind and their text alone.
const REFUSED: io::ErrorKind = io::ErrorKind::PermissionDenied;

/// The same error, with words that say what to do.
pub(super) fn in_words(error: io::Error) -> io::Error {
    match tls(&error) {
        Some(inner) => io::Error::new(REFUSED, ConnectError::Untrusted(reason(inner))),
        None => error,
    }
}

/// What TLS has to say about a request that failed: the server refused this client's certificate,
/// or wants TLS where there is none. `error` is a `tonic::Status`, or any other that wraps it.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<ConnectError> {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    // Chains are short; the bound guards against one that loops.
    for error in chain.take(16) {
        let http = error.downcast_ref::<h2::Error>();
        if http.and_then(h2::Error::reason) == Some(h2::Reason::INADEQUATE_SECURITY) {
            let wanted = "the server speaks TLS on this port: use https://";
            return Some(ConnectError::Untrusted(wanted.to_owned()));
        }
        let io = error.downcast_ref::<io::Error>();
        if let Some(error) = io.filter(|error| error.kind() == REFUSED) {
            return Some(ConnectError::Untrusted(error.to_string()));
        }
    }
    None
}

fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(invalid) => server_certificate(invalid),
        rustls::Error::AlertReceived(alert) => refused(*alert),
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS on this port: use http:// if that is meant".to_owned()
        }
        error => format!("TLS failed: {error}"),
    }
}

fn server_certificate(invalid: &Invalid) -> String {
    match invalid {
        Invalid::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "the server's certificate is for {}, not for {}: connect by a name that it has, or \
             give one with --tls-server-name (server_name)",
            names(presented),
            expected.to_str()
        ),
        Invalid::UnknownIssuer | Invalid::BadSignature => {
            "the server's certificate is signed by no CA that is trusted here: give its CA with \
             --tls-ca (ca)"
                .to_owned()
        }
        Invalid::Expired | Invalid::ExpiredContext { .. } => {
            "the server's certificate has expired: it has to be renewed there, if the clock of \
             this host is right"
                .to_owned()
        }
        Invalid::NotValidYet | Invalid::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: look at the clocks of both hosts".to_owned()
        }
        other => format!("the server's certificate cannot be used: {other}"),
    }
}

/// `presented` as rustls writes it: `DnsName("a")`.
fn names(presented: &[String]) -> String {
    let name = |text: &String| {
        let inner = text
            .split_once('(')
            .map_or(text.as_str(), |(_, inner)| inner);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    match presented {
        [] => "no name".to_owned(),
        names => names.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

/// What the server said about this client.
fn refused(alert: Alert) -> String {
    match alert {
        Alert::CertificateRequired => "the server wants a client certificate: give one with \
                                       --tls-cert and --tls-key (cert, key)"
            .to_owned(),
        Alert::UnknownCA | Alert::BadCertificate | Alert::DecryptError => {
            "the server does not accept this client's certificate: it is not signed by the \
             server's client CA"
                .to_owned()
        }
        Alert::CertificateExpired => {
            "the server does not accept this client's certificate: it has expired".to_owned()
        }
        alert => format!("the server broke off TLS: {alert:?}"),
    }
}
