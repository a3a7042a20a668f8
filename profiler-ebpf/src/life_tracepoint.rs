//! Lives by plain tracepoints.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};

use crate::{life, maps::setting};

#[tracepoint(category = "task", name = "task_newtask")]
pub fn newtask_tracepoint(ctx: TracePointContext) -> u32 {
    let pid_at = setting!(offsets.newtask_pid) as usize;
    let name_at = setting!(offsets.newtask_comm) as usize;
    let flags_at = setting!(offsets.newtask_flags) as usize;
    // SAFETY: the offsets come from the tracepoint's own format.
    let read = unsafe {
        (
            ctx.read_at::<u32>(pid_at),
            ctx.read_at::<[u8; 16]>(name_at),
            ctx.read_at::<u64>(flags_at),
        )
    };
    if let (Ok(pid), Ok(name), Ok(flags)) = read {
        // What is not a thread is the first of its process.
        life::forked(pid, pid, flags, name);
    } else {
        life::unreadable(&ctx);
    }
    0
}

#[tracepoint(category = "sched", name = "sched_process_exec")]
pub fn exec_tracepoint(_ctx: TracePointContext) -> u32 {
    life::executed();
    0
}

#[tracepoint(category = "sched", name = "sched_process_exit")]
pub fn exit_tracepoint(ctx: TracePointContext) -> u32 {
    life::exited(&ctx);
    0
}
