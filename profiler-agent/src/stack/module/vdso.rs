//! The vDSO: code that the kernel maps into every process from no file. It is the same in all of
//! them, so the agent's own copy stands for it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, memfd_create};

const SIZE_MAX: u64 = 1 << 20;

/// A file with the vDSO's content, so that it is read and named like any other module.
pub(super) fn copy() -> io::Result<(File, u64)> {
    let (start, length) = range_in_own_maps()?;
    let mut content = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    File::open("/proc/self/mem")?.read_exact_at(&mut content, start)?;
    let mut file = File::from(memfd_create("vdso", MemfdFlags::CLOEXEC)?);
    file.write_all(&content)?;
    Ok((file, length))
}

fn range_in_own_maps() -> io::Result<(u64, u64)> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    maps.lines()
        .find(|line| line.ends_with("[vdso]"))
        .and_then(|line| line.split_once(' '))
        .and_then(|(range, _)| range.split_once('-'))
        .and_then(|(start, end)| {
            let start = u64::from_str_radix(start, 16).ok()?;
            let length = u64::from_str_radix(end, 16).ok()?.checked_sub(start)?;
            (length <= SIZE_MAX).then_some((start, length))
        })
        .ok_or_else(|| io::Error::other("this process has no vDSO"))
}
