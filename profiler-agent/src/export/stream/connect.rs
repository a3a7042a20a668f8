//! Streams to collectors, with TLS, certificates and a token where the configuration has them.

use profiler_net::client::{self, ConnectError};
use profiler_proto::v1::{self, ingest_client::IngestClient};
use profiler_stream::sender::{Connect, Messages};
use tonic::{Status, Streaming};

use crate::config::Collectors;

/// Opens streams as the configuration says.
pub(super) struct Secured(client::Settings);

impl Secured {
    pub(super) fn new(collectors: &Collectors) -> Self {
        let (cert, key) = collectors.identity.clone().unzip();
        Self(client::Settings {
            ca: collectors.ca.clone(),
            cert,
            key,
            token_file: collectors.token_file.clone(),
            insecure_token: collectors.insecure,
            ..client::Settings::new("")
        })
    }
}

#[tonic::async_trait]
impl Connect for Secured {
    async fn stream(
        &self,
        endpoint: &str,
        messages: Messages,
    ) -> Result<Streaming<v1::CollectorMessage>, Status> {
        let settings = client::Settings {
            endpoint: endpoint.to_owned(),
            ..self.0.clone()
        };
        let channel = client::connect(&settings)
            .await
            .map_err(|error| refusal(&error))?;
        let stream = IngestClient::new(channel).stream(messages).await;
        let stream = stream.map_err(|status| match client::refusal(&status) {
            Some(error) => refusal(&error),
            None => status,
        });
        Ok(stream?.into_inner())
    }
}

/// What only the operator can change is tried again rarely.
fn refusal(error: &ConnectError) -> Status {
    match error {
        ConnectError::Unreachable(reason) => Status::unavailable(reason),
        _ => Status::failed_precondition(error.to_string()),
    }
}
