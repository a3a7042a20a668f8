//! Any bytes as an ELF file: headers, notes, sections, unwind table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profiler_agent::fuzzing::elf;

fuzz_target!(|file: &[u8]| {
    elf(
        file,
        &[0, 1, 0x1000, 0x1008, 0x2000, 0x40_0100, 1 << 47, u64::MAX],
    );
});
