//! Perf maps, which processes write for themselves.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: ([u64; 4], &[u8])| {
    let (addresses, text) = input;
    profiler_agent::fuzzing::perf_map(text, &addresses);
    profiler_agent::fuzzing::perf_map(text, &[0, 0x10, 0x1000, u64::MAX]);
});
