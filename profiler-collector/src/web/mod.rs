//! Web pages, made by the server from answers of `profiler.v1.Query` alone.
//!
//! Data flows one way: an address becomes a `View`, the view becomes requests, the answers become
//! markup or bytes. Pages need no script, and nothing is fetched from elsewhere.

mod address;
mod ask;
mod axes;
mod connections;
mod container;
mod diff;
mod download;
mod failure;
mod growth;
mod host;
mod layout;
mod lineage;
mod lives;
mod moment;
mod name;
mod nodes;
mod oom;
mod overview;
mod plot;
mod resident;
mod scale;
mod status;
mod trunk;
mod verdict;
mod window;

use crate::query::VerdictStream;
use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderName, HeaderValue, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use profiler_proto::v1::query_server::Query;

pub use host::only_by_address;

use self::{address::View, ask::Ask, failure::Failure};

/// How pages are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long one answer may take.
    pub answer_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            answer_limit: Duration::from_secs(20),
        }
    }
}

/// The pages of whatever `query` answers about: `/`, `/container`, `/diff`, `/oom` and `/status`, with their
/// downloads. Only GET and HEAD are answered. What is wrong with a question is told on a page with
/// the status 4xx or 5xx that fits the gRPC status of the answer.
pub fn router(
    query: Arc<dyn Query<WatchVerdictsStream = VerdictStream>>,
    settings: &Settings,
) -> Router {
    Router::new()
        .route("/", page(overview::page))
        .route("/container", page(container::page))
        .route("/diff", page(diff::page))
        .route("/oom", page(oom::page))
        .route("/status", page(status::page))
        .route("/flame.svg", page(download::flame_svg))
        .route("/diff.svg", page(download::diff_svg))
        .route("/profile.pb.gz", page(download::profile))
        .route("/stacks.folded", page(download::stacks_folded))
        .route("/diff.folded", page(download::diff_folded))
        .route("/top.json", page(download::top_json))
        .route("/diff.json", page(download::diff_json))
        .route("/series.json", page(download::series_json))
        .route("/connections.json", page(download::connections_json))
        .route("/nodes.json", page(download::nodes_json))
        .route("/status.json", page(download::status_json))
        .route(
            "/style.css",
            fixed("text/css; charset=utf-8", include_str!("style.css")),
        )
        .route(
            "/icon.svg",
            fixed("image/svg+xml", include_str!("icon.svg")),
        )
        .fallback(async || Failure::no_page())
        .method_not_allowed_fallback(async || Failure::no_method())
        .layer(map_response(guard))
        .with_state(Ask::new(query, settings.answer_limit))
}

/// A path whose answer is made from its query string.
fn page<M, A, R>(make: M) -> MethodRouter<Ask>
where
    M: Fn(Ask, View) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<R, Failure>> + Send + 'static,
    R: IntoResponse,
{
    get(
        async move |State(ask): State<Ask>, RawQuery(query): RawQuery| {
            let view = View::parse(query.as_deref().unwrap_or_default())?;
            make(ask, view).await
        },
    )
}

/// A path whose answer is part of the program.
fn fixed(kind: &'static str, content: &'static str) -> MethodRouter<Ask> {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "max-age=3600"),
    ];
    get(async move || (headers, content))
}

/// Pages are shut in: names on them are chosen by the watched.
const GUARDS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    // Answers are about one moment, and not for everybody.
    (header::CACHE_CONTROL, "no-store"),
];

/// Adds to an answer the headers that it has not set itself.
async fn guard(mut response: Response) -> Response {
    for (name, value) in GUARDS {
        let headers = response.headers_mut();
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
