//! Files of memory cgroups and names of cgroups, as no kernel and any user would write them.

use std::path::Path;

use super::{stat::Stat, tree::Trees};

/// Looks for a cgroup below what is mounted. What it finds has to lie there.
pub fn cgroup_directory(mountinfo: &str, cgroup: &str) {
    let trees = Trees::find(mountinfo, Path::new("/base"));
    for tree in [trees.memory, trees.pressure].into_iter().flatten() {
        if let Some(directory) = tree.directory(cgroup) {
            assert!(directory.starts_with("/base"), "{}", directory.display());
            let below = directory.strip_prefix(&tree.point);
            assert!(below.is_ok_and(|it| !it.components().any(|part| part.as_os_str() == "..")));
        }
    }
}

/// Reads `memory.stat` of both versions.
pub fn memory_stat(text: &str) {
    for stat in [Stat::parse_one(text), Stat::parse_two(text)]
        .into_iter()
        .flatten()
    {
        let _ = stat.held();
    }
}
