//! Identities by cgroup, so that `/proc` is read once for each cgroup and not for each process.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use super::{ContainerInfo, Reading, read_cgroup};

/// Where cgroups are read from.
pub trait CgroupSource {
    /// `/proc/PID/cgroup`.
    fn cgroup_file(&self, pid: u32) -> io::Result<Vec<u8>>;
    /// The inode of this directory of the v2 tree.
    fn cgroup_inode(&self, path: &str) -> io::Result<u64>;
}

/// What the cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Answers from the cache.
    pub hits: u64,
    /// Files read.
    pub reads: u64,
    /// Files that could not be read or said nothing.
    pub unreadable: u64,
    /// Identities pushed out because the cache was full.
    pub evicted: u64,
}

/// Identities by the inode of the v2 directory, oldest out first.
///
/// A process may move between its event and the reading of its file, as every container does
/// while its runtime sets it up. So an identity is kept under the inode that its path has now,
/// never under the one that the event named, and not at all where the v2 directory does not say it
/// for all processes in it (see [`read_cgroup`]).
#[derive(Debug)]
pub struct ContainerCache {
    by_inode: HashMap<u64, Arc<ContainerInfo>>,
    order: VecDeque<u64>,
    limit: usize,
    counters: CacheCounters,
}

impl ContainerCache {
    /// A cache of at most `limit` identities (at least one).
    pub fn new(limit: usize) -> Self {
        Self {
            by_inode: HashMap::new(),
            order: VecDeque::new(),
            limit: limit.max(1),
            counters: CacheCounters::default(),
        }
    }

    /// What is known of this cgroup without reading anything.
    pub fn known(&mut self, cgroup: u64) -> Option<Arc<ContainerInfo>> {
        let info = self.by_inode.get(&cgroup).cloned();
        self.counters.hits += u64::from(info.is_some());
        info
    }

    /// What the process belongs to now, and the inode of its v2 directory if that is what says so.
    pub fn read(
        &mut self,
        source: &impl CgroupSource,
        pid: u32,
    ) -> io::Result<(Arc<ContainerInfo>, Option<u64>)> {
        self.counters.reads += 1;
        let reading = source
            .cgroup_file(pid)
            .and_then(|file| read_cgroup(&file).ok_or_else(|| io::ErrorKind::InvalidData.into()));
        let reading = reading.inspect_err(|_| self.counters.unreadable += 1)?;
        let inode = cacheable_inode(source, &reading);
        if let Some(info) = inode.and_then(|inode| self.by_inode.get(&inode))
            && **info == reading.info
        {
            return Ok((Arc::clone(info), inode));
        }
        let info = Arc::new(reading.info);
        if let Some(inode) = inode {
            self.keep(inode, Arc::clone(&info));
        }
        Ok((info, inode))
    }

    /// What was counted.
    pub fn counters(&self) -> CacheCounters {
        self.counters
    }

    fn keep(&mut self, inode: u64, info: Arc<ContainerInfo>) {
        if self.by_inode.insert(inode, info).is_some() {
            return;
        }
        self.order.push_back(inode);
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.by_inode.remove(&oldest);
                self.counters.evicted += 1;
            }
        }
    }
}

/// A path above the reader's namespace cannot be looked up.
fn cacheable_inode(source: &impl CgroupSource, reading: &Reading) -> Option<u64> {
    let path = &reading.info.cgroup;
    if !reading.by_unified || path.starts_with("/..") {
        return None;
    }
    source.cgroup_inode(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Kind;

    struct Fake {
        file: String,
        inode: u64,
    }

    impl CgroupSource for Fake {
        fn cgroup_file(&self, _pid: u32) -> io::Result<Vec<u8>> {
            Ok(self.file.clone().into_bytes())
        }
        fn cgroup_inode(&self, _path: &str) -> io::Result<u64> {
            Ok(self.inode)
        }
    }

    fn fake(file: &str, inode: u64) -> Fake {
        Fake {
            file: file.to_owned(),
            inode,
        }
    }

    #[test]
    fn an_identity_is_kept_under_the_inode_of_its_path() {
        let mut cache = ContainerCache::new(8);
        let source = fake("0::/system.slice/nginx.service\n", 42);
        let (info, inode) = cache.read(&source, 1).unwrap();
        assert_eq!(
            (info.id.as_str(), inode, info.kind),
            ("nginx.service", Some(42), Kind::Systemd)
        );
        // The event's own cgroup, which the process has left, stays unknown.
        assert!(cache.known(7).is_none());
        assert!(Arc::ptr_eq(&cache.known(42).unwrap(), &info));
    }

    #[test]
    fn v1_paths_roots_and_foreign_namespaces_are_not_kept() {
        for file in [
            "4:memory:/system.slice/a.service\n0::/\n",
            "4:memory:/system.slice/a.service\n0::/system.slice/a.service\n",
            "0::/\n",
            "0::/../b\n",
        ] {
            let mut cache = ContainerCache::new(8);
            let (_, inode) = cache.read(&fake(file, 42), 1).unwrap();
            assert_eq!(inode, None, "{file}");
            assert!(cache.known(42).is_none(), "{file}");
        }
    }

    #[test]
    fn a_full_cache_lets_go_of_the_oldest_and_counts_it() {
        let mut cache = ContainerCache::new(2);
        for inode in 1..=3 {
            cache
                .read(&fake(&format!("0::/u{inode}.service\n"), inode), 1)
                .unwrap();
        }
        assert!(cache.known(1).is_none());
        assert!(cache.known(2).is_some() && cache.known(3).is_some());
        assert_eq!(cache.counters().evicted, 1);
        assert_eq!(cache.counters().hits, 2);
    }

    #[test]
    fn a_renamed_cgroup_is_read_again() {
        let mut cache = ContainerCache::new(2);
        cache.read(&fake("0::/a.service\n", 5), 1).unwrap();
        let (info, _) = cache.read(&fake("0::/b.service\n", 5), 1).unwrap();
        assert_eq!(info.id, "b.service");
        assert_eq!(cache.known(5).unwrap().id, "b.service");
    }

    #[test]
    fn garbage_is_an_error_and_counted() {
        let mut cache = ContainerCache::new(2);
        assert!(cache.read(&fake("garbage", 5), 1).is_err());
        assert_eq!(cache.counters().unreadable, 1);
    }
}
