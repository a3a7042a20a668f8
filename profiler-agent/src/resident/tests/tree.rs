//! A tree of files, and snapshots of the processes in it.

use std::{fs, path::PathBuf, sync::Arc};

use tempfile::TempDir;

use crate::{
    container::identify,
    ids::{BootTime, ProcessHandle},
    profile::{ContainerFacts, ProcessEntry, Snapshot, TargetInfo, Totals},
    resident::Reader,
};

pub(in crate::resident) const MOUNT_V1: &str =
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
pub(in crate::resident) const MOUNT_V2: &str =
    "31 23 0:27 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
pub(in crate::resident) const MOUNT_UNIFIED: &str =
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

/// When processes of the tree began, in clock ticks and as a time.
const TICKS: u64 = 250;
pub(in crate::resident) const BEGAN: BootTime = BootTime(2_500_000_000);

pub(super) struct Tree(TempDir);

impl Tree {
    pub(super) fn new(mountinfo: &str) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.file("proc/self/mountinfo", mountinfo);
        tree.file("proc/meminfo", "MemTotal: 8 kB\nSwapTotal:       0 kB\n");
        tree
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name.trim_start_matches('/'))
    }

    pub(super) fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn files(&self, directory: &str, files: &[(&str, &str)]) {
        for (name, text) in files {
            self.file(&format!("{directory}/{name}"), text);
        }
    }

    /// A process with 100 kB of anonymous memory and 8 kB of that in swap.
    pub(super) fn process(&self, pid: u32, cgroups: &str) {
        self.file(&format!("proc/{pid}/cgroup"), cgroups);
        self.starts(pid, TICKS);
        let status = "Name:\tx\nVmRSS:\t 300 kB\nRssAnon:\t     100 kB\nVmSwap:\t       8 kB\n";
        self.file(&format!("proc/{pid}/status"), status);
    }

    pub(super) fn starts(&self, pid: u32, ticks: u64) {
        let fields = "1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0";
        let stat = format!("{pid} (x) S {fields} {ticks} 1 1\n");
        self.file(&format!("proc/{pid}/stat"), &stat);
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::below(self.0.path())
    }
}

/// Processes with the cgroups that tell their containers, each larger than the next.
pub(super) fn snapshot(processes: &[(u32, &str)]) -> Snapshot {
    let entries = processes.iter().zip((1..=1000).rev());
    Snapshot {
        processes: entries
            .map(|(&(pid, path), size)| entry(pid, path, size * 4096))
            .collect(),
        ..Snapshot::default()
    }
}

pub(in crate::resident) fn entry(pid: u32, path: &str, live: u64) -> ProcessEntry {
    let info = identify(path);
    let container = ContainerFacts {
        id: if info.is_container() {
            info.id.clone()
        } else {
            String::new()
        },
        name: info.id.clone(),
        kind: info.kind.as_str().to_owned(),
        root: info.root,
        cgroup: info.cgroup,
        ..ContainerFacts::default()
    };
    let node = Arc::default();
    ProcessEntry {
        handle: ProcessHandle(pid),
        info: Arc::new(TargetInfo {
            pid,
            container: Arc::new(container),
            started: BEGAN,
            ..TargetInfo::nothing_on(node)
        }),
        totals: Totals {
            allocated: live,
            ..Totals::default()
        },
    }
}
