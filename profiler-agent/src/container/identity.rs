//! The names that runtimes give to cgroups.

use super::{ContainerInfo, Kind};

/// Levels of a path that are looked at; what matters lies near the top.
const DEPTH_MAX: usize = 64;
/// Digits of the outer id in the id of a nested container.
const OUTER_DIGITS: usize = 12;
/// Suffixes of the systemd units that are cgroups of their own.
const UNIT_SUFFIXES: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// A container found on a path.
struct Found {
    id: String,
    kind: Kind,
    /// Segments down to its directory, that one included.
    depth: usize,
}

/// A pod found on a path.
struct Pod {
    uid: String,
    depth: usize,
}

/// What the processes in the cgroup at `path` belong to. See the module for what a path from
/// inside a container is worth.
pub fn identify(path: &str) -> ContainerInfo {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .take(DEPTH_MAX)
        .collect();
    let root = |depth: usize| format!("/{}", segments[..depth].join("/"));
    let outer_pod = find_pod(&segments, 0);
    let Some(outer) = find_container(&segments, 0) else {
        return without_container(path, &segments, outer_pod, root);
    };
    let mut info = ContainerInfo {
        root: root(outer.depth),
        unit: system_unit(&segments[..outer.depth]).map(|(unit, _)| unit),
        pod_uid: pod_above(outer_pod, &outer),
        id: outer.id,
        kind: outer.kind,
        cgroup: path.to_owned(),
        outer_id: None,
    };
    if let Some((pod, inner)) = nested(&segments, outer.depth) {
        let digits = info.id.get(..OUTER_DIGITS).unwrap_or(&info.id);
        let id = format!("{}@{digits}", inner.id);
        info.outer_id = Some(std::mem::replace(&mut info.id, id));
        info.kind = inner.kind;
        info.root = root(inner.depth);
        info.pod_uid = Some(pod.uid);
    }
    info
}

fn without_container(
    path: &str,
    segments: &[&str],
    pod: Option<Pod>,
    root: impl Fn(usize) -> String,
) -> ContainerInfo {
    let mut info = ContainerInfo::host(path);
    if let Some(pod) = pod {
        info.id = format!("pod{}", pod.uid);
        info.kind = Kind::Kubernetes;
        info.root = root(pod.depth);
        info.pod_uid = Some(pod.uid);
    } else if let Some((unit, depth)) = system_unit(segments) {
        let (unit, id, depth) = user_unit(segments, unit, depth);
        info.kind = Kind::Systemd;
        info.root = root(depth);
        info.id = id;
        info.unit = Some(unit);
    }
    info
}

/// The pod counts only where the container lies below it.
fn pod_above(pod: Option<Pod>, container: &Found) -> Option<String> {
    pod.filter(|pod| pod.depth <= container.depth)
        .map(|pod| pod.uid)
}

/// A container that a kubelet inside the container at `depth` runs.
fn nested(segments: &[&str], depth: usize) -> Option<(Pod, Found)> {
    let pod = find_pod(segments, depth)?;
    // The colon form names pod and container in one segment.
    let inner = find_container(segments, pod.depth - 1)?;
    (inner.depth <= pod.depth + 1).then_some((pod, inner))
}

/// The outermost container below `from` segments.
fn find_container(segments: &[&str], from: usize) -> Option<Found> {
    (from..segments.len()).find_map(|at| container_at(segments, at))
}

fn container_at(segments: &[&str], at: usize) -> Option<Found> {
    let segment = segments[at];
    let parent = if at == 0 { "" } else { segments[at - 1] };
    let found = |id: &str, kind| {
        Some(Found {
            id: id.to_owned(),
            kind,
            depth: at + 1,
        })
    };
    if let Some((id, kind)) = prefixed(segment).or_else(|| colon_form(segment)) {
        return found(id, kind);
    }
    if let Some((id, kind)) = machine(segment).or_else(|| lxc(segment, parent)) {
        return Some(Found {
            id,
            kind,
            depth: at + 1,
        });
    }
    // Podman's own parent holds pods under their bare ids; the containers are prefixed.
    if parent == "libpod_parent" {
        return None;
    }
    if is_hex_id(segment) {
        return found(segment, bare_kind(segments, at));
    }
    let task = segments.first() == Some(&"ecs") && at >= 2;
    (task && is_fargate_id(segment))
        .then(|| found(segment, Kind::Docker))
        .flatten()
}

/// Names such as `docker-<id>.scope` (systemd driver) and `libpod-<id>` (cgroupfs driver).
fn prefixed(segment: &str) -> Option<(&str, Kind)> {
    const PREFIXES: [(&str, Kind); 7] = [
        ("docker-", Kind::Docker),
        ("cri-containerd-", Kind::Containerd),
        ("nerdctl-", Kind::Containerd),
        ("containerd-", Kind::Containerd),
        ("crio-", Kind::CriO),
        ("libpod-", Kind::Podman),
        ("libpod-payload-", Kind::Podman),
    ];
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    PREFIXES.iter().find_map(|&(prefix, kind)| {
        // `crio-conmon-<id>` and `libpod-conmon-<id>` fall out here: no 64 digits.
        let id = name.strip_prefix(prefix)?;
        is_hex_id(id).then_some((id, kind))
    })
}

/// `<slice>:<prefix>:<id>`: a systemd path given to a runtime that drives cgroupfs.
fn colon_form(segment: &str) -> Option<(&str, Kind)> {
    let mut parts = segment.splitn(3, ':');
    let (_slice, prefix, id) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = match prefix {
        "docker" => Kind::Docker,
        "cri-containerd" | "nerdctl" | "containerd" => Kind::Containerd,
        "crio" => Kind::CriO,
        "libpod" => Kind::Podman,
        _ => return None,
    };
    is_hex_id(id).then_some((id, kind))
}

/// `machine-<name>.scope` and `systemd-nspawn@<name>.service`. Virtual machines of libvirt carry
/// the same prefix and are units like others.
fn machine(segment: &str) -> Option<(String, Kind)> {
    let scope = segment
        .strip_prefix("machine-")
        .and_then(|name| name.strip_suffix(".scope"));
    let service = || {
        segment
            .strip_prefix("systemd-nspawn@")
            .and_then(|name| name.strip_suffix(".service"))
    };
    let name = unescape(scope.or_else(service)?);
    if name.is_empty() || name.starts_with("qemu-") {
        return None;
    }
    match name.strip_prefix("lxc-") {
        // libvirt writes `lxc-<number>-<name>`.
        Some(lxc) => Some((lxc.to_owned(), Kind::Lxc)),
        None => Some((name, Kind::Nspawn)),
    }
}

/// `/lxc/<name>`, `/lxc.payload/<name>` and `/lxc.payload.<name>`; the monitor is the host's.
fn lxc(segment: &str, parent: &str) -> Option<(String, Kind)> {
    let below = matches!(parent, "lxc" | "lxc.payload").then_some(segment);
    let name = below.or_else(|| segment.strip_prefix("lxc.payload."))?;
    (!name.is_empty()).then(|| (name.to_owned(), Kind::Lxc))
}

/// By what a container under its bare id is run.
fn bare_kind(segments: &[&str], at: usize) -> Kind {
    if find_pod(&segments[..at], 0).is_some_and(|pod| pod.depth == at) {
        return Kind::Kubernetes;
    }
    match (segments.first().copied(), at.checked_sub(1)) {
        (Some("docker" | "ecs"), Some(_)) => Kind::Docker,
        (Some("default" | "k8s.io" | "moby"), Some(0)) => Kind::Containerd,
        _ => Kind::Other,
    }
}

fn is_hex_id(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `<task: 32 hexadecimal digits>-<number>`.
fn is_fargate_id(text: &str) -> bool {
    let Some((task, number)) = text.split_once('-') else {
        return false;
    };
    task.len() == 32
        && task.bytes().all(|byte| byte.is_ascii_hexdigit())
        && (1..=20).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The outermost pod below a `kubepods` directory that itself lies below `from` segments.
fn find_pod(segments: &[&str], from: usize) -> Option<Pod> {
    let kube = (from..segments.len()).find(|&at| is_kubepods(segments[at]))?;
    (kube..segments.len()).find_map(|at| {
        let segment = segments[at].split(':').next().unwrap_or("");
        Some(Pod {
            uid: pod_uid(segment)?,
            depth: at + 1,
        })
    })
}

/// `kubepods`, `kubepods.slice`, `kubelet-kubepods.slice` and the slices below them.
fn is_kubepods(segment: &str) -> bool {
    let name = segment.strip_prefix("kubelet-").unwrap_or(segment);
    name == "kubepods" || name == "kubepods.slice" || name.starts_with("kubepods-")
}

/// `pod<uid>` (cgroupfs) or `kubepods-burstable-pod<uid with _>.slice` (systemd). A static pod's
/// uid is 32 hexadecimal digits without dashes and stays as it is.
fn pod_uid(segment: &str) -> Option<String> {
    let raw = match segment.strip_suffix(".slice") {
        Some(slice) if is_kubepods(slice) => slice.rsplit_once("-pod")?.1,
        Some(_) => return None,
        None => segment.strip_prefix("pod")?,
    };
    let uid = raw.replace('_', "-").to_ascii_lowercase();
    let digits = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|&byte| byte == b'-').count();
    let well_formed = digits == 32 && digits + dashes == uid.len();
    (well_formed && (dashes == 0 || dashes == 4)).then_some(uid)
}

/// The first unit below the slices, and the depth of its directory.
fn system_unit(segments: &[&str]) -> Option<(String, usize)> {
    segments.iter().enumerate().find_map(|(at, segment)| {
        // systemd puts `_` before names that the kernel or itself would misread.
        let name = segment.strip_prefix('_').unwrap_or(segment);
        let unit = UNIT_SUFFIXES
            .iter()
            .any(|suffix| name.len() > suffix.len() && name.ends_with(suffix));
        unit.then(|| (name.to_owned(), at + 1))
    })
}

/// Below a user's own service manager its units are told apart: (unit, id, depth).
fn user_unit(segments: &[&str], unit: String, depth: usize) -> (String, String, usize) {
    if !(unit.starts_with("user@") && unit.ends_with(".service")) {
        return (unit.clone(), unit, depth);
    }
    match system_unit(&segments[depth..]) {
        Some((own, below)) => {
            let id = format!("{unit}/{own}");
            (own, id, depth + below)
        }
        None => (unit.clone(), unit, depth),
    }
}

/// Undoes systemd's `\x2d`.
fn unescape(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        let code = after
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
