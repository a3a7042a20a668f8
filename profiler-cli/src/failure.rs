//! What goes wrong, in words that say what to do, and the exit codes.

use std::{error::Error, fmt, io};

use tonic::{Code, Status};

use crate::text::clean;

/// Exit codes of every verb.
pub mod exit {
    /// The answer was given.
    pub const FINE: u8 = 0;
    /// A check failed: a leak, a worse canary.
    pub const FAILED: u8 = 1;
    /// A check could not decide.
    pub const UNDECIDED: u8 = 2;
    /// An error: wrong usage, no endpoint, a refused request, a file that cannot be written.
    pub const ERROR: u8 = 3;
}

/// Why a command could not give its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The reader of a pipe has gone, as in `profiler top | head`: not an error.
    ReaderGone,
    /// Something to tell the user.
    Told {
        /// What happened.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl Failure {
    /// A failure without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Told {
            message: message.into(),
            hint: None,
        }
    }

    /// A failure with advice.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Told {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// A file or the standard output could not be written.
    pub fn write(what: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::new(format!("cannot write {what}: {error}"))
    }

    /// A gRPC status from `endpoint`.
    pub fn from_status(status: &Status, endpoint: &str) -> Self {
        let said = clean(status.message());
        let (message, hint) = match status.code() {
            Code::NotFound => (
                format!("not found: {said}"),
                "`profiler targets` lists what is observed (`--exited` adds what has ended), \
                 `profiler connections` its connections, `profiler nodes` nodes"
                    .into(),
            ),
            // The transport says so of an answer beyond the limit of either side.
            Code::OutOfRange if said.contains("message length too large") => (
                format!("the answer is too large: {said}"),
                "narrow the selection or lower --limit".into(),
            ),
            Code::OutOfRange => (
                format!("time out of range: {said}"),
                "`profiler status` shows how far back the history goes".into(),
            ),
            Code::InvalidArgument => (
                format!("the request was refused: {said}"),
                "see `--help` of the verb for what is allowed".into(),
            ),
            Code::FailedPrecondition => (
                format!("the endpoint cannot do that now: {said}"),
                "`profiler status` shows its state".into(),
            ),
            Code::ResourceExhausted => (
                format!("{endpoint} does not take that on: {said}"),
                "ask for less (fewer targets, a shorter time), or again in a moment".into(),
            ),
            Code::PermissionDenied | Code::Unauthenticated => (
                format!("{endpoint} did not let this client in: {said}"),
                "--token-file FILE, or --tls-cert and --tls-key, say who you are".into(),
            ),
            // Servers that never heard of a method have nothing to say of it, or just that.
            Code::Unimplemented if said.is_empty() || said.starts_with("unknown ") => (
                format!("{endpoint} does not know this request"),
                "this agent or collector is older than the client: update it, or ask one that is as \
                 new"
                    .into(),
            ),
            Code::Unimplemented => (
                format!("{endpoint} does not serve this request: {said}"),
                "`profiler --endpoint ADDRESS` asks another one".into(),
            ),
            _ if is_late(status) => late(endpoint, &said),
            Code::Cancelled => (
                format!("{endpoint} closed the connection before it answered: {said}"),
                "does an agent or a collector listen there, over gRPC, and does it still run?"
                    .into(),
            ),
            Code::Unavailable => (
                format!("{endpoint} went away: {}", deepest(status, &said)),
                RUNNING.into(),
            ),
            Code::Unknown | Code::Internal if status.source().is_some() => (
                format!(
                    "{endpoint} does not answer as gRPC: {}",
                    deepest(status, &said)
                ),
                "is another service listening there?".into(),
            ),
            code => (
                format!("{endpoint} reports an error ({code:?}): {said}"),
                "its log has more".to_owned(),
            ),
        };
        Self::with_hint(message, hint)
    }

    /// A reader that has gone changes nothing about what was found: for verbs with a code of their
    /// own.
    pub(crate) fn unless_gone(self) -> Result<(), Self> {
        match self {
            Self::ReaderGone => Ok(()),
            told => Err(told),
        }
    }

    /// Tells the user on standard error and returns the exit code.
    pub fn report(&self) -> u8 {
        match self {
            Self::ReaderGone => exit::FINE,
            Self::Told { .. } => {
                eprintln!("error: {self}");
                exit::ERROR
            }
        }
    }
}

impl From<profiler_formats::Error> for Failure {
    fn from(error: profiler_formats::Error) -> Self {
        match error {
            profiler_formats::Error::NoGrowth => Self::with_hint(
                error.to_string(),
                "`profiler targets` lists what is observed",
            ),
            other => Self::new(other.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReaderGone => f.write_str("the reader of the output has gone"),
            Self::Told { message, hint } => {
                f.write_str(message)?;
                if let Some(hint) = hint {
                    write!(f, "\n  {hint}")?;
                }
                Ok(())
            }
        }
    }
}

impl Error for Failure {}

/// Whether no answer came in time. The transport's own time limit comes as another code.
pub fn is_late(status: &Status) -> bool {
    match status.code() {
        Code::DeadlineExceeded => true,
        Code::Cancelled => status.message() == "Timeout expired",
        _ => false,
    }
}

fn late(endpoint: &str, said: &str) -> (String, String) {
    (
        format!("{endpoint} gave no answer in time: {said}"),
        "narrow the selection, or look at the load of the agent's host".into(),
    )
}

/// What to try when no agent answers.
pub const RUNNING: &str = "is the agent running? start it with `cargo xtask run`, or name another \
                           with --endpoint";

/// The innermost reason of an error: outer layers only say "transport error".
pub fn deepest(error: &dyn Error, fallback: &str) -> String {
    let mut reason = None;
    let mut next = error.source();
    // Chains are short; the bound guards against one that loops.
    for _ in 0..16 {
        let Some(source) = next else { break };
        reason = Some(source.to_string());
        next = source.source();
    }
    clean(&reason.unwrap_or_else(|| fallback.to_owned())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_say_what_to_do() {
        for (status, part) in [
            (
                Status::not_found("pid 7"),
                "not found: pid 7\n  `profiler targets`",
            ),
            (
                Status::out_of_range("too old"),
                "time out of range: too old\n  `profiler status`",
            ),
            (
                Status::out_of_range(
                    "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes",
                ),
                "lower --limit",
            ),
            (Status::resource_exhausted("32 questions"), "in a moment"),
            (Status::invalid_argument("limit"), "refused: limit"),
            (Status::unavailable("x"), "cargo xtask run"),
            (Status::unimplemented(""), "older than the client"),
            (
                Status::unimplemented("ledgers stay on the agents"),
                "serve this request: ledgers stay on the agents\n  `profiler --endpoint",
            ),
            (Status::cancelled("Timeout expired"), "no answer in time"),
            (
                Status::cancelled("operation was canceled"),
                "closed the connection",
            ),
            (Status::data_loss("gone"), "(DataLoss): gone"),
        ] {
            let text = Failure::from_status(&status, "tcp").to_string();
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let error = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::write("x", &error).report(), exit::FINE);
    }

    #[test]
    fn messages_from_outside_cannot_steer_the_terminal() {
        let text = Failure::from_status(&Status::not_found("a\x1b[2Jb"), "tcp").to_string();
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
