//! What passes over a TCP socket, counted in the socket's own storage: the kernel finds that
//! faster than an entry of a hash table.
//!
//! The storage goes with the socket. The kernel tells the end of TCP sockets only, so only theirs
//! can be saved into the table in time; what passes over others is counted in the table itself.

use aya_ebpf::{
    bindings::BPF_SK_STORAGE_GET_F_CREATE,
    cty::c_void,
    helpers::generated::{bpf_sk_storage_delete, bpf_sk_storage_get},
};
use profiler_common::socket::{END_UNKNOWN, SocketEntry, TrafficEntry};

use crate::{kernel::Sock, maps::TRAFFIC};

/// The counters of a socket that has its own.
#[inline(always)]
pub fn of(sock: Sock) -> Option<*mut TrafficEntry> {
    storage(sock, core::ptr::null_mut(), 0)
}

/// Gives a TCP socket its own counters, which go on from those in the table.
#[inline(always)]
pub fn begin(sock: Sock, cookie: u64, entry: *mut SocketEntry) -> Option<*mut TrafficEntry> {
    // SAFETY: a pointer that the map gave.
    if unsafe { (*entry).end } != END_UNKNOWN {
        // Its end is told: nothing would save them once more.
        return None;
    }
    // SAFETY: a pointer that the map gave.
    let mut first = unsafe {
        TrafficEntry {
            cookie,
            received_bytes: (*entry).received_bytes,
            received_calls: (*entry).received_calls,
            sent_bytes: (*entry).sent_bytes,
            sent_calls: (*entry).sent_calls,
            tgid: 0,
            settled: 0,
        }
    };
    let flags = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
    // Of two CPUs that create it at once one is refused, and finds the other's.
    storage(sock, (&raw mut first).cast(), flags).or_else(|| of(sock))
}

/// Saves the counters into the table.
#[inline(always)]
pub fn save(traffic: *const TrafficEntry, entry: *mut SocketEntry) {
    // SAFETY: pointers that the kernel gave.
    unsafe {
        (*entry).received_bytes = (*traffic).received_bytes;
        (*entry).received_calls = (*traffic).received_calls;
        (*entry).sent_bytes = (*traffic).sent_bytes;
        (*entry).sent_calls = (*traffic).sent_calls;
    }
}

/// Saves the counters of a socket that is over, and takes them from it: it may connect again.
#[inline(always)]
pub fn end(sock: Sock, entry: *mut SocketEntry) {
    if let Some(traffic) = of(sock) {
        save(traffic, entry);
        // SAFETY: a typed pointer that the kernel gave, and the map is one of socket storage.
        unsafe { bpf_sk_storage_delete(TRAFFIC.as_ptr(), sock.as_ptr()) };
    }
}

#[inline(always)]
fn storage(sock: Sock, first: *mut c_void, flags: u64) -> Option<*mut TrafficEntry> {
    // SAFETY: as above; where storage is created, `first` is what it begins with.
    let place = unsafe { bpf_sk_storage_get(TRAFFIC.as_ptr(), sock.as_ptr(), first, flags) };
    (!place.is_null()).then_some(place.cast())
}
