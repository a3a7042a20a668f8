//! Lives by BTF tracepoints, whose arguments are typed.

use aya_ebpf::{bindings::task_struct, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{kernel::Task, life};

#[btf_tracepoint(function = "task_newtask")]
pub fn newtask_btf(ctx: BtfTracePointContext) -> i32 {
    let task = Task::from_argument(ctx.arg::<*const task_struct>(0));
    let flags: u64 = ctx.arg(1);
    if let (Some(tgid), Some(pid)) = (task.tgid(), task.pid()) {
        life::forked(tgid, pid, flags, task.comm().unwrap_or_default());
    } else {
        life::unreadable(&ctx);
    }
    0
}

#[btf_tracepoint(function = "sched_process_exec")]
pub fn exec_btf(_ctx: BtfTracePointContext) -> i32 {
    life::executed();
    0
}

#[btf_tracepoint(function = "sched_process_exit")]
pub fn exit_btf(ctx: BtfTracePointContext) -> i32 {
    life::exited(&ctx);
    0
}
