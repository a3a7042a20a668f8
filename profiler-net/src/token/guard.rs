//! The guard before services: who asks, and whether they may.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Instant,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::{body::Body, server::NamedService};
use tower::{Layer, Service};

use super::{Tokens, failures::Failures, refusal::Refusal};
use crate::{certificate::Certificate, server::Peer};

/// Who may pass. With neither tokens nor certificates everyone may.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whoever sends one of these.
    pub tokens: Option<Tokens>,
    /// Whoever came with a client certificate that the listener has verified.
    pub certificates: bool,
    /// Paths that are open to all, such as health.
    pub open: fn(&str) -> bool,
}

/// Who asks. The guard puts it into the extensions of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The holder of a verified client certificate.
    Certificate(Arc<Certificate>),
    /// Whoever has a token, by the name of its line.
    Token(Option<Arc<str>>),
    /// Nobody was asked: the path is open, or the policy is.
    Anyone,
}

/// What became of requests, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Came without a token or certificate.
    pub missing: AtomicU64,
    /// Came with a token that is not known.
    pub wrong: AtomicU64,
    /// Came with a wrong one from an address that has to wait after others.
    pub limited: AtomicU64,
    /// Addresses whose failures were forgotten because the table was full.
    pub forgotten: AtomicU64,
}

/// A [`Layer`] that lets requests pass by a [`Policy`], for gRPC and for HTTP. The address of the
/// client and its certificate come from the [`Peer`] in the request's extensions. Clones share
/// their counts, and what they know of failures.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    policy: Policy,
    failures: Failures,
    counts: Arc<Counts>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0.policy).finish()
    }
}

impl Guard {
    /// A guard that follows `policy`.
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(Inner {
            policy,
            failures: Failures::default(),
            counts: Arc::default(),
        }))
    }

    /// Lets everyone pass.
    pub fn open() -> Self {
        Self::new(Policy {
            tokens: None,
            certificates: false,
            open: |_| true,
        })
    }

    /// Puts the guard before one service; as a [`Layer`] it goes before all of a server.
    pub fn before<S>(&self, inner: S) -> Guarded<S> {
        self.layer(inner)
    }

    /// What became of requests.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.0.counts)
    }

    /// Who asks, or how they are turned away.
    fn admit<B>(&self, request: &Request<B>) -> Result<Identity, Refusal> {
        let policy = &self.0.policy;
        let peer = request.extensions().get::<Peer>();
        if (policy.open)(request.uri().path()) || (policy.tokens.is_none() && !policy.certificates)
        {
            return Ok(Identity::Anyone);
        }
        let certificate = peer.and_then(|peer| peer.certificate.as_ref());
        if let Some(certificate) = certificate.filter(|_| policy.certificates) {
            return Ok(Identity::Certificate(Arc::clone(certificate)));
        }
        let missing = Refusal::Missing {
            certificate: policy.certificates,
            token: policy.tokens.is_some(),
        };
        let (Some(tokens), Some(presented)) = (&policy.tokens, presented(request.headers())) else {
            self.0.counts.missing.fetch_add(1, Relaxed);
            return Err(missing);
        };
        let address = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.address.ip());
        self.check(tokens, &presented, address)
    }

    /// Right ones pass at once: others at a shared address must not be able to lock them out.
    fn check(
        &self,
        tokens: &Tokens,
        presented: &[u8],
        address: IpAddr,
    ) -> Result<Identity, Refusal> {
        let Inner {
            failures, counts, ..
        } = &*self.0;
        if let Some(name) = tokens.find(presented) {
            return Ok(Identity::Token(name));
        }
        let now = Instant::now();
        if let Some(left) = failures.wait(address, now) {
            counts.limited.fetch_add(1, Relaxed);
            return Err(Refusal::Wait(left));
        }
        counts.wrong.fetch_add(1, Relaxed);
        let forgotten = failures.note(address, now);
        counts.forgotten.fetch_add(forgotten.into(), Relaxed);
        if failures.wait(address, now).is_some() {
            tracing::warn!(%address, "too many wrong tokens: this address has to wait");
        }
        Err(Refusal::Wrong)
    }
}

/// The token of a request: of `Bearer`, or the password of `Basic` (RFC 6750, RFC 7617).
fn presented(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            guard: self.clone(),
        }
    }
}

/// A service behind a [`Guard`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S: NamedService> NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.guard.admit(&request) {
            Ok(identity) => {
                request.extensions_mut().insert(identity);
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(answer.await?.map(Body::new)) })
            }
            Err(refusal) => {
                let response = refusal.response(request.headers());
                Box::pin(async move { Ok(response) })
            }
        }
    }
}
