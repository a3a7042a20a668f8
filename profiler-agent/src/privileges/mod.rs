//! What the agent needs of the host, checked before anything is loaded, each with a name and,
//! where it is missing, what to do about it.

mod capabilities;
mod namespace;
mod tracefs;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use tracefs::{TracefsSource, ensure_tracefs};

/// Inode of the initial pid namespace (`PROC_PID_INIT_INO`).
const INITIAL_PID: u64 = 0xEFFF_FFFC;
/// Inode of the initial user namespace (`PROC_USER_INIT_INO`).
const INITIAL_USER: u64 = 0xEFFF_FFFD;
/// Inode of the initial cgroup namespace (`PROC_CGROUP_INIT_INO`).
const INITIAL_CGROUP: u64 = 0xEFFF_FFFB;

/// How a check came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be; what was found.
    Passed(String),
    /// The agent runs, with less; what an operator should know.
    Limited(String),
    /// The agent cannot run; what to do.
    Failed(String),
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable name.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Passed(text) => write!(f, "{}: ok ({text})", self.name),
            Outcome::Limited(text) => write!(f, "{}: limited: {text}", self.name),
            Outcome::Failed(text) => write!(f, "{}: failed: {text}", self.name),
        }
    }
}

/// This host does not give the agent what it needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this host cannot be profiled:{}", list(.failed))]
pub struct Missing {
    /// The checks that failed.
    pub failed: Vec<Check>,
}

fn list(failed: &[Check]) -> String {
    failed
        .iter()
        .map(|check| match &check.outcome {
            Outcome::Failed(text) | Outcome::Limited(text) | Outcome::Passed(text) => {
                format!("\n  {}: {text}", check.name)
            }
        })
        .collect()
}

/// Where the checks look; tests give them a directory of their own.
#[derive(Clone, Debug)]
pub struct HostRoot(PathBuf);

impl Default for HostRoot {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl HostRoot {
    /// Looks below `root` in place of `/`.
    pub fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    /// The number in a link such as `pid:[4026531836]`.
    fn namespace(&self, name: &str) -> Option<u64> {
        let link = fs::read_link(self.path(&format!("/proc/self/ns/{name}"))).ok()?;
        let text = link.to_str()?;
        let number = text.strip_prefix(name)?.strip_prefix(":[")?;
        number.strip_suffix(']')?.parse().ok()
    }
}

/// Checks everything, in the order in which an operator would put it right.
pub fn check_host(root: &HostRoot) -> Vec<Check> {
    let outcomes = [
        ("user namespace", user_namespace(root)),
        ("capabilities", capabilities::check(root)),
        ("symbol files", capabilities::check_map_files(root)),
        ("pid namespace", pid_namespace(root)),
        ("cgroup namespace", cgroup_namespace(root)),
        ("btf", btf(root)),
        ("lockdown", lockdown(root)),
    ];
    outcomes
        .into_iter()
        .map(|(name, outcome)| Check { name, outcome })
        .collect()
}

/// All that failed, in one error.
pub fn require(checks: &[Check]) -> Result<(), Missing> {
    let failed: Vec<Check> = checks
        .iter()
        .filter(|check| matches!(check.outcome, Outcome::Failed(_)))
        .cloned()
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Missing { failed })
    }
}

fn user_namespace(root: &HostRoot) -> Outcome {
    match root.namespace("user") {
        // A kernel without user namespaces has no such link.
        Some(INITIAL_USER) | None => Outcome::Passed("the host's".to_owned()),
        Some(_) => Outcome::Failed(
            "the agent runs in a user namespace of its own, where capabilities are not the \
             host's. Start it as root of the host, not in a rootless container"
                .to_owned(),
        ),
    }
}

fn pid_namespace(root: &HostRoot) -> Outcome {
    match root.namespace("pid") {
        Some(INITIAL_PID) => Outcome::Passed("the host's".to_owned()),
        Some(_) => Outcome::Failed(
            "the agent runs in a pid namespace of its own and would not find the processes that \
             the kernel tells it about. Start it on the host, or with --pid=host (Docker, Podman) \
             or hostPID: true (Kubernetes)"
                .to_owned(),
        ),
        None => Outcome::Failed(
            "/proc/self/ns/pid cannot be read. Mount the host's proc file system at /proc"
                .to_owned(),
        ),
    }
}

fn cgroup_namespace(root: &HostRoot) -> Outcome {
    match root.namespace("cgroup") {
        Some(INITIAL_CGROUP) | None => Outcome::Passed("the host's".to_owned()),
        Some(_) => Outcome::Limited(
            "the agent runs in a cgroup namespace of its own: cgroup paths are shown relative to \
             it. --cgroupns=host shows them as the host does"
                .to_owned(),
        ),
    }
}

fn btf(root: &HostRoot) -> Outcome {
    let path = "/sys/kernel/btf/vmlinux";
    if root.path(path).exists() {
        return Outcome::Passed(path.to_owned());
    }
    Outcome::Failed(format!(
        "{path} is not there: this kernel does not describe its types. A kernel built with \
         CONFIG_DEBUG_INFO_BTF=y is needed (Debian 11, Ubuntu 20.10, RHEL 8.2 and later have it); \
         in a container, /sys has to be mounted"
    ))
}

/// `none [integrity] confidentiality`: the one in brackets holds.
fn lockdown(root: &HostRoot) -> Outcome {
    let Some(text) = root.read("/sys/kernel/security/lockdown") else {
        return Outcome::Passed("unknown: /sys/kernel/security/lockdown is not there".to_owned());
    };
    let state = text
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .unwrap_or("unknown");
    match state {
        "confidentiality" => Outcome::Failed(
            "the kernel is locked down to \"confidentiality\" and lets no BPF program read \
             memory. Boot with lockdown=integrity or lockdown=none"
                .to_owned(),
        ),
        "integrity" => Outcome::Limited(
            "the kernel is locked down to \"integrity\": fexit programs may be refused; \
             tracepoints are used then"
                .to_owned(),
        ),
        state => Outcome::Passed(state.to_owned()),
    }
}

/// Raises the soft limit of open files to the hard one, and returns it. Programs, maps, rings and
/// the files of many processes are held open at once.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests;
