//! Serves the pages of a canned fleet on loopback, to look at: `cargo run -p profiler-collector
//! --example pages`.

#[path = "../tests/web/canned.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod canned;

use std::sync::Arc;

use profiler_collector::web::{Settings, router};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 7752)).await?;
    println!("http://{}/", listener.local_addr()?);
    axum::serve(
        listener,
        router(Arc::new(canned::Canned), &Settings::default()),
    )
    .await
}
