//! Victims by the BTF tracepoint, whose arguments are typed.

use aya_ebpf::{bindings::task_struct, macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::event::ANON_UNKNOWN;

use crate::{kernel::Task, maps::setting, oom};

#[btf_tracepoint(function = "mark_victim")]
pub fn victim_btf(ctx: BtfTracePointContext) -> i32 {
    // Known before it is loaded: the verifier sees one of the two alone.
    if setting!(offsets.victim.passes_task) == 0 {
        oom::chosen(&ctx, ctx.arg::<i32>(0) as u32, None, ANON_UNKNOWN);
        return 0;
    }
    let task = Task::from_argument(ctx.arg::<*const task_struct>(0));
    match task.tgid() {
        Some(tgid) => oom::chosen(&ctx, tgid, Some(task), ANON_UNKNOWN),
        None => oom::unreadable(),
    }
    0
}
