//! The web pages, over a canned fleet: in this process, and in a browser.

mod browser;
mod canned;
mod devtools;
mod document;
mod routes;

use std::{sync::Arc, time::Duration};

use axum::Router;
use profiler_collector::web::{Settings, router};

use canned::{CHECKOUT, FROM, TO};

/// The pages of the canned fleet.
fn pages() -> Router {
    let settings = Settings {
        answer_limit: Duration::from_millis(500),
    };
    router(Arc::new(canned::Canned), &settings)
}

/// Each page with a name: at a fixed time, so that two runs see the same.
fn addresses() -> Vec<(&'static str, String)> {
    let time = format!("from={FROM}&to={TO}");
    let container = format!("container={CHECKOUT}&node=node-a");
    vec![
        ("overview", format!("/?{time}")),
        ("container", format!("/container?{container}&{time}")),
        (
            "container-marked",
            format!("/container?{container}&{time}&mark=2026-03-10T10:40:00Z"),
        ),
        (
            "container-by-function",
            format!("/container?{container}&{time}&by=function"),
        ),
        ("workload", format!("/container?workload=search&{time}")),
        ("process", format!("/container?pid=4711&node=node-a&{time}")),
        (
            "connection",
            format!("/container?{container}&{time}&connection=8193"),
        ),
        (
            "diff",
            format!("/diff?{container}&from=2026-03-10T10:40:00Z&to=2026-03-10T11:40:00Z"),
        ),
        (
            "diff-by-connection",
            format!("/diff?{container}&{time}&by=connection"),
        ),
        (
            "diff-against",
            format!("/diff?pod=shop/cart-4&against.pod=shop/cart-8&to={TO}"),
        ),
        (
            "container-without-verdict",
            format!("/container?container={:064x}&{time}", 69),
        ),
        ("oom", format!("/oom?{time}")),
        ("oom-of-one", format!("/oom?container={CHECKOUT}")),
        ("oom-none", format!("/oom?pod=shop/cart-4&{time}")),
        ("status", "/status".into()),
        ("not-found", "/container?process=missing".into()),
    ]
}
