//! Processes, as targets that can be asked about.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use profiler_proto::v1;
use tonic::Status;

use super::{Asked, Clocks, Filter, Page, Selection};
use crate::ids::BootTime;
use crate::model::{ContainerFacts, NodeFacts, Snapshot, TargetInfo, TargetState, Totals};

/// A question for targets that was checked.
#[derive(Debug)]
pub struct Targets {
    /// What is asked about.
    pub filter: Filter,
    /// The moment that the answer stands for; none: now.
    pub at: Asked,
    /// The page that is asked for.
    pub page: Page,
    include_exited: bool,
    limit: u32,
}

impl Targets {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn new(mut request: v1::ListTargetsRequest) -> Result<Self, Status> {
        let token = std::mem::take(&mut request.page_token);
        if request.limit == 0 && !token.is_empty() {
            return Err(Status::invalid_argument(
                "page_token: without a limit all targets are on one page",
            ));
        }
        Ok(Self {
            filter: Filter::new(request.selector.as_ref())?,
            page: Page::new(&request, &token, 1)?,
            at: Asked::new("at", request.at),
            include_exited: request.include_exited,
            limit: request.limit,
        })
    }

    /// The page of the chosen processes, the largest first, without snapshot and accounting.
    /// `pinned`: the moment that the next page shall stand for; empty where it is not kept.
    pub fn answer(
        &self,
        snapshot: &Snapshot,
        selection: &Selection,
        clocks: Clocks,
        pinned: &[BootTime],
    ) -> v1::ListTargetsResponse {
        let processes = snapshot.processes.iter();
        let mut chosen: Vec<_> = processes
            .filter(|entry| selection.has(entry.handle))
            .filter(|entry| self.include_exited || entry.info.exited.is_none())
            .collect();
        let total = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        chosen.sort_by_key(|entry| (Reverse(entry.totals.committed), entry.handle));
        chosen.drain(..self.page.offset().min(chosen.len()));
        if self.limit > 0 {
            chosen.truncate(self.limit as usize);
        }
        let targets = chosen.iter();
        let targets = targets.map(|entry| target(&entry.info, &entry.totals, clocks));
        v1::ListTargetsResponse {
            targets: targets.collect(),
            total,
            next_page_token: self.page.next(chosen.len(), total, pinned),
            snapshot: None,
            accounting: None,
        }
    }
}

/// One process for the wire.
pub fn target(info: &TargetInfo, totals: &Totals, clocks: Clocks) -> v1::Target {
    let container = &info.container;
    v1::Target {
        pid: info.pid,
        process_name: info.name.clone(),
        container_id: container.id.clone(),
        cgroup: container.cgroup.clone(),
        container_kind: container.kind.clone(),
        unit: container.unit.clone(),
        pod_uid: container.pod_uid.clone(),
        started: Some(clocks.to_wall(info.started)),
        state: state(info).into(),
        committed_bytes: totals.committed,
        released_bytes: totals.released,
        committed_allocated_bytes: totals.allocated,
        committed_freed_bytes: totals.freed,
        operations: totals.operations,
        operations_lost: totals.lost,
        mappings: u32::try_from(totals.mappings).unwrap_or(u32::MAX),
        executable: info.executable.to_string(),
        namespace_pid: info.namespace_pid,
        node: info.node.name.clone(),
        namespace: container.namespace.clone(),
        pod: container.pod.clone(),
        workload: container.workload.clone(),
        image: container.image.clone(),
        labels: labels(info),
    }
}

/// A target of an answer, as what a [`Filter`] looks at. Where it stands for a container or unit, its
/// cgroup is what it is known by.
pub fn target_info(target: &v1::Target, clocks: Clocks) -> TargetInfo {
    let labels = target.labels.iter();
    let container = ContainerFacts {
        id: target.container_id.clone(),
        name: container_name(target),
        kind: target.container_kind.clone(),
        root: target.cgroup.clone(),
        cgroup: target.cgroup.clone(),
        unit: target.unit.clone(),
        pod_uid: target.pod_uid.clone(),
        namespace: target.namespace.clone(),
        pod: target.pod.clone(),
        workload: target.workload.clone(),
        image: target.image.clone(),
        labels: labels
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    };
    let started = target.started.as_ref();
    TargetInfo {
        pid: target.pid,
        namespace_pid: target.namespace_pid,
        name: target.process_name.clone(),
        executable: target.executable.as_str().into(),
        container: Arc::new(container),
        node: Arc::new(NodeFacts {
            name: target.node.clone(),
            labels: BTreeMap::new(),
        }),
        started: started.map_or(BootTime(0), |time| clocks.to_boot(time)),
        state: TargetState::Observed,
        exited: None,
    }
}

/// What people call the container, or what stands in its place.
fn container_name(target: &v1::Target) -> String {
    if target.container_kind == "host" {
        return "host".to_owned();
    }
    let names = [&target.container_id, &target.unit];
    match names.into_iter().find(|name| !name.is_empty()) {
        Some(name) => name.clone(),
        None if target.pod_uid.is_empty() => target.cgroup.clone(),
        None => format!("pod{}", target.pod_uid),
    }
}

/// Of the container and of its node; the container's own come first.
fn labels(info: &TargetInfo) -> HashMap<String, String> {
    let node = info.node.labels.iter();
    let all = node.chain(&info.container.labels);
    all.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn state(info: &TargetInfo) -> v1::TargetState {
    if info.exited.is_some() {
        return v1::TargetState::Exited;
    }
    match info.state {
        TargetState::Observed => v1::TargetState::Observed,
        TargetState::Stale => v1::TargetState::Stale,
        TargetState::Counting => v1::TargetState::Counting,
        TargetState::Unsupported => v1::TargetState::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{entry, info};

    proptest! {
        #[test]
        fn all_pages_together_are_the_whole_list(
            committed in prop::collection::vec(0..4_u64, 0..12),
            limit in 1..5_u32,
        ) {
            let processes = (1..).zip(&committed);
            let snapshot = Snapshot {
                processes: processes.map(|(pid, bytes)| entry(pid, info(pid, "x"), *bytes)).collect(),
                ..Snapshot::default()
            };
            let clocks = Clocks::wall(BootTime(0));
            let ask = |limit, page_token: String| {
                let request = v1::ListTargetsRequest { limit, page_token, ..Default::default() };
                let question = Targets::new(request).expect("a question");
                question.answer(&snapshot, &Selection::All, clocks, &[])
            };
            let whole = ask(0, String::new());
            prop_assert_eq!(whole.total as usize, committed.len());
            let (mut got, mut token) = (Vec::new(), String::new());
            loop {
                let page = ask(limit, token);
                token = page.next_page_token;
                got.extend(page.targets);
                if token.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(got, whole.targets);
        }
    }

    #[test]
    fn a_page_needs_a_limit() {
        let request = v1::ListTargetsRequest {
            page_token: "1.1".to_owned(),
            ..v1::ListTargetsRequest::default()
        };
        let refused = Targets::new(request).expect_err("a refusal");
        assert!(refused.message().starts_with("page_token:"));
    }
}
