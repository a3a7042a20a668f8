//! Values that tests start from.

use std::sync::Arc;

use profiler_proto::v1;

use crate::{
    answer::{NameStacks, NamedStack},
    ids::{BootTime, ProcessHandle, StackId},
    model::{
        ContainerFacts, NodeFacts, OwnerKey, ProcessEntry, Row, RowKey, TargetInfo, TargetState,
        Totals,
    },
};

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

/// The process on a node with these labels.
pub(crate) fn on_node(info: TargetInfo, name: &str, labels: &[(&str, &str)]) -> TargetInfo {
    let labels = labels.iter();
    let labels = labels.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    TargetInfo {
        node: Arc::new(NodeFacts {
            name: name.to_owned(),
            labels: labels.collect(),
        }),
        ..info
    }
}

/// The process in a snapshot, with so many bytes that are all there.
pub(crate) fn entry(handle: u32, info: TargetInfo, live: u64) -> ProcessEntry {
    ProcessEntry {
        handle: ProcessHandle(handle),
        info: Arc::new(info),
        totals: Totals {
            allocated: live,
            committed: live,
            ..Totals::default()
        },
    }
}

/// Stacks by number, each with its functions, leaf first, as "module:function" or "module+offset".
pub(crate) struct FakeNames(pub(crate) &'static [(u32, &'static [&'static str])]);

impl NameStacks for FakeNames {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        let named = |stack: &StackId| {
            let (_, frames) = self.0.iter().find(|known| known.0 == stack.0)?;
            Some(NamedStack {
                frames: frames.iter().map(|text| frame(text)).collect(),
                truncated: false,
            })
        };
        stacks.iter().map(named).collect()
    }
}

fn frame(text: &str) -> v1::Frame {
    let (module, function, offset) = match text.split_once(':') {
        Some((module, function)) => (module, function, 1),
        None => {
            let (module, offset) = text.split_once('+').expect("an offset");
            (module, "", offset.parse().expect("a number"))
        }
    };
    v1::Frame {
        module: module.to_owned(),
        function: function.to_owned(),
        module_offset: offset,
        ..v1::Frame::default()
    }
}

/// A row of so many bytes that are all there.
pub(crate) fn row(process: u32, owner: OwnerKey, live: u64) -> (RowKey, Row) {
    let process = ProcessHandle(process);
    let row = Row {
        allocated: live,
        events: 1,
        ..Row::default()
    };
    (RowKey { process, owner }, row)
}

/// A row of a stack.
pub(crate) fn stack(process: u32, stack: u32, live: u64) -> (RowKey, Row) {
    row(process, OwnerKey::Stack(StackId(stack)), live)
}
