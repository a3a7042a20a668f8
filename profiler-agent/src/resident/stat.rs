//! `memory.stat` of either version, and the files beside it.

use std::{io, path::Path};

use super::{
    Events, Figures, Pressure, Source,
    files::{Files, pairs},
    tree::Version,
};

/// What one memory cgroup holds, those below it included. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    pub anon: u64,
    pub swap: Option<u64>,
    pub file: Option<u64>,
    pub shmem: Option<u64>,
    pub sock: Option<u64>,
    pub kernel: Option<u64>,
    pub anon_thp: Option<u64>,
    /// Kernel memory that is given back when memory is short.
    reclaimable: Option<u64>,
    /// v1: the smallest limit of it and all around it, also those that cannot be seen from here.
    pub limit_above: Option<u64>,
    pub limit_above_with_swap: Option<u64>,
}

impl Stat {
    /// Reads it; not found where the controller does not count for this cgroup.
    pub(super) fn read(files: &mut Files, version: Version, directory: &Path) -> io::Result<Self> {
        let text = files.text(&directory.join("memory.stat"))?;
        let stat = match version {
            Version::One => Self::parse_one(&text),
            Version::Two => Self::parse_two(&text),
        };
        let mut stat = stat.ok_or(io::ErrorKind::InvalidData)?;
        match version {
            Version::One => {
                stat.kernel = files.number(&directory.join("memory.kmem.usage_in_bytes"));
                // Sockets are counted only where they are limited; elsewhere it is always 0.
                let sock = files.number(&directory.join("memory.kmem.tcp.usage_in_bytes"));
                stat.sock = sock.filter(|&bytes| bytes > 0);
            }
            Version::Two => stat.swap = files.number(&directory.join("memory.swap.current")),
        }
        Ok(stat)
    }

    /// v1 counts huge pages in `rss`, and tmpfs in `cache`. `total_` is with those below.
    pub(super) fn parse_one(text: &str) -> Option<Self> {
        let (mut stat, mut anon) = (Self::default(), None);
        for (name, value) in pairs(text) {
            match name {
                "total_rss" => anon = Some(value),
                "total_rss_huge" => stat.anon_thp = Some(value),
                "total_cache" => stat.file = Some(value),
                "total_shmem" => stat.shmem = Some(value),
                "total_swap" => stat.swap = Some(value),
                "hierarchical_memory_limit" => stat.limit_above = limited(value),
                "hierarchical_memsw_limit" => stat.limit_above_with_swap = limited(value),
                _ => {}
            }
        }
        anon.map(|anon| Self { anon, ..stat })
    }

    /// `kernel` came with Linux 5.18; before that its parts are summed, as far as they are told.
    pub(super) fn parse_two(text: &str) -> Option<Self> {
        let (mut stat, mut anon, mut parts) = (Self::default(), None, None);
        for (name, value) in pairs(text) {
            match name {
                "anon" => anon = Some(value),
                "anon_thp" => stat.anon_thp = Some(value),
                "file" => stat.file = Some(value),
                "shmem" => stat.shmem = Some(value),
                "sock" => stat.sock = Some(value),
                "kernel" => stat.kernel = Some(value),
                "kernel_stack" | "pagetables" | "percpu" | "slab" => {
                    parts = Some(parts.unwrap_or(0_u64).saturating_add(value));
                }
                "slab_reclaimable" => stat.reclaimable = Some(value),
                _ => {}
            }
        }
        stat.kernel = stat.kernel.or(parts);
        anon.map(|anon| Self { anon, ..stat })
    }

    /// What stays when memory is short: anonymous memory with swap, tmpfs, sockets, and kernel memory
    /// but for caches. v1 does not tell how much of the kernel's are caches: all of it is left out.
    pub(super) fn held(&self) -> u64 {
        let kernel = match (self.kernel, self.reclaimable) {
            (Some(kernel), Some(reclaimable)) => kernel.saturating_sub(reclaimable),
            _ => 0,
        };
        let parts = [self.swap, self.shmem, self.sock, Some(kernel)];
        let parts = parts.into_iter().flatten();
        parts.fold(self.anon, u64::saturating_add)
    }
}

/// v1 writes the largest number of pages where there is no limit.
pub(super) fn limited(bytes: u64) -> Option<u64> {
    const NO_LIMIT: u64 = 1 << 62;
    (bytes < NO_LIMIT).then_some(bytes)
}

/// Everything but limit, pressure under v1, and processes.
pub(super) fn figures(
    files: &mut Files,
    version: Version,
    directory: &Path,
    stat: &Stat,
) -> Figures {
    let (source, usage) = match version {
        Version::One => (Source::Cgroup1, "memory.usage_in_bytes"),
        Version::Two => (Source::Cgroup2, "memory.current"),
    };
    Figures {
        source,
        life: inode(directory),
        anon: stat.anon,
        swap: stat.swap.unwrap_or(0),
        file: stat.file,
        shmem: stat.shmem,
        sock: stat.sock,
        kernel: stat.kernel,
        anon_thp: stat.anon_thp,
        usage: files.number(&directory.join(usage)),
        limit: None,
        events: events(files, version, directory),
        pressure: match version {
            Version::One => Pressure::default(),
            Version::Two => pressure(files, directory),
        },
        processes: 0,
    }
}

fn inode(directory: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(std::fs::symlink_metadata(directory).ok()?.ino())
}

/// v1 counts kills of the cgroup's own processes, not of those in cgroups below it.
pub(super) fn events(files: &mut Files, version: Version, directory: &Path) -> Events {
    let name = match version {
        Version::One => "memory.oom_control",
        Version::Two => "memory.events",
    };
    let mut events = Events::default();
    let text = files.optional(&directory.join(name)).unwrap_or_default();
    for (name, count) in pairs(&text) {
        match name {
            "high" => events.high = Some(count),
            "max" => events.max = Some(count),
            "oom" => events.oom = Some(count),
            "oom_kill" => events.oom_kill = Some(count),
            _ => {}
        }
    }
    if version == Version::One {
        events.max = files.number(&directory.join("memory.failcnt"));
    }
    events
}

/// `some avg10=0.00 avg60=1.50 avg300=0.20 total=1234`, in percent. Not there where the kernel was
/// built or booted without it.
pub(super) fn pressure(files: &mut Files, directory: &Path) -> Pressure {
    // Where it is switched off, the file is there and reading it says "not supported".
    let text = files.text(&directory.join("memory.pressure"));
    let text = text.unwrap_or_default();
    let average = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let field = line
            .split(' ')
            .find_map(|field| field.strip_prefix("avg60="))?;
        let percent: f64 = field.parse().ok()?;
        (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
    };
    Pressure {
        some: average("some "),
        full: average("full "),
    }
}
