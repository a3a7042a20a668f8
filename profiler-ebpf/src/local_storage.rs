//! Maps of local storage, which the kernel keeps with its own objects and frees with them.
//! aya-ebpf has none for typed programs. Described by BTF, as libbpf defines maps.

use aya_ebpf::{
    bindings::{
        BPF_F_NO_PREALLOC,
        bpf_map_type::{BPF_MAP_TYPE_SK_STORAGE, BPF_MAP_TYPE_TASK_STORAGE},
    },
    cty::c_void,
};

/// One `T` for each thread that has been given one.
pub type TaskStorage<T> = LocalStorage<T, { BPF_MAP_TYPE_TASK_STORAGE as usize }>;
/// One `T` for each socket that has been given one.
pub type SocketStorage<T> = LocalStorage<T, { BPF_MAP_TYPE_SK_STORAGE as usize }>;

/// One `T` for each object of a kind that has been given one.
#[repr(C)]
pub struct LocalStorage<T, const TYPE: usize> {
    r#type: *const [i32; TYPE],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
}

// SAFETY: the pointers only carry types and are never followed.
unsafe impl<T: Sync, const TYPE: usize> Sync for LocalStorage<T, TYPE> {}

impl<T, const TYPE: usize> LocalStorage<T, TYPE> {
    pub const fn new() -> Self {
        Self {
            r#type: core::ptr::null(),
            key: core::ptr::null(),
            value: core::ptr::null(),
            max_entries: core::ptr::null(),
            map_flags: core::ptr::null(),
        }
    }

    /// As helpers take it.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}
