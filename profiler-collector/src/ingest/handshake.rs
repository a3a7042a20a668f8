//! The first exchange of a stream: who is it, and do both speak the same version?

use profiler_proto::v1;
use profiler_stream::TEXT_MAX;
use tonic::Status;

use super::Limits;

/// The versions of the protocol that this collector speaks.
const PROTOCOL_NEWEST: u32 = 1;
const PROTOCOL_OLDEST: u32 = 1;

/// What an agent that says this is answered.
///
/// # Errors
/// FAILED_PRECONDITION where no version is common, with which side to update; INVALID_ARGUMENT for
/// a message that no agent of ours sends.
pub(super) fn welcome(hello: &v1::Hello, limits: Limits) -> Result<v1::Welcome, Status> {
    if hello.protocol == 0 || hello.protocol_oldest > hello.protocol {
        return Err(Status::invalid_argument("hello: no valid protocol version"));
    }
    text("hello: node", &hello.node).map_err(Status::invalid_argument)?;
    text("hello: agent_version", &hello.agent_version).map_err(Status::invalid_argument)?;
    let common = hello.protocol.min(PROTOCOL_NEWEST);
    if common < hello.protocol_oldest {
        return Err(Status::failed_precondition(format!(
            "this collector (version {}) speaks protocol {PROTOCOL_OLDEST} to {PROTOCOL_NEWEST}, the \
             agent of {} (version {}) {} to {}: update the collector. The agent keeps its batches \
             until then",
            env!("CARGO_PKG_VERSION"),
            hello.node,
            hello.agent_version,
            hello.protocol_oldest,
            hello.protocol,
        )));
    }
    if common < PROTOCOL_OLDEST {
        return Err(Status::failed_precondition(format!(
            "this collector (version {}) speaks protocol {PROTOCOL_OLDEST} to {PROTOCOL_NEWEST}, the \
             agent of {} (version {}) {} to {}: update the agent",
            env!("CARGO_PKG_VERSION"),
            hello.node,
            hello.agent_version,
            hello.protocol_oldest,
            hello.protocol,
        )));
    }
    Ok(v1::Welcome {
        protocol: common,
        collector_version: env!("CARGO_PKG_VERSION").to_owned(),
        message_bytes_max: limits.message_bytes as u64,
        batches_ahead_max: limits.batches_ahead,
    })
}

/// A text of bounded length without control characters.
///
/// # Errors
/// It is none, in plain words.
pub(super) fn text(what: &str, text: &str) -> Result<(), String> {
    if text.len() > TEXT_MAX {
        return Err(format!("{what}: longer than {TEXT_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what}: has control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn hello(oldest: u32, newest: u32) -> v1::Hello {
        v1::Hello {
            protocol: newest,
            protocol_oldest: oldest,
            agent_version: "9.9.9".to_owned(),
            node: "n1".to_owned(),
            agent_id: vec![1; 16],
        }
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        let answer = |oldest, newest| welcome(&hello(oldest, newest), Limits::default());
        assert_eq!(answer(1, 1).map(|welcome| welcome.protocol).ok(), Some(1));
        assert_eq!(answer(1, 7).map(|welcome| welcome.protocol).ok(), Some(1));
        let refused = answer(2, 7).expect_err("nothing in common");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("update the collector"));
        assert_eq!(
            answer(0, 0).map_err(|status| status.code()),
            Err(Code::InvalidArgument)
        );
    }

    #[test]
    fn names_that_could_steer_a_terminal_are_refused() {
        let mut hello = hello(1, 1);
        hello.node = "n\u{1b}[2J".to_owned();
        assert!(welcome(&hello, Limits::default()).is_err());
    }
}
