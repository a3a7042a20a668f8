//! Health over HTTP/1.1: `/healthz`, `/readyz`, `/health/container/<id prefix>` and
//! `/health/pod/<uid>`.
//!
//! 200: healthy or not known (`state` is then `unknown`); 503: not healthy. With `?strict=1` what is
//! not known is 404, and a name that may mean several 400: for people and scripts, not for probes,
//! which take everything above 399 for a failure. One answer a connection, and two seconds for it.

use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    http::StatusCode,
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use profiler_net::server::{Limits, incoming};
use serde::Serialize;
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_stream::StreamExt as _;

use super::{Lookup, Verdicts};

/// Probes are short.
const LIMITS: Limits = Limits {
    connections: 256,
    per_address: 64,
    handshakes: 64,
    handshake_time: TIME,
    silence: TIME,
};
/// From the first byte of a request to the last of its answer.
const TIME: Duration = Duration::from_secs(2);
/// Connections that are served at once. Above, the oldest gives way: honest ones take milliseconds, and
/// whoever only holds places, from this host mostly, keeps no probe out.
const SERVED_MAX: usize = 128;
/// Of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

type Source = Arc<dyn Verdicts>;

/// What a probe reads.
#[derive(Debug, Serialize)]
struct Body {
    healthy: bool,
    state: String,
    reason: String,
    time_to_limit_seconds: Option<f64>,
}

/// Answers until `stopped`. Needs a tokio runtime.
pub async fn serve(
    listener: TcpListener,
    verdicts: Arc<dyn Verdicts>,
    stopped: impl Future<Output = ()>,
) {
    let mut incoming = incoming(listener, None, LIMITS);
    let service = TowerToHyperService::new(router(verdicts));
    let (mut served, mut oldest) = (JoinSet::new(), VecDeque::new());
    tokio::pin!(stopped);
    loop {
        let connection = tokio::select! {
            () = &mut stopped => break,
            Some(_) = served.join_next() => continue,
            Some(Ok(connection)) = incoming.next() => connection,
        };
        oldest.retain(|one: &AbortHandle| !one.is_finished());
        if oldest.len() >= SERVED_MAX
            && let Some(one) = oldest.pop_front()
        {
            one.abort();
        }
        let mut http = http1::Builder::new();
        http.keep_alive(false).max_buf_size(HEAD_BYTES_MAX);
        let answered = http.serve_connection(TokioIo::new(connection), service.clone());
        // What went wrong is the client's to know.
        oldest.push_back(served.spawn(timeout(TIME, answered)));
    }
    // Those that are being answered are not cut off: each has its time.
    served.detach_all();
}

fn router(verdicts: Source) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/health/container/{id}", get(container))
        .route("/health/pod/{uid}", get(pod))
        .with_state(verdicts)
}

async fn ready(State(verdicts): State<Source>) -> (StatusCode, &'static str) {
    match verdicts.ready() {
        true => (StatusCode::OK, "ok\n"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not attached yet, or no reading of memory was taken yet\n",
        ),
    }
}

async fn container(
    State(verdicts): State<Source>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> (StatusCode, Json<Body>) {
    answer("container", verdicts.container(&id), query)
}

async fn pod(
    State(verdicts): State<Source>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> (StatusCode, Json<Body>) {
    answer("pod", verdicts.pod(&uid), query)
}

fn answer(kind: &str, lookup: Lookup, query: Option<String>) -> (StatusCode, Json<Body>) {
    let strict = query.is_some_and(|query| query.split('&').any(|one| one == "strict=1"));
    let status = match &lookup {
        Lookup::Found(health) if !health.healthy => StatusCode::SERVICE_UNAVAILABLE,
        Lookup::Unknown if strict => StatusCode::NOT_FOUND,
        Lookup::Ambiguous(_) if strict => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let health = lookup.health(kind);
    let body = Body {
        healthy: health.healthy,
        state: health.state,
        reason: health.reason,
        time_to_limit_seconds: health.time_to_limit_seconds,
    };
    (status, Json(body))
}
