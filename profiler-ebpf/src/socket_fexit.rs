//! Messages by fexit on the protocols' own functions, for kernels before 6.3, which lack the
//! tracepoints. io_uring's and other kernel-side receives pass through them too.

use aya_ebpf::{cty::c_void, macros::fexit, programs::FExitContext};

use crate::{kernel::Sock, maps::setting, socket};

/// `int *_recvmsg(struct sock *, struct msghdr *, size_t, [int nonblock,] int flags, int *)`
macro_rules! receive {
    ($name:ident, $function:literal) => {
        #[fexit(function = $function)]
        pub fn $name(ctx: FExitContext) -> i32 {
            let sock = Sock::from_argument(ctx.arg::<*const c_void>(0));
            // Constant when the program is loaded: the other arm is never looked at.
            if setting!(offsets.socket.receive_parameters) == 6 {
                socket::received(sock, ctx.arg(6), ctx.arg(4));
            } else {
                socket::received(sock, ctx.arg(5), ctx.arg(3));
            }
            0
        }
    };
}

/// `int *_sendmsg(struct sock *, struct msghdr *, size_t)`
macro_rules! send {
    ($name:ident, $function:literal) => {
        #[fexit(function = $function)]
        pub fn $name(ctx: FExitContext) -> i32 {
            socket::sent(Sock::from_argument(ctx.arg::<*const c_void>(0)), ctx.arg(3));
            0
        }
    };
}

receive!(fexit_tcp_receive, "tcp_recvmsg");
receive!(fexit_udp_receive, "udp_recvmsg");
receive!(fexit_udp6_receive, "udpv6_recvmsg");
send!(fexit_tcp_send, "tcp_sendmsg");
send!(fexit_udp6_send, "udpv6_sendmsg");

/// `udpv6_sendmsg` hands what goes to IPv4 on to this one.
#[fexit(function = "udp_sendmsg")]
pub fn fexit_udp_send(ctx: FExitContext) -> i32 {
    let sock = Sock::from_argument(ctx.arg::<*const c_void>(0));
    if !sock.is_v6() {
        socket::sent(sock, ctx.arg(3));
    }
    0
}

/// `int unix_stream_recvmsg(struct socket *, struct msghdr *, size_t, int flags)`
#[fexit(function = "unix_stream_recvmsg")]
pub fn fexit_unix_receive(ctx: FExitContext) -> i32 {
    let sock = Sock::of_socket(ctx.arg::<*const c_void>(0));
    socket::received(sock, ctx.arg(4), ctx.arg(3));
    0
}

/// `int unix_stream_sendmsg(struct socket *, struct msghdr *, size_t)`
#[fexit(function = "unix_stream_sendmsg")]
pub fn fexit_unix_send(ctx: FExitContext) -> i32 {
    socket::sent(Sock::of_socket(ctx.arg::<*const c_void>(0)), ctx.arg(3));
    0
}
