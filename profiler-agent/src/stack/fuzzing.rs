//! Decoders of files that processes own, by themselves.

use std::sync::Arc;

use super::module::Headers;
use super::module::cfi::Cfi;
use super::perf_map::PerfMap;

/// Reads a perf map and asks for names.
pub fn perf_map(text: &[u8], addresses: &[u64]) {
    let Ok(map) = PerfMap::parse(text) else {
        return;
    };
    for address in addresses {
        map.name(*address);
    }
}

/// Reads the headers and the unwind table of an ELF file and asks what lies at addresses.
pub fn elf(file: &[u8], addresses: &[u64]) {
    let bytes: Arc<[u8]> = file.into();
    let Ok(headers) = Headers::read(&bytes) else {
        return;
    };
    for address in addresses {
        headers.address_of(*address);
        headers.address_of_mapping(*address, 1 << 12);
    }
    let cfi = headers.eh_frame.map(|section| Cfi::read(&bytes, section));
    if let Some(Ok(cfi)) = cfi {
        assert!(cfi.size() <= file.len() * 2 + 16);
        for address in addresses {
            cfi.covers(*address);
            cfi.is_trampoline(*address);
        }
    }
}
