//! The kernel's description of its types.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    profiler_agent::fuzzing::btf(data, "outer", &["second", "b"]);
    profiler_agent::fuzzing::btf(data, "", &["", "a"]);
});
