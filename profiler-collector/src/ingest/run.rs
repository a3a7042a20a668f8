//! The facts of a run, checked.

use std::time::Duration;

use profiler_proto::v1;
use tonic::Status;

use super::handshake::text;
use crate::store::{RunFacts, RunId, WallTime};

/// Labels of a node at the most.
const LABELS_MAX: usize = 64;

/// The run's id.
///
/// # Errors
/// INVALID_ARGUMENT if it is none.
pub(super) fn id(run: &v1::Run) -> Result<RunId, Status> {
    let id = sixteen("run: run_id", &run.run_id);
    id.map(RunId).map_err(Status::invalid_argument)
}

/// The run's facts.
///
/// # Errors
/// What is wrong with them, in plain words.
pub(super) fn facts(run: v1::Run) -> Result<RunFacts, String> {
    sixteen("run: agent_id", &run.agent_id)?;
    for (what, value) in [
        ("run: node", &run.node),
        ("run: boot_id", &run.boot_id),
        ("run: agent_version", &run.agent_version),
        ("run: kernel", &run.kernel),
    ] {
        text(what, value)?;
    }
    if run.node.is_empty() {
        return Err("run: node: is empty".to_owned());
    }
    if run.labels.len() > LABELS_MAX {
        return Err(format!("run: labels: more than {LABELS_MAX}"));
    }
    for (key, value) in &run.labels {
        text("run: labels", key)?;
        text("run: labels", value)?;
    }
    Ok(RunFacts {
        agent_id: run.agent_id,
        node: run.node,
        boot_id: run.boot_id,
        agent_version: run.agent_version,
        kernel: run.kernel,
        started: run.started.as_ref().map(wall).unwrap_or_default(),
        labels: run.labels.into_iter().collect(),
        interval: Duration::from_millis(run.interval_ms.into()),
    })
}

fn sixteen(what: &str, bytes: &[u8]) -> Result<[u8; 16], String> {
    bytes
        .try_into()
        .map_err(|_| format!("{what}: is not 16 bytes"))
}

/// Nanoseconds since 1970; times that do not fit come out at the ends of what does.
pub(super) fn wall(time: &pbjson_types::Timestamp) -> WallTime {
    let nanoseconds = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    WallTime(nanoseconds.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}
