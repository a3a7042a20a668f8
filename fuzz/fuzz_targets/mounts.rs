//! `/proc/PID/mountinfo`, and files and names of memory cgroups.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profiler_agent::fuzzing::{cgroup_directory, memory_stat, mounts};

fuzz_target!(|input: (&str, &str)| {
    let (file, cgroup) = input;
    mounts(file);
    cgroup_directory(file, cgroup);
    memory_stat(file);
});
