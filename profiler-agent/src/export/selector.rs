//! Which processes a question is about.

use std::{collections::HashSet, path::Path};

use globset::{GlobBuilder, GlobMatcher};
use profiler_proto::v1;
use tonic::Status;

use crate::{
    ids::ProcessHandle,
    profile::{ProcessGrowth, TargetInfo},
};

/// Alternatives in one field of a selector.
const VALUES_MAX: usize = 1000;

/// Shortest prefix of a container id.
const PREFIX_MIN: usize = 4;

/// A selector that was checked.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pids: HashSet<u32>,
    containers: Vec<String>,
    processes: Vec<Pattern>,
    cgroups: Vec<Pattern>,
    pods: Vec<String>,
}

/// The processes that were chosen.
#[derive(Debug)]
pub(super) enum Selection {
    /// Nothing was asked for in particular.
    All,
    /// Only these.
    Some(HashSet<ProcessHandle>),
}

impl Selection {
    pub(super) fn has(&self, handle: ProcessHandle) -> bool {
        match self {
            Self::All => true,
            Self::Some(handles) => handles.contains(&handle),
        }
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

impl Filter {
    pub(super) fn new(selector: Option<&v1::Selector>) -> Result<Self, Status> {
        let Some(selector) = selector else {
            return Ok(Self::default());
        };
        let most = [
            selector.pids.len(),
            selector.containers.len(),
            selector.processes.len(),
            selector.cgroups.len(),
            selector.pods.len(),
        ];
        if most.into_iter().any(|count| count > VALUES_MAX) {
            return Err(Status::invalid_argument(format!(
                "a selector takes at most {VALUES_MAX} values in each field"
            )));
        }
        Ok(Self {
            pids: selector.pids.iter().copied().collect(),
            containers: each(&selector.containers, container_prefix)?,
            processes: each(&selector.processes, |text| Pattern::new("processes", text))?,
            cgroups: each(&selector.cgroups, |text| Pattern::new("cgroups", text))?,
            pods: each(&selector.pods, pod_uid)?,
        })
    }

    /// Chooses from the processes that are known. A pid or container that is not among them is an
    /// error: the asker would take an empty answer for "it uses nothing".
    pub(super) fn choose(&self, processes: &[ProcessGrowth]) -> Result<Selection, Status> {
        if self.is_empty() {
            return Ok(Selection::All);
        }
        if let Some(pid) = self.pids.iter().find(|&&pid| {
            let mut known = processes.iter();
            !known.any(|process| process.info.pid == pid)
        }) {
            return Err(unknown_pid(*pid));
        }
        if let Some(prefix) = self.containers.iter().find(|prefix| {
            let mut known = processes.iter();
            !known.any(|process| is_in(&process.info, prefix))
        }) {
            return Err(Status::not_found(format!(
                "no container whose id begins with {prefix:?} and no unit of that name is \
                 observed; list the targets to see those that are"
            )));
        }
        let chosen = processes.iter().filter(|process| self.takes(&process.info));
        Ok(Selection::Some(
            chosen.map(|process| process.handle).collect(),
        ))
    }

    fn is_empty(&self) -> bool {
        self.pids.is_empty()
            && self.containers.is_empty()
            && self.processes.is_empty()
            && self.cgroups.is_empty()
            && self.pods.is_empty()
    }

    fn takes(&self, info: &TargetInfo) -> bool {
        let container = &info.container;
        (self.pids.is_empty() || self.pids.contains(&info.pid))
            && any(&self.containers, |prefix| is_in(info, prefix))
            && any(&self.processes, |pattern| pattern.matches(&info.name))
            && any(&self.cgroups, |pattern| pattern.matches(&container.cgroup))
            && any(&self.pods, |uid| *uid == container.pod_uid)
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

fn pod_uid(uid: &str) -> Result<String, Status> {
    if uid.is_empty() || uid.contains('/') {
        return Err(Status::invalid_argument(format!(
            "pod {uid:?}: this agent knows pods by their uid only, not by namespace and name"
        )));
    }
    Ok(uid.replace('_', "-"))
}

/// What to say of a process that is not known.
pub(super) fn unknown_pid(pid: u32) -> Status {
    let why = if pid == std::process::id() {
        "it is this agent, which leaves itself out"
    } else if Path::new(&format!("/proc/{pid}")).exists() {
        "it runs, but it is a kernel thread, a thread of another process, or left out by a filter"
    } else {
        "there is no such process; pids are those of the host, not of a container"
    };
    Status::not_found(format!(
        "process {pid} is not observed: {why}. List the targets to see those that are"
    ))
}

/// An exact text, or a glob with `*` and `?`.
#[derive(Debug)]
enum Pattern {
    Exact(String),
    Glob(GlobMatcher),
}

impl Pattern {
    fn new(field: &str, text: &str) -> Result<Self, Status> {
        if text.is_empty() {
            return Err(Status::invalid_argument(format!(
                "an empty text in the selector's {field} chooses nothing; leave it out"
            )));
        }
        if !text.contains(['*', '?']) {
            return Ok(Self::Exact(text.to_owned()));
        }
        // Only `*` and `?` are special here.
        let mut glob = String::with_capacity(text.len() + 8);
        for character in text.chars() {
            if matches!(character, '[' | ']' | '{' | '}' | '\\') {
                glob.push('\\');
            }
            glob.push(character);
        }
        let glob = GlobBuilder::new(&glob)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| {
                Status::invalid_argument(format!("the selector's {field}: {text:?}: {error}"))
            })?;
        Ok(Self::Glob(glob.compile_matcher()))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Glob(glob) => glob.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new("processes", pattern)
            .expect("a pattern")
            .matches(text)
    }

    #[test]
    fn globs_know_only_star_and_question_mark() {
        assert!(matches("node", "node") && !matches("node", "node2"));
        assert!(matches("no*", "node") && matches("n?de", "node"));
        assert!(matches("/kubepods*", "/kubepods/burstable/podx/y"));
        assert!(matches("[a]*", "[a]b") && !matches("[a]*", "ab"));
        assert!(matches("{x,y}?", "{x,y}1") && !matches("{x,y}?", "x1"));
        assert!(matches("a\\*", "a\\b"));
        assert!(Pattern::new("processes", "").is_err());
    }

    #[test]
    fn too_many_values_are_refused() {
        let selector = v1::Selector {
            pids: vec![1; VALUES_MAX + 1],
            ..v1::Selector::default()
        };
        assert!(Filter::new(Some(&selector)).is_err());
    }
}
