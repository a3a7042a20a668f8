//! Waiting for events, by fexit on the system calls' entry points. One that waited for a
//! connection (accept) is with another one too.

use aya_ebpf::{macros::fexit, programs::FExitContext};

use crate::thread;

macro_rules! hook {
    ($name:ident, $function:literal) => {
        #[fexit(function = $function)]
        pub fn $name(_ctx: FExitContext) -> i32 {
            thread::waits();
            0
        }
    };
}

hook!(fexit_epoll_wait, "__x64_sys_epoll_wait");
hook!(fexit_epoll_pwait, "__x64_sys_epoll_pwait");
hook!(fexit_epoll_pwait2, "__x64_sys_epoll_pwait2");
hook!(fexit_poll, "__x64_sys_poll");
hook!(fexit_ppoll, "__x64_sys_ppoll");
hook!(fexit_select, "__x64_sys_select");
hook!(fexit_pselect6, "__x64_sys_pselect6");
hook!(fexit_accept, "__x64_sys_accept");
hook!(fexit_accept4, "__x64_sys_accept4");
