//! Commands of bpf(2) for which aya has no call.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use profiler_common::socket::SocketEntry;

const MAP_LOOKUP_BATCH: libc::c_long = 24;
const LINK_CREATE: libc::c_long = 28;
const ITER_CREATE: libc::c_long = 33;
/// `BPF_TRACE_ITER`
const ATTACH_ITERATOR: u32 = 28;

/// What one call took out of a table.
pub(super) struct Batch {
    pub(super) count: usize,
    /// Where to go on; none at the end.
    pub(super) next: Option<u32>,
}

/// `BPF_MAP_LOOKUP_BATCH` (Linux 5.6) on `SOCKETS`: 16 entries and more by one system call, and a
/// place to go on from that does not depend on a key which may be gone.
///
/// # Errors
/// The kernel refuses, or a bucket has more entries than the shorter slice.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn look_up_batch(
    sockets: BorrowedFd,
    place: Option<u32>,
    keys: &mut [u64],
    values: &mut [SocketEntry],
) -> io::Result<Batch> {
    let room = keys.len().min(values.len());
    let mut next = 0_u32;
    let mut attributes = BatchAttributes {
        in_batch: place
            .as_ref()
            .map_or(0, |place| std::ptr::from_ref(place) as u64),
        out_batch: std::ptr::from_mut(&mut next) as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: room as u32,
        map: sockets.as_raw_fd() as u32,
        element_flags: 0,
        flags: 0,
    };
    // SAFETY: the attributes are laid out as the kernel has them, their pointers lead to room for
    // `count` keys and values of the map's own sizes, and all of them outlive the call.
    let result = unsafe { bpf(MAP_LOOKUP_BATCH, &mut attributes) };
    let count = (attributes.count as usize).min(room);
    match result {
        Ok(_) => Ok(Batch {
            count,
            next: Some(next),
        }),
        // The end.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Batch { count, next: None }),
        Err(error) => Err(error),
    }
}

/// `BPF_LINK_CREATE` of an iterator that goes over a map.
///
/// # Errors
/// The kernel refuses.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn link_to_map(program: BorrowedFd, map: BorrowedFd) -> io::Result<OwnedFd> {
    let map = map.as_raw_fd() as u32;
    let mut attributes = LinkAttributes {
        program: program.as_raw_fd() as u32,
        target: 0,
        attach_type: ATTACH_ITERATOR,
        flags: 0,
        information: std::ptr::from_ref(&map) as u64,
        information_length: size_of_val(&map) as u32,
        padding: 0,
    };
    // SAFETY: the attributes are laid out as the kernel has them; the kernel's information of a
    // link to a map is the map's descriptor, which outlives the call.
    let link = unsafe { bpf(LINK_CREATE, &mut attributes)? };
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(link) })
}

/// `BPF_ITER_CREATE`: one run of a linked iterator.
///
/// # Errors
/// The kernel refuses.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn create_iterator(link: BorrowedFd) -> io::Result<OwnedFd> {
    let mut attributes = IteratorAttributes {
        link: link.as_raw_fd() as u32,
        flags: 0,
    };
    // SAFETY: the attributes are laid out as the kernel has them, without pointers.
    let iterator = unsafe { bpf(ITER_CREATE, &mut attributes)? };
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(iterator) })
}

/// # Safety
/// `attributes` are the command's, and what they point to outlives the call.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
unsafe fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: as the caller says; the size is that of the attributes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as i32)
}

/// The part of the kernel's `union bpf_attr` that batches use.
#[repr(C)]
struct BatchAttributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// The part that links use.
#[repr(C)]
struct LinkAttributes {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    information: u64,
    information_length: u32,
    padding: u32,
}

/// The part that runs of iterators use.
#[repr(C)]
struct IteratorAttributes {
    link: u32,
    flags: u32,
}

const _: () = {
    assert!(size_of::<BatchAttributes>() == 56);
    assert!(size_of::<LinkAttributes>() == 32);
    assert!(size_of::<IteratorAttributes>() == 8);
};
