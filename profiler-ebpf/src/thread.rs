//! Whom a thread serves: the socket that it received from last, until it waits for events again.
//!
//! Kept in the thread's own storage, which the kernel finds faster than a hash table does and
//! frees with the thread.

use aya_ebpf::{
    bindings::BPF_LOCAL_STORAGE_GET_F_CREATE, helpers::generated::bpf_task_storage_get,
};
use profiler_common::{
    counter,
    socket::{THREAD_IO_URING, THREAD_RECEIVES, THREAD_WAITS, ThreadEntry},
};

use crate::{counters::count, kernel::Current, maps::THREADS};

/// What is known of the running thread.
#[inline(always)]
pub fn current() -> ThreadEntry {
    let entry = storage(Current::get(), 0);
    if entry.is_null() {
        return ThreadEntry::default();
    }
    // SAFETY: a pointer that the map gave.
    unsafe { *entry }
}

/// It received from this socket, from which so many calls have received so many bytes by now.
#[inline(always)]
pub fn received_from(thread: Current, connection: u64, calls: u64, bytes: u64) {
    if let Some(entry) = created(thread) {
        // SAFETY: a pointer that the map gave, to the thread's own entry.
        unsafe {
            (*entry).connection = connection;
            (*entry).calls = calls;
            (*entry).bytes = bytes;
            (*entry).flags = ((*entry).flags | THREAD_RECEIVES) & !THREAD_IO_URING;
        }
    }
}

/// It received by io_uring: what comes next may be for any of the completions.
#[inline(always)]
pub fn received_by_ring(thread: Current) {
    if let Some(entry) = created(thread) {
        // SAFETY: as above.
        unsafe {
            forget(entry);
            (*entry).flags |= THREAD_RECEIVES | THREAD_IO_URING;
        }
    }
}

/// It waits for events.
#[inline(always)]
pub fn waits() {
    if let Some(entry) = created(Current::get()) {
        // SAFETY: as above.
        unsafe {
            forget(entry);
            (*entry).flags |= THREAD_WAITS;
        }
    }
}

/// # Safety
/// The map gave the pointer.
#[inline(always)]
unsafe fn forget(entry: *mut ThreadEntry) {
    // SAFETY: as the caller says.
    unsafe {
        (*entry).connection = 0;
        (*entry).calls = 0;
        (*entry).bytes = 0;
    }
}

#[inline(always)]
fn created(thread: Current) -> Option<*mut ThreadEntry> {
    let entry = storage(thread, u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE));
    if entry.is_null() {
        count(counter::THREADS_REFUSED);
        return None;
    }
    Some(entry)
}

#[inline(always)]
fn storage(thread: Current, flags: u64) -> *mut ThreadEntry {
    let value = core::ptr::null_mut();
    // SAFETY: the running task is valid, and the map is one of task storage.
    unsafe { bpf_task_storage_get(THREADS.as_ptr(), thread.as_ptr(), value, flags).cast() }
}
