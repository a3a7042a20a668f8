//! What is known of a process, in the model and on the wire.

use std::sync::Arc;

use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, ProcessHandle},
    model::{ContainerFacts, NodeFacts, TargetInfo, TargetState},
};

use crate::fit::Fit;

pub(crate) fn facts_to_wire(
    process: ProcessHandle,
    info: &TargetInfo,
    fit: Fit,
) -> v1::ProcessFacts {
    let state = match info.state {
        TargetState::Observed => v1::TargetState::Observed,
        TargetState::Stale => v1::TargetState::Stale,
        TargetState::Counting => v1::TargetState::Counting,
        TargetState::Unsupported => v1::TargetState::Unsupported,
    };
    v1::ProcessFacts {
        process: process.0,
        pid: info.pid,
        namespace_pid: info.namespace_pid,
        name: fit.text(&info.name),
        executable: fit.text(&info.executable),
        container: Some(container_to_wire(&info.container, fit)),
        started: info.started.0,
        state: state.into(),
        exited: info.exited.map_or(0, |time| time.0.max(1)),
    }
}

/// A state that this version does not know is one of a process that is observed.
pub(crate) fn facts_from_wire(facts: v1::ProcessFacts, node: &Arc<NodeFacts>) -> TargetInfo {
    let state = match facts.state() {
        v1::TargetState::Stale => TargetState::Stale,
        v1::TargetState::Counting => TargetState::Counting,
        v1::TargetState::Unsupported => TargetState::Unsupported,
        _ => TargetState::Observed,
    };
    TargetInfo {
        pid: facts.pid,
        namespace_pid: facts.namespace_pid,
        name: facts.name,
        executable: facts.executable.into(),
        container: Arc::new(container_from_wire(facts.container.unwrap_or_default())),
        node: Arc::clone(node),
        started: BootTime(facts.started),
        state,
        exited: (facts.exited != 0).then_some(BootTime(facts.exited)),
    }
}

fn container_to_wire(container: &ContainerFacts, fit: Fit) -> v1::ContainerFacts {
    v1::ContainerFacts {
        id: fit.identity(&container.id),
        name: fit.text(&container.name),
        kind: fit.text(&container.kind),
        root: fit.identity(&container.root),
        cgroup: fit.text(&container.cgroup),
        unit: fit.text(&container.unit),
        pod_uid: fit.identity(&container.pod_uid),
        namespace: fit.text(&container.namespace),
        pod: fit.text(&container.pod),
        workload: fit.text(&container.workload),
        image: fit.text(&container.image),
        labels: fit.labels(&container.labels).into_iter().collect(),
    }
}

fn container_from_wire(container: v1::ContainerFacts) -> ContainerFacts {
    ContainerFacts {
        id: container.id,
        name: container.name,
        kind: container.kind,
        root: container.root,
        cgroup: container.cgroup,
        unit: container.unit,
        pod_uid: container.pod_uid,
        namespace: container.namespace,
        pod: container.pod,
        workload: container.workload,
        image: container.image,
        labels: container.labels.into_iter().collect(),
    }
}
