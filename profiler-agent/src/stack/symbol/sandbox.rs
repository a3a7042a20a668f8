//! What the symbolizer process can reach. ELF files name others, by path, that hold their debug
//! information; a hostile one names devices, FIFOs, or `/proc/1/root/dev/…`. So the process sees
//! nothing but the system's directories of debug information and its own descriptors.

use std::fs::{create_dir, create_dir_all};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_move, mount_remount, unmount,
};
use rustix::process::{chdir, chroot, pivot_root};
use rustix::thread::{UnshareFlags, capabilities, unshare_unsafe};

/// Where the process finds its descriptors.
const DESCRIPTORS: &str = "/fd";
/// Hidden by the new root while that is made: any directory that is everywhere.
const STAGE: &str = "/dev";
const DEBUG: &str = "usr/lib/debug";

/// How far this process is shut in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sandbox {
    /// It sees what it needs.
    Closed,
    /// It sees all files, but has no privilege to open what its user may not.
    Harmless,
    /// It sees all files, with privileges: other files that a file names must not be opened.
    Open,
}

impl Sandbox {
    /// Shuts this thread in, and those that it starts, as far as it may.
    pub(super) fn enter() -> Self {
        if close().is_ok() {
            return Self::Closed;
        }
        let unprivileged = capabilities(None).is_ok_and(|sets| sets.effective.is_empty());
        if unprivileged {
            Self::Harmless
        } else {
            Self::Open
        }
    }

    /// The path of a descriptor of this process.
    pub(super) fn path(self, descriptor: i32) -> String {
        let directory = match self {
            Self::Closed => DESCRIPTORS,
            Self::Harmless | Self::Open => "/proc/self/fd",
        };
        format!("{directory}/{descriptor}")
    }
}

fn close() -> io::Result<()> {
    unshare_mounts()?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    // Before the new root hides anything.
    let place = |path: &str| open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let descriptors = place("/proc/self/fd")?;
    let debug = place(&format!("/{DEBUG}")).ok();
    let locked = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", STAGE, "tmpfs", locked, c"size=64k,mode=755")?;
    let root = Path::new(STAGE);
    let target = root.join(&DESCRIPTORS[1..]);
    create_dir(&target)?;
    mount_bind(of(&descriptors), &target)?;
    let target = root.join(DEBUG);
    create_dir_all(&target)?;
    symlink("usr/lib", root.join("lib"))?;
    if let Some(debug) = debug {
        mount_bind_recursive(of(&debug), &target)?;
        let read_only = locked | MountFlags::RDONLY | MountFlags::BIND;
        mount_remount(&target, read_only, c"")?;
    }
    mount_remount(STAGE, locked | MountFlags::RDONLY, c"size=64k,mode=755")?;
    chdir(STAGE)?;
    if pivot_root(".", ".").is_ok() {
        // The old root has come to lie over the new one, and is taken off.
        unmount(".", UnmountFlags::DETACH)?;
    } else {
        // The initial root file system (of a host that runs from its initramfs) cannot be
        // exchanged: the new one is moved over it, as switch_root does.
        mount_move(".", "/")?;
        chroot(".")?;
    }
    Ok(chdir("/")?)
}

fn of(place: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", place.as_raw_fd())
}

#[expect(
    unsafe_code,
    reason = "rustix marks every unshare unsafe, for the sake of CLONE_FILES"
)]
fn unshare_mounts() -> io::Result<()> {
    // SAFETY: the danger is in `FILES` alone; `NEWNS` leaves the descriptor table as it is.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?)
}
