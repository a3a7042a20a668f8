//! How a request is turned away, in gRPC and in HTTP.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tonic::{Status, body::Body};

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It names nobody.
    Missing {
        /// A certificate would do.
        certificate: bool,
        /// A token would do.
        token: bool,
    },
    /// The token is none of those that are known.
    Wrong,
    /// Too many wrong tokens came from its address.
    Wait(Duration),
}

impl Refusal {
    fn message(self) -> String {
        match self {
            Self::Missing { certificate, token } => {
                let needed = match (certificate, token) {
                    (true, true) => "a client certificate or a token is needed",
                    (true, false) => "a client certificate is needed",
                    _ => "a token is needed",
                };
                let how = if token {
                    ": send `authorization: Bearer TOKEN` (--token-file FILE), or the token as \
                     password of HTTP Basic"
                } else {
                    ": --tls-cert FILE --tls-key FILE, signed by the client CA of this server"
                };
                format!("{needed}{how}")
            }
            Self::Wrong => "this token is not known here: it may have been replaced; ask whoever \
                            runs this server for a current one"
                .to_owned(),
            Self::Wait(left) => format!(
                "too many wrong tokens came from this address: wait {} s",
                seconds(left)
            ),
        }
    }

    /// As the client speaks: `headers` are those of its request.
    pub(super) fn response(self, headers: &HeaderMap) -> Response<Body> {
        let content = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if content.is_some_and(|content| content.starts_with(b"application/grpc")) {
            return self.status().into_http();
        }
        let mut response = Response::new(Body::new(format!("{}\n", self.message())));
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        let (status, name, value) = self.http();
        *response.status_mut() = status;
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn status(self) -> Status {
        match self {
            Self::Missing { .. } | Self::Wrong => Status::unauthenticated(self.message()),
            Self::Wait(_) => Status::resource_exhausted(self.message()),
        }
    }

    fn http(self) -> (StatusCode, HeaderName, Option<HeaderValue>) {
        match self {
            // Browsers ask for a password when they see Basic.
            Self::Missing { token: true, .. } | Self::Wrong => {
                let basic =
                    "Basic realm=\"profiler: the token is the password\", charset=\"UTF-8\"";
                let value = HeaderValue::from_static(basic);
                (StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, Some(value))
            }
            // No header can help: the connection lacks the certificate.
            Self::Missing { .. } => (StatusCode::FORBIDDEN, WWW_AUTHENTICATE, None),
            Self::Wait(left) => {
                let value = HeaderValue::from(seconds(left));
                (StatusCode::TOO_MANY_REQUESTS, RETRY_AFTER, Some(value))
            }
        }
    }
}

fn seconds(left: Duration) -> u64 {
    left.as_secs() + 1
}
