//! The kernel side: every change of an address space becomes an event, and a sample of them
//! carries the user stack.
//!
//! A program here is a thin entry over a body shared by all ways to attach: `syscall_fexit` and
//! `syscall_tracepoint` both call `vm`, `life_btf` and `life_tracepoint` both call `life`,
//! `oom_btf` and `oom_tracepoint` both call `oom`,
//! `fault_fentry`, `fault_btf` and `fault_tracepoint` call `fault`,
//! `socket_btf` and `socket_fexit` call `socket`, which calls `traffic` and `thread`.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod capture;
mod counters;
mod fault;
mod fault_btf;
mod fault_fentry;
mod fault_tracepoint;
mod first_bytes;
mod kernel;
mod life;
mod life_btf;
mod life_tracepoint;
mod local_storage;
mod maps;
mod oom;
mod oom_btf;
mod oom_tracepoint;
mod socket;
mod socket_btf;
mod socket_fexit;
mod socket_pass;
mod socket_traffic;
mod syscall_fexit;
mod syscall_tracepoint;
mod thread;
mod traffic;
mod vm;
mod wait_fexit;
mod wait_tracepoint;

/// Some helpers are for GPL-compatible programs only; the sources are MIT too.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
