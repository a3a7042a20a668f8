//! What the host says of where a process comes from: when it started, in which directory it works, on
//! what its root file system is made, and what its pod is called. No arguments and no environment are
//! read.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::pods::{self, Pod};
use crate::{
    ids::BootTime,
    process::{self, ProcFs},
};

/// Longest table of mounts that is looked at.
const MOUNTS_MAX: u64 = 1 << 20;

/// The host's, also where the agent has a root of its own.
const POD_LOGS: &str = "/proc/1/root/var/log/pods";

/// Tells where processes come from.
pub(super) trait Origin {
    /// When it started, cut to clock ticks.
    fn started(&self, pid: u32) -> Option<BootTime>;
    /// Its working directory, as it sees it itself.
    fn directory(&self, pid: u32) -> Option<String>;
    /// What its root file system is made of; none if that cannot be said: a file system without a
    /// device of its own has another number each time it is mounted.
    fn root(&self, pid: u32) -> Option<Root>;
    /// The pod of this uid.
    fn pod(&self, uid: &str) -> Option<Pod>;
}

/// A root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// Layers, the uppermost first: those of an image, and of the container alone where its runtime
    /// puts one above them.
    Layers(Vec<String>),
    /// A directory of a device.
    Directory(String),
}

/// The running kernel's `/proc`, and the kubelet's directories.
#[derive(Debug)]
pub(super) struct Procfs(ProcFs);

impl Procfs {
    /// `/proc`.
    pub(super) fn new() -> Self {
        Self(ProcFs::new())
    }
}

impl Default for Procfs {
    fn default() -> Self {
        Self::new()
    }
}

impl Origin for Procfs {
    fn started(&self, pid: u32) -> Option<BootTime> {
        process::started(&self.0, pid).ok()
    }

    fn directory(&self, pid: u32) -> Option<String> {
        let target = fs::read_link(file(pid, "cwd")).ok()?;
        Some(target.to_string_lossy().into_owned())
    }

    fn root(&self, pid: u32) -> Option<Root> {
        let mut text = Vec::new();
        let mounts = File::open(file(pid, "mountinfo")).ok()?;
        mounts.take(MOUNTS_MAX).read_to_end(&mut text).ok()?;
        root_of(&String::from_utf8_lossy(&text))
    }

    fn pod(&self, uid: &str) -> Option<Pod> {
        pods::find(Path::new(POD_LOGS), uid)
    }
}

fn file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from("/proc").join(pid.to_string()).join(name)
}

/// From `/proc/PID/mountinfo`; of several mounts at `/` the last hides the others.
pub(super) fn root_of(mountinfo: &str) -> Option<Root> {
    root_of_line(mountinfo.lines().rfind(|line| is_at_root(line))?)
}

fn is_at_root(line: &str) -> bool {
    line.split(' ').nth(4) == Some("/")
}

fn root_of_line(line: &str) -> Option<Root> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(2);
    let (device, directory) = (mount.next()?, mount.next()?);
    let mut kind = kind.split(' ');
    let name = kind.next()?;
    let options = kind.nth(1)?;
    if name == "overlay" {
        let layers = layers(options);
        return (!layers.is_empty()).then_some(Root::Layers(layers));
    }
    let is_anonymous = device.starts_with("0:");
    (!is_anonymous).then(|| Root::Directory(format!("{device} {directory}")))
}

/// All in one option, or each in one of its own, as the newer calls of mounting write them.
fn layers(options: &str) -> Vec<String> {
    let of_option = |option: &str| -> Vec<String> {
        let all = option.strip_prefix("lowerdir=");
        let one = option.strip_prefix("lowerdir+=");
        let all = all.into_iter().flat_map(|all| all.split(':')).chain(one);
        all.filter(|layer| !layer.is_empty())
            .map(str::to_owned)
            .collect()
    };
    options.split(',').flat_map(of_option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_an_overlay() {
        let text = "21 1 0:20 / /proc rw - proc proc rw\n\
                    500 400 0:55 / / rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w\n";
        let layers = ["/l/A", "/l/B"].map(str::to_owned).to_vec();
        assert_eq!(root_of(text), Some(Root::Layers(layers)));
    }

    #[test]
    fn the_directory_of_a_plain_root() {
        let text = "30 1 8:1 /srv/rootfs / rw master:1 - ext4 /dev/sda1 rw\n";
        let directory = Root::Directory("8:1 /srv/rootfs".to_owned());
        assert_eq!(root_of(text), Some(directory));
    }

    #[test]
    fn layers_that_were_mounted_one_by_one() {
        let text =
            "500 400 0:55 / / rw - overlay overlay rw,lowerdir+=/l/A,lowerdir+=/l/B,upperdir=/u\n";
        let layers = ["/l/A", "/l/B"].map(str::to_owned).to_vec();
        assert_eq!(root_of(text), Some(Root::Layers(layers)));
    }

    #[test]
    fn a_device_whose_number_is_another_each_time_says_nothing() {
        for kind in [
            "btrfs /dev/sda1",
            "fuse.fuse-overlayfs fuse-overlayfs",
            "zfs pool/x",
        ] {
            let text =
                format!("8 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 1 0:71 / / rw - {kind} rw\n");
            assert_eq!(root_of(&text), None, "{kind}");
        }
    }

    #[test]
    fn what_is_no_table_of_mounts_says_nothing() {
        for text in ["", "x", "a b c d / - ", "1 2 3 4 /", "1 2 3 4 / - ext4"] {
            assert_eq!(root_of(text), None);
        }
    }

    #[test]
    fn of_the_test_itself() {
        let proc = Procfs::new();
        let pid = std::process::id();
        assert!(proc.started(pid).is_some_and(|time| time.0 > 0));
        assert!(
            proc.directory(pid)
                .is_some_and(|path| path.starts_with('/'))
        );
    }
}
