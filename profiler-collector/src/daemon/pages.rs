//! The web pages and `/metrics`, on a listener of their own.

use std::{io, sync::Arc};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::{ConnectInfo, Request, State, connect_info::Connected},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
    serve::IncomingStream,
};
use profiler_net::server::{Connection, Incoming, Peer};
use tokio::sync::watch;
use tokio_stream::StreamExt as _;

use super::{Parts, security::Doors, until};
use crate::{metrics::Metrics, web};

/// Until `stopped`.
pub(super) async fn serve(
    incoming: Incoming,
    doors: &Doors,
    parts: &Parts,
    stopped: watch::Receiver<bool>,
) -> Result<()> {
    let metrics = Router::new()
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(&parts.metrics));
    let router =
        web::router(Arc::new(parts.query.clone()), &web::Settings::default()).merge(metrics);
    // A name that a page elsewhere has pointed here would make it one of ours.
    let router = match doors.pages_are_local {
        true => web::only_by_address(router),
        false => router,
    };
    let router = router
        .layer(doors.query.clone())
        // Outside of the guard, which asks who it is.
        .layer(middleware::from_fn(introduce));
    let service = router.into_make_service_with_connect_info::<Guest>();
    axum::serve(Door(incoming), service)
        .with_graceful_shutdown(until(stopped))
        .await
        .context("serve the pages")
}

async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text().await {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(status) => {
            let message = format!("{}\n", status.message());
            (StatusCode::SERVICE_UNAVAILABLE, message).into_response()
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
struct Guest(Peer);

impl Connected<IncomingStream<'_, Door>> for Guest {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

async fn introduce(
    ConnectInfo(Guest(peer)): ConnectInfo<Guest>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(peer);
    next.run(request).await
}

/// Connections after their handshake, as axum takes them.
struct Door(Incoming);

impl axum::serve::Listener for Door {
    type Io = Connection;
    type Addr = Guest;

    async fn accept(&mut self) -> (Connection, Guest) {
        match self.0.next().await {
            Some(Ok(connection)) => {
                let peer = connection.peer().clone();
                (connection, Guest(peer))
            }
            // It yields no errors, and ends with the runtime alone.
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Guest> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
