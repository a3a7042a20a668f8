//! Which processes are meant, and on whose behalf.

use clap::{Args, value_parser};
use profiler_proto::v1::Selector;

/// Which processes are meant. Values of one flag are alternatives, those of --label are not; flags
/// narrow each other.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Selection")]
pub struct SelectArgs {
    /// Process id (repeatable)
    #[arg(long = "pid", value_name = "PID", value_parser = value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
    /// Container id or a prefix of at least 4 characters, a systemd unit, or "host" (repeatable)
    #[arg(long = "container", value_name = "ID")]
    pub containers: Vec<String>,
    /// Process name, or a glob with * and ? (repeatable)
    #[arg(long = "process", value_name = "NAME")]
    pub processes: Vec<String>,
    /// Cgroup path, or a glob (repeatable)
    #[arg(long = "cgroup", value_name = "PATH")]
    pub cgroups: Vec<String>,
    /// Pod uid, or namespace/name where that is known: an agent knows uids only (repeatable)
    #[arg(long = "pod", value_name = "POD")]
    pub pods: Vec<String>,
    /// Node, or a glob; an agent is one node (repeatable)
    #[arg(long = "node", value_name = "NAME")]
    pub nodes: Vec<String>,
    /// Kubernetes namespace, or a glob (repeatable)
    #[arg(long = "namespace", value_name = "NAME")]
    pub namespaces: Vec<String>,
    /// Deployment, StatefulSet, DaemonSet or Job that owns the pod, or a glob (repeatable)
    #[arg(long = "workload", value_name = "NAME")]
    pub workloads: Vec<String>,
    /// Image of the container, or a glob such as '*/cart:2.*' (repeatable)
    #[arg(long = "image", value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Label of the container or its node: key=value, where the value may be a glob, or key for any
    /// value (repeatable; all have to fit)
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
}

impl SelectArgs {
    /// As the wire carries it; nothing selected is everything.
    pub fn to_wire(&self) -> Option<Selector> {
        let selector = Selector {
            pids: self.pids.clone(),
            containers: self.containers.clone(),
            processes: self.processes.clone(),
            cgroups: self.cgroups.clone(),
            pods: self.pods.clone(),
            nodes: self.nodes.clone(),
            namespaces: self.namespaces.clone(),
            workloads: self.workloads.clone(),
            images: self.images.clone(),
            labels: self.labels.clone(),
        };
        (selector != Selector::default()).then_some(selector)
    }
}

/// On whose behalf growth was demanded, of what is selected.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Selection")]
pub struct BehalfArgs {
    /// Only growth on behalf of this connection; `profiler connections` lists cookies
    #[arg(long, value_name = "COOKIE", value_parser = value_parser!(u64).range(1..))]
    pub connection: Option<u64>,
}

impl BehalfArgs {
    /// As the wire carries it: 0 is all growth.
    pub fn to_wire(self) -> u64 {
        self.connection.unwrap_or(0)
    }
}

/// The other target of a comparison.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Selection")]
pub struct AgainstArgs {
    /// The other target of a comparison, in the words of the flags above: 'pod=shop/cart-2', or
    /// several that narrow each other, 'container=3f2a91,process=node' (repeatable)
    #[arg(
        id = "against",
        long = "against",
        value_name = "KEY=VALUE",
        value_delimiter = ',',
        value_parser = condition
    )]
    pub conditions: Vec<Condition>,
}

impl AgainstArgs {
    /// As the wire carries it; none where nothing is compared.
    pub fn to_wire(&self) -> Option<Selector> {
        (!self.conditions.is_empty()).then(|| chosen_by(&self.conditions, Selector::default()))
    }
}

/// The selector, with what these conditions add to it.
pub(super) fn chosen_by(conditions: &[Condition], mut selector: Selector) -> Selector {
    for condition in conditions {
        match condition {
            Condition::Pid(pid) => selector.pids.push(*pid),
            Condition::Text(values, value) => values(&mut selector).push(value.clone()),
        }
    }
    selector
}

/// One `key=value` (or `key:value`) that chooses a target.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A process id.
    Pid(u32),
    /// A value, and where it goes.
    Text(Values, String),
}

/// The values of one field of a selector.
type Values = fn(&mut Selector) -> &mut Vec<String>;

/// Keys as the flags are called.
const KEYS: [(&str, Values); 9] = [
    ("container", |one| &mut one.containers),
    ("process", |one| &mut one.processes),
    ("cgroup", |one| &mut one.cgroups),
    ("pod", |one| &mut one.pods),
    ("node", |one| &mut one.nodes),
    ("namespace", |one| &mut one.namespaces),
    ("workload", |one| &mut one.workloads),
    ("image", |one| &mut one.images),
    ("label", |one| &mut one.labels),
];

pub(super) fn condition(text: &str) -> Result<Condition, String> {
    let allowed = || {
        let keys = KEYS.map(|(key, _)| key).join(", ");
        format!("allowed: KEY=VALUE, where KEY is pid, {keys}")
    };
    let (key, value) = text.split_once(['=', ':']).ok_or_else(allowed)?;
    if value.is_empty() {
        return Err(format!("{key} has no value; {}", allowed()));
    }
    if key == "pid" {
        let pid = value.parse().ok().filter(|pid| *pid > 0);
        return pid
            .map(Condition::Pid)
            .ok_or_else(|| format!("{value} is no process id"));
    }
    let known = KEYS.iter().find(|(name, _)| *name == key);
    let (_, values) = known.ok_or_else(allowed)?;
    Ok(Condition::Text(*values, value.to_owned()))
}
