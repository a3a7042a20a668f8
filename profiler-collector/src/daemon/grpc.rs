//! The services for agents and for those who ask, on one listener.

use std::time::Duration;

use anyhow::Result;
use profiler_net::server::Incoming;
use profiler_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{ingest_server::IngestServer, query_server::QueryServer},
};
use tokio::sync::watch;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tower::Layer as _;

use super::{Parts, security::Doors, until};

/// Names under which health and reflection know the services.
const SERVICES: [&str; 3] = ["", "profiler.v1.Query", "profiler.v1.Ingest"];

/// The longest question: a thousand values in each field of a selector fit.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// The longest answer: 10,000 rows of 40 frames with names of ordinary length fit.
const RESPONSE_BYTES_MAX: usize = 64 << 20;
const STREAMS_MAX: u32 = 64;
/// Peers that no longer answer are let go.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Until `stopped`.
pub(super) async fn serve(
    incoming: Incoming,
    doors: &Doors,
    parts: &Parts,
    stopped: watch::Receiver<bool>,
) -> Result<()> {
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in SERVICES {
        reporter
            .set_service_status(name, ServingStatus::Serving)
            .await;
    }
    let query = QueryServer::new(parts.query.clone())
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX);
    let ingest = IngestServer::new(parts.ingest.clone())
        .max_decoding_message_size(parts.ingest.limits().message_bytes);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .add_service(doors.ingest.layer(ingest))
        .add_service(doors.query.layer(query))
        .add_service(health)
        .add_service(doors.query.layer(reflection().build_v1()?))
        .add_service(doors.query.layer(reflection().build_v1alpha()?))
        .serve_with_incoming_shutdown(incoming, until(stopped))
        .await?;
    Ok(())
}
