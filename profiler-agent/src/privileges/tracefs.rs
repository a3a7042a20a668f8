//! tracefs, where the kernel lists its tracepoints. Many containers and some hosts don't have it
//! mounted; then the agent mounts it for itself alone, and says so.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use super::namespace::unshare_mounts;

/// Where it is looked for, and mounted if it is nowhere.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Where tracefs is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracefsSource {
    /// The directory that holds `events`.
    pub path: PathBuf,
    /// The agent has mounted it, in a mount namespace of its own.
    pub mounted: bool,
}

/// Finds tracefs, or mounts it where only the agent sees it. Has to be called before any thread
/// is started, since a mount namespace is a thread's own.
pub fn ensure_tracefs() -> anyhow::Result<TracefsSource> {
    if let Some(path) = find(&PLACES.map(Path::new)) {
        return Ok(TracefsSource {
            path,
            mounted: false,
        });
    }
    let status =
        std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    if threads(&status) != Some(1) {
        bail!("tracefs has to be mounted before the agent starts its threads");
    }
    let path = PathBuf::from(PLACES[0]);
    mount_privately(&path).with_context(|| {
        format!(
            "tracefs is not mounted, and the agent could not mount it for itself at {}. Mount it \
             with `mount -t tracefs tracefs {}`, or give the agent CAP_SYS_ADMIN",
            path.display(),
            path.display()
        )
    })?;
    tracing::info!(
        path = %path.display(),
        "tracefs was not mounted: mounted it in a mount namespace of the agent's own; the host's mounts are unchanged"
    );
    Ok(TracefsSource {
        path,
        mounted: true,
    })
}

fn find(places: &[&Path]) -> Option<PathBuf> {
    let found = places.iter().find(|place| place.join("events").is_dir())?;
    Some(found.to_path_buf())
}

fn mount_privately(path: &Path) -> anyhow::Result<()> {
    unshare_mounts().context("leaving the host's mount namespace")?;
    // What the host mounts later is still seen; nothing goes the other way.
    let propagation = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", propagation).context("making mounts private")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tracefs", path, "tracefs", flags, None).context("mounting tracefs")?;
    if find(&[path]).is_none() {
        bail!("mounted, but {} has no events", path.display());
    }
    Ok(())
}

fn threads(status: &str) -> Option<u32> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_threads() {
        assert_eq!(threads("Name:\tx\nThreads:\t12\nSigQ:\t0\n"), Some(12));
        assert_eq!(threads("Threads: many\n"), None);
    }

    #[test]
    fn a_private_mount_is_seen_by_nobody_else() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: mounting needs root");
            return;
        }
        let place = std::env::temp_dir().join(format!("tracefs-mount-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let inside = place.clone();
        // A mount namespace is the thread's own and goes with it.
        let seen = std::thread::spawn(move || {
            mount_privately(&inside).map(|()| find(&[&inside]).is_some())
        });
        let seen = seen.join().unwrap();
        let leaked = find(&[&place]).is_some();
        std::fs::remove_dir_all(&place).unwrap();
        assert!(seen.unwrap());
        assert!(!leaked);
    }

    #[test]
    fn finds_the_first_place_with_events() {
        let root = std::env::temp_dir().join(format!("tracefs-test-{}", std::process::id()));
        let (empty, full) = (root.join("a"), root.join("b"));
        std::fs::create_dir_all(&empty).unwrap();
        std::fs::create_dir_all(full.join("events")).unwrap();
        assert_eq!(find(&[&empty, &full]), Some(full));
        assert_eq!(find(&[&empty]), None);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
