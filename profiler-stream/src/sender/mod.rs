//! Sends what is in the spool to a collector, and keeps at it.
//!
//! Collectors are tried in turn, beginning with the first. When a round over all of them came to
//! nothing, the next one waits: longer each time, and long at once where a collector said that it
//! cannot serve this agent. Only one message waits in memory; a collector that reads slowly, or
//! is slow to make batches durable, slows the sender down.

mod backlog;
mod backoff;
mod connect;
mod handshake;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod window;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

pub use self::{
    backlog::{Backlog, FromSpool},
    connect::{Connect, Messages, Plain},
    handshake::{PROTOCOL, PROTOCOL_OLDEST},
    status::{Connected, Status},
};
use self::{backoff::Backoff, handshake::Stream, session::Session, status::Shared};

/// Most that is kept of what a collector says.
const TEXT_CHARACTERS: usize = 500;
/// How long a connection and the handshake on it may take.
const BEGIN: Duration = Duration::from_secs(10);

/// Who sends.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The agent's version, for people.
    pub agent_version: String,
    /// The node.
    pub node: String,
    /// 16 random bytes that are kept with the spool.
    pub agent_id: [u8; 16],
}

/// How to send.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Collectors: scheme, host and port.
    pub endpoints: Vec<String>,
    /// The wait after the first failure, and the longest one.
    pub backoff: (Duration, Duration),
    /// A connection is given up when a collector takes longer than this to answer for a batch.
    pub patience: Duration,
}

impl Settings {
    /// What there is to choose is the collectors.
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            endpoints,
            backoff: (Duration::from_millis(500), Duration::from_secs(60)),
            patience: Duration::from_secs(60),
        }
    }
}

/// Why a connection ended, or did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    reason: String,
    /// It will not be different in a moment: the collector does not take this agent.
    lasting: bool,
}

impl Failure {
    fn passing(reason: String) -> Self {
        Self {
            reason,
            lasting: false,
        }
    }

    fn lasting(reason: String) -> Self {
        Self {
            reason,
            lasting: true,
        }
    }
}

/// What came of a round over the collectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// At least one batch was answered for.
    Progress,
    /// None could be reached, or none stayed.
    Nothing,
    /// All of them refuse this agent.
    Refused,
}

/// The sender.
pub struct Sender<B> {
    settings: Settings,
    identity: Identity,
    connect: Box<dyn Connect>,
    backlog: B,
    status: Arc<Shared>,
}

impl<B: Backlog> Sender<B> {
    /// A sender of what is in `backlog`.
    pub fn new(
        settings: Settings,
        identity: Identity,
        connect: Box<dyn Connect>,
        backlog: B,
    ) -> Self {
        Self {
            settings,
            identity,
            connect,
            backlog,
            status: Arc::default(),
        }
    }

    /// Reads where it stands, also while it runs.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.status))
    }

    /// Never ends. It can be dropped at any time: what is not acknowledged stays in the backlog.
    pub async fn run(mut self) {
        let (first, most) = self.settings.backoff;
        let mut backoff = Backoff::new(first, most);
        loop {
            match self.round().await {
                Round::Progress => backoff.reset(),
                Round::Nothing => {}
                Round::Refused => backoff.slow_down(),
            }
            sleep(backoff.wait()).await;
        }
    }

    /// Tries the collectors in turn, up to the first that answers for a batch.
    async fn round(&mut self) -> Round {
        let mut round = Round::Refused;
        for endpoint in self.settings.endpoints.clone() {
            let (progress, failure) = match self.connect(&endpoint).await {
                Ok(stream) => self.serve(&endpoint, stream).await,
                Err(failure) => (false, failure),
            };
            self.note(&endpoint, &failure);
            match failure.lasting {
                _ if progress => return Round::Progress,
                true => {}
                false => round = Round::Nothing,
            }
        }
        round
    }

    async fn connect(&self, endpoint: &str) -> Result<Stream, Failure> {
        let patience = self.settings.patience.min(BEGIN);
        let stream = handshake::begin(&*self.connect, endpoint, &self.identity);
        timeout(patience, stream).await.unwrap_or_else(|_| {
            Err(Failure::passing(format!(
                "it did not answer within {} s",
                patience.as_secs_f64()
            )))
        })
    }

    async fn serve(&mut self, endpoint: &str, stream: Stream) -> (bool, Failure) {
        let version = plain(&stream.welcome.collector_version);
        info!(endpoint, collector = %version, "streaming to a collector");
        self.status.change(|status| {
            status.connected = Some(Connected {
                endpoint: endpoint.to_owned(),
                version,
                since: SystemTime::now(),
            });
        });
        let (backlog, patience) = (&mut self.backlog, self.settings.patience);
        let session = Session::new(stream, backlog, &self.status, patience);
        let outcome = session.serve().await;
        self.status.change(|status| status.connected = None);
        outcome
    }

    fn note(&self, endpoint: &str, failure: &Failure) {
        let error = format!("{endpoint}: {}", plain(&failure.reason));
        let before = self.status.read().last_error;
        // The same thing again and again is told once.
        if before.is_none_or(|(_, before)| before != error) {
            warn!("no collector: {error}");
        }
        self.status
            .change(|status| status.last_error = Some((SystemTime::now(), error)));
    }
}

/// Reads where a [`Sender`] stands.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// Now.
    pub fn status(&self) -> Status {
        self.0.read()
    }
}

/// What others wrote, for a log and a terminal: cut, on one line.
fn plain(text: &str) -> String {
    let characters = text.chars().take(TEXT_CHARACTERS);
    let characters = characters.map(|one| if one.is_control() { ' ' } else { one });
    characters.collect()
}
