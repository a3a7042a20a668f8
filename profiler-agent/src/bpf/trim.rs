//! Gives back what loading needed.

/// The kernel's type information and the object take some 40 MB to parse, in pieces that the C
/// library's allocator would keep for itself.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn give_back_freed_memory() {
    // SAFETY: it takes no pointers, and may be called at any time from any thread.
    unsafe { libc::malloc_trim(0) };
}
