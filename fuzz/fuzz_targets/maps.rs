//! The text of maps and smaps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profiler_agent::process::maps::{Mapping, parse, parse_smaps};

fn use_mapping(mapping: &Mapping<'_>) {
    assert!(mapping.start < mapping.end && mapping.length() > 0);
    let _ = (mapping.backing(), mapping.is_committed(), mapping.is_heap());
    if let Some(path) = mapping.path() {
        assert!(path.len() <= mapping.name.len());
    }
    let _ = mapping.is_deleted();
}

fuzz_target!(|text: &[u8]| {
    let lines = text.split_inclusive(|&byte| byte == b'\n').count();
    let maps = parse(text);
    maps.entries.iter().for_each(use_mapping);
    assert_eq!(maps.entries.len() + maps.rejected, lines);
    let smaps = parse_smaps(text);
    smaps
        .entries
        .iter()
        .for_each(|usage| use_mapping(&usage.mapping));
    assert!(smaps.entries.len() + smaps.rejected <= lines);
});
