//! A pass over every open descriptor of every process: finds sockets that were there before the
//! agent, marks those that are still there, and measures their queues. It runs when the agent
//! reads the iterator.

use aya_ebpf::{cty::c_void, helpers::generated::bpf_sock_from_file};
use profiler_common::socket::{SOCKET_FOUND, SOCKET_TCP};

use crate::{
    kernel::{Sock, Task},
    maps::{LISTENERS, PASS, SOCKETS, setting},
    socket,
};

/// The kernel's `struct bpf_iter__task_file`.
#[repr(C)]
struct Context {
    meta: *const c_void,
    task: *const c_void,
    fd: u32,
    padding: u32,
    file: *const c_void,
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn socket_pass(ctx: *mut c_void) -> i32 {
    let context = ctx.cast::<Context>();
    // SAFETY: the context of this kind of program; the verifier knows the types of its fields.
    let (task, file) = unsafe { ((*context).task, (*context).file) };
    if task.is_null() || file.is_null() {
        return 0;
    }
    // SAFETY: a file that the iterator holds.
    let socket = unsafe { bpf_sock_from_file(file.cast_mut().cast()) };
    if socket.is_null() {
        return 0;
    }
    let sock = Sock::of_socket(socket.cast::<c_void>().cast_const());
    if let Some(tgid) = Task::at(task as u64).tgid() {
        look(sock, tgid);
    }
    0
}

#[inline(always)]
fn look(sock: Sock, tgid: u32) {
    if sock.listens() {
        let port = u64::from(sock.network_namespace()) << 16 | u64::from(sock.local_port());
        // A full table leaves roles unknown.
        let _ = LISTENERS.insert(port, 1, 0);
        return;
    }
    let Some(kind) = sock.kind() else {
        return;
    };
    if tgid == setting!(agent_tgid) {
        return;
    }
    let cookie = sock.cookie();
    let entry = match SOCKETS.get_ptr_mut(cookie) {
        Some(entry) => entry,
        None if kind == SOCKET_TCP && !sock.is_connected() => return,
        None => match socket::introduce(sock, cookie, kind, 0, SOCKET_FOUND) {
            Some(entry) => entry,
            None => return,
        },
    };
    // SAFETY: a pointer that the map gave.
    unsafe {
        if (*entry).tgid == 0 {
            (*entry).tgid = tgid;
        }
        (*entry).pass = PASS.get(0).copied().unwrap_or(0);
        (*entry).receive_queue = sock.receive_queue();
        (*entry).send_queue = sock.send_queue();
    }
}
