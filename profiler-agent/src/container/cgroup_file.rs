//! `/proc/PID/cgroup`: which of its paths says what the process belongs to.

use super::{ContainerInfo, identify};

/// Longest path that is taken; the kernel's own limit in this file.
const PATH_MAX: usize = 4096;
/// Most lines that are read: the v1 controllers, named hierarchies and the v2 line.
const LINES_MAX: usize = 64;
/// What the kernel puts behind the path of a cgroup that is gone.
const DELETED: &str = " (deleted)";

/// Place of the v2 line in the order of preference.
const UNIFIED: u8 = 0;

/// What a process belongs to, by its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The identity; its `cgroup` is the path it was read from.
    pub info: ContainerInfo,
    /// Every process in that directory of the v2 tree, whose inode the kernel's events carry,
    /// belongs to the same.
    pub by_unified: bool,
}

/// Reads `/proc/PID/cgroup`. `None` when no line can be read.
///
/// On a hybrid machine the v2 tree may know less than the v1 controllers: a runtime that uses v1
/// alone leaves its containers at `/`, or in the unit of its daemon. So a container is looked for
/// in both, v2 first; and where there are v1 controllers, a v2 directory that is no container's
/// says nothing about others in it.
pub fn read_cgroup(file: &[u8]) -> Option<Reading> {
    let lines = file.split(|&byte| byte == b'\n').take(LINES_MAX);
    let (mut unified, mut legacy) = (Vec::new(), Vec::new());
    for (rank, path) in lines.filter_map(line) {
        match rank {
            UNIFIED => unified.push((rank, path)),
            _ => legacy.push((rank, path)),
        }
    }
    let (unified, legacy) = (most_telling(unified), most_telling(legacy));
    let pure = legacy.is_none();
    let runs = |info: &ContainerInfo| info.is_container() || info.pod_uid.is_some();
    match (unified, legacy) {
        (Some(info), _) if runs(&info) => Some(by(info, true)),
        (_, Some(info)) if runs(&info) => Some(by(info, false)),
        (Some(info), _) if info.cgroup != "/" => Some(by(info, pure)),
        (_, Some(info)) | (Some(info), None) => Some(by(info, false)),
        (None, None) => None,
    }
}

fn by(info: ContainerInfo, by_unified: bool) -> Reading {
    Reading { info, by_unified }
}

/// The first in the order of preference that is not just the root.
fn most_telling(paths: Vec<(u8, String)>) -> Option<ContainerInfo> {
    let best = paths
        .into_iter()
        .min_by_key(|(rank, path)| (path == "/", *rank));
    best.map(|(_, path)| identify(&path))
}

/// `hierarchy:controllers:path`, with its place in the order of preference.
fn line(line: &[u8]) -> Option<(u8, String)> {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    let hierarchy = fields.next()?;
    let controllers = fields.next()?;
    let path = fields.next()?;
    if !path.starts_with(b"/") || path.len() > PATH_MAX {
        return None;
    }
    let unified = hierarchy == b"0" && controllers.is_empty();
    let has = |name: &[u8]| controllers.split(|&byte| byte == b',').any(|c| c == name);
    let rank = match () {
        () if unified => UNIFIED,
        () if has(b"memory") => 1,
        () if has(b"name=systemd") => 2,
        () => 3,
    };
    let text = String::from_utf8_lossy(path);
    let path = match text.strip_suffix(DELETED) {
        Some("") => "/",
        Some(path) => path,
        None => &text,
    };
    Some((rank, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";

    /// (path, whether the v2 directory says it for all)
    fn choose(file: &str) -> Option<(String, bool)> {
        let file = file.replace("{A}", A);
        let reading = read_cgroup(file.as_bytes())?;
        Some((reading.info.cgroup.replace(A, "{A}"), reading.by_unified))
    }

    fn chosen(path: &str, by_unified: bool) -> Option<(String, bool)> {
        Some((path.to_owned(), by_unified))
    }

    #[test]
    fn pure_v2() {
        assert_eq!(
            choose("0::/system.slice/nginx.service\n"),
            chosen("/system.slice/nginx.service", true)
        );
        assert_eq!(choose("0::/\n"), chosen("/", false));
    }

    #[test]
    fn hybrid_prefers_v2_where_it_knows_the_container() {
        assert_eq!(
            choose("5:memory:/docker/{A}\n0::/libpod_parent/libpod-{A}\n"),
            chosen("/libpod_parent/libpod-{A}", true)
        );
        assert_eq!(
            choose("5:memory:/x\n0::/libpod_parent/libpod-{A}\n"),
            chosen("/libpod_parent/libpod-{A}", true)
        );
        // A runtime that uses v1 alone.
        assert_eq!(
            choose("9:name=systemd:/x\n5:cpu,cpuacct:/y\n4:rdma,memory:/docker/{A}\n0::/\n"),
            chosen("/docker/{A}", false)
        );
        assert_eq!(
            choose("4:memory:/docker/{A}\n0::/system.slice/containerd.service\n"),
            chosen("/docker/{A}", false)
        );
        // The daemon itself: its v2 directory is its containers' too.
        let unit = "/system.slice/containerd.service";
        assert_eq!(
            choose(&format!("4:memory:{unit}\n0::{unit}\n")),
            chosen(unit, false)
        );
        assert_eq!(choose("4:memory:/\n0::/\n"), chosen("/", false));
    }

    #[test]
    fn v1_without_memory_uses_systemd_then_any() {
        let file = "3:cpuset:/a\n4:memory:/\n1:name=systemd:/user.slice/session-1.scope\n";
        assert_eq!(choose(file), chosen("/user.slice/session-1.scope", false));
        assert_eq!(choose("3:cpuset:/a\n4:memory:/\n"), chosen("/a", false));
        assert_eq!(choose("4:memory:/\n"), chosen("/", false));
    }

    #[test]
    fn a_path_may_hold_colons_and_be_deleted() {
        assert_eq!(
            choose("0::/system.slice:docker:{A} (deleted)\n"),
            chosen("/system.slice:docker:{A}", true)
        );
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        assert_eq!(choose(""), None);
        assert_eq!(choose("0::relative\nnonsense\n:::\n"), None);
        let long = format!("0::/{}\n4:memory:/ok\n", "a".repeat(PATH_MAX));
        assert_eq!(choose(&long), chosen("/ok", false));
        let reading = read_cgroup(b"0::/\xff\xfe\n").unwrap();
        assert_eq!(reading.info.cgroup, "/\u{fffd}\u{fffd}");
        let many = format!("{}0::/late\n", "9:x:/early\n".repeat(LINES_MAX));
        assert_eq!(choose(&many), chosen("/early", false));
    }
}
