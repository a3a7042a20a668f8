//! Values that tests of this module and of the query service start from.

use std::sync::Arc;

use super::{ContainerFacts, TargetInfo, TargetState};
use crate::ids::BootTime;

/// A process of the host.
pub(crate) fn info(pid: u32, name: &str) -> TargetInfo {
    TargetInfo {
        pid,
        namespace_pid: pid,
        name: name.to_owned(),
        executable: format!("/usr/bin/{name}").into(),
        container: Arc::new(ContainerFacts {
            name: "host".to_owned(),
            kind: "host".to_owned(),
            root: "/".to_owned(),
            cgroup: "/".to_owned(),
            ..ContainerFacts::default()
        }),
        node: Arc::default(),
        started: BootTime(1),
        state: TargetState::Observed,
        exited: None,
    }
}
