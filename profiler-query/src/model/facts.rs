//! What is known of a process besides its memory.

use std::{collections::BTreeMap, sync::Arc};

use crate::ids::BootTime;

/// Where a process stands with this agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetState {
    /// Every operation is seen.
    #[default]
    Observed,
    /// Events were lost; its ledger is being rebuilt.
    Stale,
    /// It storms: its operations are only counted.
    Counting,
    /// A 32-bit process: its system calls are not observed.
    Unsupported,
}

/// The container that a process belongs to, or what stands in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// The runtime's id; empty for what is no container.
    pub id: String,
    /// What people call it: the id, the name of a unit, or "host".
    pub name: String,
    /// "docker", "containerd", "systemd", "host" …
    pub kind: String,
    /// The cgroup directory that stands for it: its identity, by which processes are grouped. An
    /// id can be claimed by others, this can't.
    pub root: String,
    /// The cgroup directory of the process, `root` or below it.
    pub cgroup: String,
    /// Systemd unit, where there is one.
    pub unit: String,
    /// Kubernetes' pod uid, where there is one.
    pub pod_uid: String,
    /// Kubernetes' namespace and the pod's name, where the container's runtime tells them.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's owner, for example a Deployment.
    pub workload: String,
    /// The image as the runtime names it.
    pub image: String,
    /// Labels of the container.
    pub labels: BTreeMap<String, String>,
}

impl ContainerFacts {
    /// Whether it is a container, not a pod's own cgroup, a unit or the host.
    pub fn is_container(&self) -> bool {
        !self.id.is_empty()
    }

    fn bytes(&self) -> usize {
        let texts = [
            &self.id,
            &self.name,
            &self.kind,
            &self.root,
            &self.cgroup,
            &self.unit,
            &self.pod_uid,
            &self.namespace,
            &self.pod,
            &self.workload,
            &self.image,
        ];
        let labels = self.labels.iter();
        let labels = labels.map(|(key, value)| key.len() + value.len() + 2 * size_of::<String>());
        size_of::<Self>() + texts.map(String::len).iter().sum::<usize>() + labels.sum::<usize>()
    }
}

/// The node that a process runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// What the operator says of it.
    pub labels: BTreeMap<String, String>,
}

/// One life of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetInfo {
    /// In the initial pid namespace; 0 stands for several processes of one name and container that
    /// have ended.
    pub pid: u32,
    /// In its own pid namespace.
    pub namespace_pid: u32,
    /// The kernel's `comm`.
    pub name: String,
    /// Path of the program, as the process sees it.
    pub executable: Arc<str>,
    /// Its container, unit or the host.
    pub container: Arc<ContainerFacts>,
    /// Its node.
    pub node: Arc<NodeFacts>,
    /// When this life began.
    pub started: BootTime,
    /// Where it stands.
    pub state: TargetState,
    /// When this life ended (by exit, or by exec of another program).
    pub exited: Option<BootTime>,
}

impl TargetInfo {
    /// Stands for a node alone, without any of its processes.
    pub fn nothing_on(node: Arc<NodeFacts>) -> Self {
        Self {
            pid: 0,
            namespace_pid: 0,
            name: String::new(),
            executable: Arc::from(""),
            container: Arc::default(),
            node,
            started: BootTime::default(),
            state: TargetState::default(),
            exited: None,
        }
    }

    /// It stands for several processes that have ended.
    pub fn is_group(&self) -> bool {
        self.pid == 0
    }

    /// What stands for this process and others of its name and container that have ended.
    pub fn group(&self) -> Self {
        Self {
            pid: 0,
            namespace_pid: 0,
            executable: Arc::from(""),
            state: TargetState::Observed,
            ..self.clone()
        }
    }

    /// Memory that keeping it costs. Text that processes share is counted for each, as if it
    /// were not shared: the budget must hold at worst.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.executable.len() + self.container.bytes()
    }
}
