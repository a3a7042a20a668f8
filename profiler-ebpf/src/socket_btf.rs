//! Sockets by BTF tracepoints, which run in the caller's context with the socket at hand. The two
//! on messages are there from Linux 6.3 on.

use aya_ebpf::{cty::c_void, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{kernel::Sock, socket, thread};

#[btf_tracepoint(function = "sock_recv_length")]
pub fn receive_btf(ctx: BtfTracePointContext) -> i32 {
    let sock = Sock::from_argument(ctx.arg::<*const c_void>(0));
    socket::received(sock, ctx.arg(1), ctx.arg(2));
    0
}

#[btf_tracepoint(function = "sock_send_length")]
pub fn send_btf(ctx: BtfTracePointContext) -> i32 {
    socket::sent(Sock::from_argument(ctx.arg::<*const c_void>(0)), ctx.arg(1));
    0
}

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn state_btf(ctx: BtfTracePointContext) -> i32 {
    let sock = Sock::from_argument(ctx.arg::<*const c_void>(0));
    socket::state_changes(sock, ctx.arg(1), ctx.arg(2));
    0
}

#[btf_tracepoint(function = "io_uring_cqring_wait")]
pub fn ring_wait_btf(_ctx: BtfTracePointContext) -> i32 {
    thread::waits();
    0
}
