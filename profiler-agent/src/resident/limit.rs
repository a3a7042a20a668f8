//! The limit that a container's anonymous memory runs into first.
//!
//! Let `L` be the limit of a cgroup `A` (the container's own or one around it), with the swap that it
//! may use, `held(X)` what of a cgroup's memory stays when memory is short ([`Stat::held`]), and
//! `besides(C)` what the container `C` holds of that besides anonymous memory: tmpfs, sockets, kernel
//! memory. Then anonymous memory of `C` can have `L - besides(C) - (held(A) - held(C))`, where the last
//! part is what others in `A` hold: nothing for its own limit. The smallest of these counts.
//!
//! Swap belongs to it, since what verdicts are about is anonymous memory with swap, and the kernel
//! kills only when neither is left: under v2 `memory.max + min(memory.swap.max, swap of the host)`,
//! under v1 `min(memory.limit_in_bytes + swap of the host, memory.memsw.limit_in_bytes)`. On a host
//! without swap both are the memory limit itself.

use std::{collections::HashMap, path::Path};

use super::{
    Limit,
    files::Files,
    stat::{Stat, limited},
    tree::{Tree, Version, around},
};

/// Limits of cgroups, read once a round: containers share those around them.
#[derive(Debug)]
pub(super) struct Limits {
    /// By cgroup; none: it has no limit.
    known: HashMap<String, Option<Level>>,
    /// Swap of the host, in bytes.
    pub host_swap: u64,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    limit: u64,
    held: u64,
}

/// What a container or process holds itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    /// See [`Stat::held`].
    held: u64,
    /// Of that, what is not anonymous.
    besides: u64,
}

impl Own {
    /// A cgroup.
    pub(super) fn of(stat: &Stat) -> Self {
        let anon = stat.anon.saturating_add(stat.swap.unwrap_or(0));
        Self {
            held: stat.held(),
            besides: stat.held().saturating_sub(anon),
        }
    }

    /// A process, of which only that is known.
    pub(super) fn anonymous(bytes: u64) -> Self {
        Self {
            held: bytes,
            besides: 0,
        }
    }

    /// 0 would be taken for no limit.
    fn limit(self, limit: u64, others: u64, cgroup: &str) -> Limit {
        let alone = limit.saturating_sub(self.besides);
        Limit {
            bytes: alone.saturating_sub(others).max(1),
            alone: alone.max(1),
            cgroup: cgroup.to_owned(),
        }
    }
}

/// The first of equal ones.
fn smaller(one: Limit, other: Limit) -> Limit {
    let alone = one.alone.min(other.alone);
    let smaller = match other.bytes < one.bytes {
        true => other,
        false => one,
    };
    Limit { alone, ..smaller }
}

impl Limits {
    pub(super) fn new(host_swap: u64) -> Self {
        Self {
            known: HashMap::new(),
            host_swap,
        }
    }

    /// For what is in `cgroup` and has this share of it.
    pub(super) fn smallest(
        &mut self,
        files: &mut Files,
        tree: &Tree,
        cgroup: &str,
        own: Own,
    ) -> Option<Limit> {
        let levels = around(cgroup).filter_map(|around| {
            let level = self.level(files, tree, around)?;
            // Read at another moment, it may be less than what is in it.
            let others = level.held.saturating_sub(own.held);
            Some(own.limit(level.limit, others, around))
        });
        levels.reduce(smaller)
    }

    /// The smaller of that and, under v1, of what limits above the mounted part of the tree leave.
    pub(super) fn with_above(&self, limit: Option<Limit>, stat: &Stat) -> Option<Limit> {
        let above = self.with_swap(stat.limit_above, stat.limit_above_with_swap);
        let above = above.map(|bytes| Own::of(stat).limit(bytes, 0, ""));
        // Of equal ones the one that has a name.
        limit.into_iter().chain(above).reduce(smaller)
    }

    fn level(&mut self, files: &mut Files, tree: &Tree, cgroup: &str) -> Option<Level> {
        if let Some(known) = self.known.get(cgroup) {
            return *known;
        }
        let level = tree
            .directory(cgroup)
            .and_then(|directory| self.read(files, tree.version, &directory));
        self.known.insert(cgroup.to_owned(), level);
        level
    }

    fn read(&self, files: &mut Files, version: Version, directory: &Path) -> Option<Level> {
        let limit = match version {
            Version::One => {
                let limit = files.number(&directory.join("memory.limit_in_bytes"));
                let both = files.number(&directory.join("memory.memsw.limit_in_bytes"));
                self.with_swap(limit.and_then(limited), both.and_then(limited))?
            }
            Version::Two => {
                let limit = files.bound(&directory.join("memory.max"))?;
                let swap = files.bound(&directory.join("memory.swap.max"));
                limit.saturating_add(swap.unwrap_or(u64::MAX).min(self.host_swap))
            }
        };
        let held = match Stat::read(files, version, directory) {
            Ok(stat) => stat.held(),
            Err(_) => {
                files.failed += 1;
                0
            }
        };
        Some(Level { limit, held })
    }

    /// Under v1: the limit of memory, and that of memory with swap.
    fn with_swap(&self, limit: Option<u64>, both: Option<u64>) -> Option<u64> {
        let limit = limit.map(|limit| limit.saturating_add(self.host_swap));
        limit.into_iter().chain(both).min()
    }
}
