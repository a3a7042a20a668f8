//! Reading `/proc`, behind a trait so that the table can be tested without it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::container::CgroupSource;

/// Most bytes that are taken of one file.
const FILE_MAX: u64 = 64 * 1024;

/// A file in `/proc/PID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcFile {
    /// Name, state, parent, start time.
    Stat,
    /// User, pid in namespaces.
    Status,
    /// The auxiliary vector.
    Auxv,
    /// The cgroups.
    Cgroup,
}

impl ProcFile {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Status => "status",
            Self::Auxv => "auxv",
            Self::Cgroup => "cgroup",
        }
    }
}

/// Where facts about processes come from.
pub trait ProcSource: CgroupSource {
    /// All processes that are there now.
    fn pids(&self) -> io::Result<Vec<u32>>;
    /// The content of a file.
    fn read(&self, pid: u32, file: ProcFile) -> io::Result<Vec<u8>>;
    /// The path that `/proc/PID/exe` names.
    fn executable(&self, pid: u32) -> io::Result<Vec<u8>>;
    /// The unit of times in `stat`.
    fn ticks_per_second(&self) -> u64;
}

/// The running kernel's `/proc`.
#[derive(Clone, Debug)]
pub struct ProcFs {
    root: PathBuf,
    /// Where the cgroup v2 tree is mounted, if it is.
    unified: Option<PathBuf>,
}

impl ProcFs {
    /// `/proc`, and the v2 tree wherever `/proc/self/mountinfo` says that it is.
    pub fn new() -> Self {
        let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
        Self {
            root: PathBuf::from("/proc"),
            unified: unified_mount(&String::from_utf8_lossy(&mounts)),
        }
    }

    fn path(&self, pid: u32, name: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(name)
    }
}

impl Default for ProcFs {
    fn default() -> Self {
        Self::new()
    }
}

impl CgroupSource for ProcFs {
    fn cgroup_file(&self, pid: u32) -> io::Result<Vec<u8>> {
        self.read(pid, ProcFile::Cgroup)
    }

    fn cgroup_inode(&self, path: &str) -> io::Result<u64> {
        let mount = self
            .unified
            .as_ref()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let below = path.trim_start_matches('/');
        Ok(fs::symlink_metadata(mount.join(below))?.ino())
    }
}

impl ProcSource for ProcFs {
    fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
                pids.push(pid);
            }
        }
        Ok(pids)
    }

    fn read(&self, pid: u32, file: ProcFile) -> io::Result<Vec<u8>> {
        read_bounded(&self.path(pid, file.as_str()))
    }

    fn executable(&self, pid: u32) -> io::Result<Vec<u8>> {
        let target = fs::read_link(self.path(pid, "exe"))?;
        Ok(target.into_os_string().into_vec())
    }

    fn ticks_per_second(&self) -> u64 {
        rustix::param::clock_ticks_per_second()
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first mount of the whole v2 tree: `… / <mount point> <options> - cgroup2 …`.
fn unified_mount(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        if !file_system.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (root == "/").then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::super::facts;
    use super::*;

    #[test]
    fn finds_the_v2_tree() {
        let hybrid = "31 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      32 24 0:27 /x /mnt rw - cgroup2 none rw\n\
                      33 24 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 none rw\n";
        assert_eq!(
            unified_mount(hybrid),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
        assert_eq!(unified_mount("nonsense\n - cgroup2 \n"), None);
    }

    #[test]
    fn reads_this_process() {
        let proc_fs = ProcFs::new();
        let pid = std::process::id();
        assert!(proc_fs.pids().unwrap().contains(&pid));
        let facts = facts::read(&proc_fs, pid).unwrap();
        assert!(!facts.kernel_thread && !facts.zombie && !facts.deleted);
        assert_eq!(facts.width, facts::Width::Wide);
        assert_eq!(
            facts.executable,
            std::env::current_exe().unwrap().to_str().unwrap()
        );
        assert_eq!(facts.uid, rustix::process::getuid().as_raw());
        assert!(facts.namespace_pid > 0);
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let age = u64::try_from(uptime.tv_sec).unwrap() - facts.started.0 / 1_000_000_000;
        assert!(age < 3600, "{age}");
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(facts::read(&ProcFs::new(), pid).is_err());
        assert!(ProcFs::new().executable(pid).is_err());
    }
}
