//! The way to the receiver: one request at a time, tried again as OTLP says.

use std::{error::Error as _, time::Duration};

use opentelemetry_proto::tonic::collector::profiles::v1development::{
    ExportProfilesPartialSuccess, ExportProfilesServiceRequest,
    profiles_service_client::ProfilesServiceClient,
};
use profiler_formats::text::clean;
use profiler_net::client::{Channel, connect, refusal};
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::{Counters, Settings, headers, queue::Queue};

/// A connection that is not used for so long is closed: receivers may take pings on it amiss.
const IDLE: Duration = Duration::from_secs(10);
/// So many characters of a receiver's message are logged.
const MESSAGE_MAX: usize = 300;

/// What to do with a request that failed.
enum Failure {
    /// Try it again, after this time if the receiver said so.
    Again(String, Option<Duration>),
    /// The receiver will never take it.
    Never(String),
}

pub(super) struct Sender<'a> {
    settings: &'a Settings,
    queue: &'a Queue,
    counters: &'a Counters,
    client: Option<ProfilesServiceClient<Channel>>,
    /// Until the next try.
    wait: Duration,
    /// What was logged last, so that it is logged once.
    told: Option<String>,
}

impl<'a> Sender<'a> {
    pub(super) fn new(settings: &'a Settings, queue: &'a Queue, counters: &'a Counters) -> Self {
        Self {
            settings,
            queue,
            counters,
            client: None,
            wait: settings.limits.wait_first,
            told: None,
        }
    }

    /// Sends what waits, oldest first, until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let Ok(waiting) = timeout(IDLE, self.queue.take()).await else {
                self.client = None;
                continue;
            };
            match self.export(&waiting.request).await {
                Ok(partial) => self.taken(waiting.profiles, partial),
                Err(Failure::Never(reason)) => {
                    self.counters.profiles_rejected.inc_by(waiting.profiles);
                    self.tell(format!("refused: {reason}"));
                    self.works();
                }
                Err(Failure::Again(reason, after)) => {
                    self.counters.retries.inc();
                    self.queue.put_back(waiting);
                    self.tell(reason);
                    self.client = None;
                    sleep(self.pause(after)).await;
                }
            }
        }
    }

    async fn export(
        &mut self,
        message: &ExportProfilesServiceRequest,
    ) -> Result<Option<ExportProfilesPartialSuccess>, Failure> {
        let again = |reason| Failure::Again(reason, None);
        // Kept for the next try.
        let mut request = Request::new(message.clone());
        if let Some(file) = &self.settings.header_file {
            *request.metadata_mut() = headers::read(file).map_err(again)?;
        }
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(open(self.settings).await.map_err(again)?),
        };
        match client.export(request).await {
            Ok(answer) => Ok(answer.into_inner().partial_success),
            Err(status) => Err(judge(&status)),
        }
    }

    fn taken(&mut self, profiles: u64, partial: Option<ExportProfilesPartialSuccess>) {
        self.works();
        let partial = partial.unwrap_or_default();
        let rejected = u64::try_from(partial.rejected_profiles)
            .unwrap_or(0)
            .min(profiles);
        self.counters.profiles_sent.inc_by(profiles - rejected);
        self.counters.profiles_rejected.inc_by(rejected);
        if rejected > 0 || !partial.error_message.is_empty() {
            let message = short(&partial.error_message);
            self.tell(format!(
                "some of {profiles} profiles were not taken ({rejected}): {message}"
            ));
        } else if self.told.take().is_some() {
            tracing::info!(
                endpoint = self.settings.endpoint,
                "OTLP profiles are taken again"
            );
        }
    }

    fn works(&mut self) {
        self.queue.works();
        self.wait = self.settings.limits.wait_first;
    }

    /// The time until the next try: as the receiver wishes, else longer each time, and never the
    /// same for all collectors.
    fn pause(&mut self, wished: Option<Duration>) -> Duration {
        let longest = self.settings.limits.wait_longest;
        if let Some(wished) = wished {
            return wished.min(longest);
        }
        let wait = self.wait.min(longest);
        self.wait = wait.saturating_mul(2);
        wait.mul_f64(rand::random_range(0.5..1.0))
    }

    fn tell(&mut self, reason: String) {
        if self.told.as_ref() != Some(&reason) {
            tracing::warn!(endpoint = self.settings.endpoint, reason, "OTLP profiles");
            self.told = Some(reason);
        }
    }
}

async fn open(settings: &Settings) -> Result<ProfilesServiceClient<Channel>, String> {
    let to = profiler_net::client::Settings {
        ca: settings.ca.clone(),
        request_timeout: Some(settings.limits.request),
        ..profiler_net::client::Settings::new(&*settings.endpoint)
    };
    let channel = connect(&to).await.map_err(|error| error.to_string())?;
    Ok(ProfilesServiceClient::new(channel))
}

/// As the specification of OTLP/gRPC divides them, and broken connections.
fn judge(status: &Status) -> Failure {
    let reason = match refusal(status) {
        Some(refusal) => refusal.to_string(),
        None => format!("{:?}: {}", status.code(), short(status.message())),
    };
    let wished = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    let passes = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        // Without it the request itself is too much, and will be.
        Code::ResourceExhausted => wished.is_some(),
        // The receiver's own words have no cause on this side.
        _ => status.source().is_some(),
    };
    match passes {
        true => Failure::Again(reason, wished),
        false => Failure::Never(reason),
    }
}

/// A receiver's words for the log.
fn short(message: &str) -> String {
    let first: String = message.chars().take(MESSAGE_MAX).collect();
    clean(&first).into_owned()
}
