//! Brings the counters that lie with open sockets into the table. It runs when the agent reads the
//! iterator.

use aya_ebpf::cty::c_void;
use profiler_common::socket::TrafficEntry;

use crate::{maps::SOCKETS, traffic};

/// The kernel's `struct bpf_iter__bpf_sk_storage_map`.
#[repr(C)]
struct Context {
    meta: *const c_void,
    map: *const c_void,
    sock: *const c_void,
    value: *const TrafficEntry,
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_sk_storage_map")]
pub extern "C" fn socket_traffic(ctx: *mut c_void) -> i32 {
    let context = ctx.cast::<Context>();
    // SAFETY: the context of this kind of program; the verifier knows the types of its fields.
    let value = unsafe { (*context).value };
    // The end of the map is told by null.
    if value.is_null() {
        return 0;
    }
    // SAFETY: a value of the map, which the iterator holds.
    if let Some(entry) = SOCKETS.get_ptr_mut(unsafe { (*value).cookie }) {
        traffic::save(value, entry);
    }
    0
}
