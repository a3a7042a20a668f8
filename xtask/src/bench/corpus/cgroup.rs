//! A unit's cgroup with a limit, wherever this host keeps the memory controller.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

const SLICE: &str = "profiler_corpus.slice";

/// The directories of one unit, removed with this value.
pub(super) struct Unit {
    directories: Vec<PathBuf>,
}

impl Unit {
    /// A new unit, with the limit in bytes.
    pub(super) fn create(name: &str, limit: u64) -> Result<Self> {
        let mut unit = Self {
            directories: Vec::new(),
        };
        for mount in mounts()? {
            let slice = mount.path.join(SLICE);
            fs::create_dir_all(&slice)?;
            if mount.unified {
                // Of the slice alone: the host's own setting stays. Of no use, and refused, where
                // the controller is elsewhere.
                let _ = fs::write(slice.join("cgroup.subtree_control"), "+memory");
            }
            let directory = slice.join(unit_name(name));
            fs::create_dir_all(&directory)?;
            unit.directories.push(directory.clone());
            let files = ["memory.max", "memory.limit_in_bytes"];
            for file in files.map(|file| directory.join(file)) {
                if file.exists() {
                    fs::write(&file, limit.to_string())
                        .with_context(|| format!("write {}", file.display()))?;
                }
            }
        }
        Ok(unit)
    }

    /// What moves a process into it.
    pub(super) fn doors(&self) -> impl Iterator<Item = PathBuf> {
        self.directories
            .iter()
            .map(|directory| directory.join("cgroup.procs"))
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        for directory in &self.directories {
            // Its processes have just been killed, and may not have gone yet.
            for _ in 0..50 {
                if fs::remove_dir(directory).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(100));
            }
            // Fails while other units are in it.
            let _ = directory.parent().map(fs::remove_dir);
        }
    }
}

/// The unit's name as answers show it.
pub(super) fn unit_name(program: &str) -> String {
    format!("corpus-{program}.service")
}

/// Every unit of the corpus, as a pattern of cgroup paths.
pub(super) fn pattern() -> String {
    format!("/{SLICE}/*")
}

struct Mount {
    path: PathBuf,
    unified: bool,
}

/// The unified hierarchy and, where it is on its own, that of the memory controller.
fn mounts() -> Result<Vec<Mount>> {
    let text = fs::read_to_string("/proc/self/mounts").context("read /proc/self/mounts")?;
    let mounts: Vec<Mount> = text.lines().filter_map(mount).collect();
    if mounts.is_empty() {
        bail!("no cgroups are mounted");
    }
    Ok(mounts)
}

fn mount(line: &str) -> Option<Mount> {
    let mut words = line.split(' ').skip(1);
    let (path, kind, options) = (words.next()?, words.next()?, words.next()?);
    let unified = kind == "cgroup2";
    let is_memory = kind == "cgroup" && options.split(',').any(|option| option == "memory");
    (unified || is_memory).then(|| Mount {
        path: Path::new(path).to_path_buf(),
        unified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_with_memory_are_found() {
        let memory = mount("cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0").unwrap();
        assert!(!memory.unified);
        assert_eq!(memory.path, Path::new("/sys/fs/cgroup/memory"));
        assert!(
            mount("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0")
                .unwrap()
                .unified
        );
        assert!(mount("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0").is_none());
        assert!(mount("tmpfs /sys/fs/cgroup tmpfs rw 0 0").is_none());
    }
}
