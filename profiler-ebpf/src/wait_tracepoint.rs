//! Waiting for events, by the tracepoints at the end of the system calls. One that waited for a
//! connection (accept) is with another one too.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};

use crate::thread;

macro_rules! hook {
    ($name:ident, $tracepoint:literal) => {
        #[tracepoint(category = "syscalls", name = $tracepoint)]
        pub fn $name(_ctx: TracePointContext) -> u32 {
            thread::waits();
            0
        }
    };
}

hook!(exit_epoll_wait, "sys_exit_epoll_wait");
hook!(exit_epoll_pwait, "sys_exit_epoll_pwait");
hook!(exit_epoll_pwait2, "sys_exit_epoll_pwait2");
hook!(exit_poll, "sys_exit_poll");
hook!(exit_ppoll, "sys_exit_ppoll");
hook!(exit_select, "sys_exit_select");
hook!(exit_pselect6, "sys_exit_pselect6");
hook!(exit_accept, "sys_exit_accept");
hook!(exit_accept4, "sys_exit_accept4");
