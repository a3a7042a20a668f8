//! `/proc/PID/cgroup` and the names that anyone may give to cgroups.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profiler_agent::container::{ContainerInfo, identify, read_cgroup};

fn check(info: &ContainerInfo) {
    let _ = (info.runtime_id(), info.is_container(), info.kind.as_str());
    // The identity is the process's own directory or one above it.
    let root: Vec<&str> = segments(&info.root).collect();
    let cgroup: Vec<&str> = segments(&info.cgroup).collect();
    assert!(cgroup.starts_with(&root), "{info:?}");
}

/// The kernel writes no empty ones.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

fuzz_target!(|file: &[u8]| {
    if let Some(reading) = read_cgroup(file) {
        check(&reading.info);
    }
    if let Ok(path) = std::str::from_utf8(file)
        && path.starts_with('/')
    {
        check(&identify(path));
    }
});
