//! The beginning of a stream: each side says what it speaks.

use profiler_proto::v1::{self, agent_message, collector_message};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Connect, Failure, Identity};

/// The newest version of the protocol that this sender speaks, and the oldest.
pub const PROTOCOL: u32 = 1;
/// See [`PROTOCOL`].
pub const PROTOCOL_OLDEST: u32 = 1;

/// A stream on which batches can be sent.
pub(super) struct Stream {
    /// One message waits at the most: when the collector reads slowly, so does the sender.
    pub(super) out: mpsc::Sender<v1::AgentMessage>,
    pub(super) answers: Streaming<v1::CollectorMessage>,
    pub(super) welcome: v1::Welcome,
}

/// Connects, says hello and waits for the welcome.
pub(super) async fn begin(
    connect: &dyn Connect,
    endpoint: &str,
    identity: &Identity,
) -> Result<Stream, Failure> {
    let (out, messages) = mpsc::channel(1);
    let hello = v1::Hello {
        protocol: PROTOCOL,
        protocol_oldest: PROTOCOL_OLDEST,
        agent_version: identity.agent_version.clone(),
        node: identity.node.clone(),
        agent_id: identity.agent_id.to_vec(),
    };
    let hello = agent_message::Kind::Hello(hello);
    // There is room for one.
    let _ = out.send(v1::AgentMessage { kind: Some(hello) }).await;
    let mut answers = connect
        .stream(endpoint, ReceiverStream::new(messages))
        .await?;
    let first = answers.message().await?;
    let Some(collector_message::Kind::Welcome(welcome)) = first.and_then(|first| first.kind) else {
        return Err(Failure::passing(
            "it did not begin with a welcome".to_owned(),
        ));
    };
    check(&welcome)?;
    Ok(Stream {
        out,
        answers,
        welcome,
    })
}

fn check(welcome: &v1::Welcome) -> Result<(), Failure> {
    if (PROTOCOL_OLDEST..=PROTOCOL).contains(&welcome.protocol) {
        return Ok(());
    }
    Err(Failure::lasting(format!(
        "it is of version {} and speaks version {} of the protocol, this agent {PROTOCOL_OLDEST} to \
         {PROTOCOL}: use an agent and a collector of versions that fit",
        welcome.collector_version, welcome.protocol
    )))
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        use tonic::Code;
        let lasting = matches!(
            status.code(),
            Code::FailedPrecondition
                | Code::Unauthenticated
                | Code::PermissionDenied
                | Code::Unimplemented
                | Code::InvalidArgument
        );
        let reason = in_words(&status);
        Self {
            reason: match lasting {
                true => format!("it refuses this agent: {reason}"),
                false => reason,
            },
            lasting,
        }
    }
}

/// Of an error of the transport the innermost cause: the others only say that there was one.
fn in_words(status: &Status) -> String {
    let mut cause = std::error::Error::source(status);
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    match (cause, status.message()) {
        (Some(cause), _) => cause.to_string(),
        (None, "") => status.code().description().to_owned(),
        (None, message) => message.to_owned(),
    }
}
