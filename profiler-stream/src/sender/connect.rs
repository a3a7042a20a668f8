//! Streams to a collector.

use std::time::Duration;

use profiler_proto::v1::{self, ingest_client::IngestClient};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Endpoint};

/// A peer that no longer answers is noticed by these.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);

/// What the sender says on a stream.
pub type Messages = ReceiverStream<v1::AgentMessage>;

/// Opens streams. What it needs for that, certificates and tokens, it reads anew for each.
#[tonic::async_trait]
pub trait Connect: Send + Sync {
    /// Connects to `endpoint` (scheme, host and port) and calls `Ingest.Stream`. The connection ends
    /// with the stream. The caller limits the time; HTTP/2's keepalive is for the implementation.
    ///
    /// # Errors
    /// Why there is none, in words for an operator. What will not be different in a moment has a
    /// code that says so, such as `FAILED_PRECONDITION`.
    async fn stream(
        &self,
        endpoint: &str,
        messages: Messages,
    ) -> Result<Streaming<v1::CollectorMessage>, Status>;
}

/// Streams without TLS, to `http://` endpoints.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

#[tonic::async_trait]
impl Connect for Plain {
    async fn stream(
        &self,
        endpoint: &str,
        messages: Messages,
    ) -> Result<Streaming<v1::CollectorMessage>, Status> {
        let failed = |error: tonic::transport::Error| Status::from_error(error.into());
        let endpoint = Endpoint::from_shared(endpoint.to_owned()).map_err(failed)?;
        let channel = endpoint
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_ANSWER)
            .keep_alive_while_idle(true)
            .connect()
            .await
            .map_err(failed)?;
        let stream = IngestClient::new(channel).stream(messages).await?;
        Ok(stream.into_inner())
    }
}
