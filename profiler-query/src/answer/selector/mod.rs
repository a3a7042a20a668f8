//! Which processes a question is about.

mod pattern;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use profiler_proto::v1;
use tonic::Status;

use self::pattern::{Label, Pattern, Pod};
use crate::{
    ids::ProcessHandle,
    model::{ContainerFacts, NodeFacts, TargetInfo},
};

/// Alternatives in one field of a selector.
const VALUES_MAX: usize = 1000;

/// Shortest prefix of a container id.
const PREFIX_MIN: usize = 4;

/// A selector that was checked.
#[derive(Debug, Default)]
pub struct Filter {
    pids: HashSet<u32>,
    containers: Vec<String>,
    processes: Vec<Pattern>,
    cgroups: Vec<Pattern>,
    pods: Vec<Pod>,
    nodes: Vec<Pattern>,
    namespaces: Vec<Pattern>,
    workloads: Vec<Pattern>,
    images: Vec<Pattern>,
    labels: Vec<Label>,
}

/// The processes that were chosen.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Nothing was asked for in particular.
    All,
    /// Only these.
    Some(HashSet<ProcessHandle>),
}

impl Selection {
    /// Whether the process is among them.
    pub fn has(&self, handle: ProcessHandle) -> bool {
        match self {
            Self::All => true,
            Self::Some(handles) => handles.contains(&handle),
        }
    }

    /// Nothing was asked for in particular.
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

/// Why nothing can be chosen.
#[derive(Debug)]
pub enum NotChosen {
    /// No process with this pid is known. Who asks may know why.
    Pid(u32),
    /// Something else.
    Other(Status),
}

impl From<Status> for NotChosen {
    fn from(status: Status) -> Self {
        Self::Other(status)
    }
}

impl From<NotChosen> for Status {
    fn from(reason: NotChosen) -> Self {
        match reason {
            NotChosen::Pid(pid) => Self::not_found(format!(
                "no process {pid} is observed; pids are those of the host, not of a container. \
                 List the targets to see those that are"
            )),
            NotChosen::Other(status) => status,
        }
    }
}

impl Filter {
    /// # Errors
    /// `INVALID_ARGUMENT`: a field has too many values, or one that chooses nothing.
    pub fn new(selector: Option<&v1::Selector>) -> Result<Self, Status> {
        let Some(selector) = selector else {
            return Ok(Self::default());
        };
        let most = [
            selector.pids.len(),
            selector.containers.len(),
            selector.processes.len(),
            selector.cgroups.len(),
            selector.pods.len(),
            selector.nodes.len(),
            selector.namespaces.len(),
            selector.workloads.len(),
            selector.images.len(),
            selector.labels.len(),
        ];
        if most.into_iter().any(|count| count > VALUES_MAX) {
            return Err(Status::invalid_argument(format!(
                "a selector takes at most {VALUES_MAX} values in each field"
            )));
        }
        let patterns = |field, texts: &[String]| each(texts, |text| Pattern::new(field, text));
        Ok(Self {
            pids: selector.pids.iter().copied().collect(),
            containers: each(&selector.containers, container_prefix)?,
            processes: patterns("processes", &selector.processes)?,
            cgroups: patterns("cgroups", &selector.cgroups)?,
            pods: each(&selector.pods, Pod::new)?,
            nodes: patterns("nodes", &selector.nodes)?,
            namespaces: patterns("namespaces", &selector.namespaces)?,
            workloads: patterns("workloads", &selector.workloads)?,
            images: patterns("images", &selector.images)?,
            labels: each(&selector.labels, Label::new)?,
        })
    }

    /// Chooses from the processes that are known.
    ///
    /// # Errors
    /// A pid, container or node that is not among them, and what nothing is known of: the asker
    /// would take an empty answer for "it uses nothing".
    pub fn choose<'a>(
        &self,
        known: impl Iterator<Item = (ProcessHandle, &'a TargetInfo)> + Clone,
    ) -> Result<Selection, NotChosen> {
        if self.is_empty() {
            return Ok(Selection::All);
        }
        self.check(&known.clone().map(|(_, info)| info))?;
        let chosen = known.filter(|(_, info)| self.takes(info));
        Ok(Selection::Some(chosen.map(|(handle, _)| handle).collect()))
    }

    /// Nothing is asked for in particular.
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty()
            && self.containers.is_empty()
            && self.processes.is_empty()
            && self.cgroups.is_empty()
            && self.pods.is_empty()
            && self.nodes.is_empty()
            && self.namespaces.is_empty()
            && self.workloads.is_empty()
            && self.images.is_empty()
            && self.labels.is_empty()
    }

    /// Whether the process is one of those that are asked for.
    pub fn takes(&self, info: &TargetInfo) -> bool {
        let container = &info.container;
        let fits = |patterns: &[Pattern], text: &str| any(patterns, |one| one.matches(text));
        (self.pids.is_empty() || self.pids.contains(&info.pid))
            && any(&self.containers, |prefix| is_in(info, prefix))
            && fits(&self.processes, &info.name)
            && fits(&self.cgroups, &container.cgroup)
            && any(&self.pods, |pod| pod.fits(info))
            && self.may_be_on(&info.node)
            && fits(&self.namespaces, &container.namespace)
            && fits(&self.workloads, &container.workload)
            && fits(&self.images, &container.image)
            && self.labels.iter().all(|label| label.fits(info))
    }

    /// Whether processes of this node can be among those that are asked for: what is on other nodes
    /// need not be looked at.
    pub fn may_be_on(&self, node: &NodeFacts) -> bool {
        any(&self.nodes, |pattern| pattern.matches(&node.name))
    }

    fn check<'a>(
        &self,
        known: &(impl Iterator<Item = &'a TargetInfo> + Clone),
    ) -> Result<(), NotChosen> {
        let no_one = |fits: &dyn Fn(&TargetInfo) -> bool| !known.clone().any(fits);
        let mut nodes = self.nodes.iter().filter_map(Pattern::exact);
        if let Some(name) = nodes.find(|name| no_one(&|info| info.node.name == *name)) {
            return Err(NotChosen::Other(Status::not_found(format!(
                "nothing is observed on a node named {name:?}; list the nodes to see those that \
                 report"
            ))));
        }
        let mut pids = self.pids.iter();
        if let Some(&pid) = pids.find(|pid| no_one(&|info| info.pid == **pid)) {
            return Err(NotChosen::Pid(pid));
        }
        let mut containers = self.containers.iter();
        if let Some(prefix) = containers.find(|prefix| no_one(&|info| is_in(info, prefix))) {
            return Err(NotChosen::Other(Status::not_found(format!(
                "no container whose id begins with {prefix:?} and no unit of that name is \
                 observed; list the targets to see those that are"
            ))));
        }
        self.check_metadata(known)
    }

    /// What no container's runtime tells can't be asked for.
    fn check_metadata<'a>(
        &self,
        known: &(impl Iterator<Item = &'a TargetInfo> + Clone),
    ) -> Result<(), NotChosen> {
        type Text = fn(&ContainerFacts) -> &str;
        let by_name = self.pods.iter().any(|pod| matches!(pod, Pod::Named { .. }));
        let asked: [(bool, &str, Text); 4] = [
            (by_name, "the name of a pod", |one| &one.pod),
            (!self.namespaces.is_empty(), "a namespace", |one| {
                &one.namespace
            }),
            (!self.workloads.is_empty(), "a workload", |one| {
                &one.workload
            }),
            (!self.images.is_empty(), "an image", |one| &one.image),
        ];
        for (asked, what, text) in asked {
            let told = known.clone().any(|info| !text(&info.container).is_empty());
            if asked && !told {
                return Err(NotChosen::Other(Status::invalid_argument(format!(
                    "{what} can't be asked for: no container's runtime tells it here. Choose by \
                     pod uid, container or cgroup"
                ))));
            }
        }
        Ok(())
    }
}

fn each<T>(values: &[String], check: impl Fn(&str) -> Result<T, Status>) -> Result<Vec<T>, Status> {
    values.iter().map(|value| check(value)).collect()
}

/// One of the alternatives fits, or there are none.
fn any<T>(alternatives: &[T], fits: impl Fn(&T) -> bool) -> bool {
    alternatives.is_empty() || alternatives.iter().any(fits)
}

/// A container's id begins with it, or it is the whole name of a unit or of what else stands in a
/// container's place. Only the host itself is "host", whatever others are called.
fn is_in(info: &TargetInfo, wanted: &str) -> bool {
    let container = &info.container;
    match wanted {
        "host" => container.kind == "host",
        _ if container.is_container() => container.id.starts_with(wanted),
        _ => container.name == wanted || container.unit == wanted,
    }
}

fn container_prefix(prefix: &str) -> Result<String, Status> {
    if prefix.chars().count() < PREFIX_MIN {
        return Err(Status::invalid_argument(format!(
            "container {prefix:?} is too short: give at least the first {PREFIX_MIN} characters \
             of its id, the name of a unit, or \"host\""
        )));
    }
    Ok(prefix.to_owned())
}
