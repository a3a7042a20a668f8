//! From a cgroup to the container, pod or unit that it belongs to.
//!
//! Whoever may write below a cgroup (a container, a user's service manager) may name its
//! sub-cgroups as it likes, also like another container. What it cannot do is leave the directory
//! it was given. So the outermost container on a path decides, and [`ContainerInfo::root`], the
//! path down to that directory, is the identity to group by: nobody can put a process under
//! another's root. One kind of nesting is followed further in, a kubelet inside a container (kind,
//! k3d, minikube); what it runs is named after both, `<id>@<outer id>`, and so cannot be taken for
//! a container of the host.

mod cache;
mod cgroup_file;
mod identity;

pub use cache::{CacheCounters, CgroupSource, ContainerCache};
pub use cgroup_file::{Reading, read_cgroup};
pub use identity::identify;

/// What runs the container, or what stands in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Docker, also under ECS.
    Docker,
    /// containerd: through its CRI plug-in, nerdctl or ctr.
    Containerd,
    /// CRI-O.
    CriO,
    /// Podman.
    Podman,
    /// LXC, also under LXD, Incus, Proxmox and libvirt.
    Lxc,
    /// systemd-nspawn and others that register with systemd-machined.
    Nspawn,
    /// A container of a pod whose path does not say by what it is run, or the pod itself.
    Kubernetes,
    /// A container whose path does not say by what it is run.
    Other,
    /// A systemd unit.
    Systemd,
    /// None of these: the host itself.
    Host,
}

impl Kind {
    /// The stable name, as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Podman => "podman",
            Self::Lxc => "lxc",
            Self::Nspawn => "systemd-nspawn",
            Self::Kubernetes => "kubernetes",
            Self::Other => "container",
            Self::Systemd => "systemd",
            Self::Host => "host",
        }
    }
}

/// Whose memory the processes of a cgroup use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerInfo {
    /// What people call it: the runtime's id (64 hexadecimal digits where the runtime uses them),
    /// `<id>@<first 12 of the outer id>` inside another container, `pod<uid>`, the name of the
    /// unit (`user@1000.service/app.service` for a user's own), or `host`. Two of them may share an
    /// id, where an unprivileged user names a cgroup so: group by `root`.
    pub id: String,
    /// By what it is run.
    pub kind: Kind,
    /// The cgroup directory that stands for it: its identity. `/` for the host.
    pub root: String,
    /// The cgroup directory of the process: `root` or below it.
    pub cgroup: String,
    /// The systemd unit, where the path has one.
    pub unit: Option<String>,
    /// The pod's uid, with dashes.
    pub pod_uid: Option<String>,
    /// The full id of the container around it, where there is one.
    pub outer_id: Option<String>,
}

impl ContainerInfo {
    /// The host itself, seen from this cgroup.
    pub fn host(cgroup: &str) -> Self {
        Self {
            id: "host".to_owned(),
            kind: Kind::Host,
            root: "/".to_owned(),
            cgroup: cgroup.to_owned(),
            unit: None,
            pod_uid: None,
            outer_id: None,
        }
    }

    /// The id by which its own runtime knows it.
    pub fn runtime_id(&self) -> &str {
        match &self.outer_id {
            Some(_) => self.id.split('@').next().unwrap_or(&self.id),
            None => &self.id,
        }
    }

    /// Whether it is a container, not a pod's own cgroup, a unit or the host.
    pub fn is_container(&self) -> bool {
        match self.kind {
            Kind::Systemd | Kind::Host => false,
            Kind::Kubernetes => !self.id.starts_with("pod"),
            _ => true,
        }
    }
}
