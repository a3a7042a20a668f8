//! Victims by the plain tracepoint.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use profiler_common::event::ANON_UNKNOWN;

use crate::{maps::setting, oom};

#[tracepoint(category = "oom", name = "mark_victim")]
pub fn victim_tracepoint(ctx: TracePointContext) -> u32 {
    let pid_at = setting!(offsets.victim.pid) as usize;
    let anon_at = setting!(offsets.victim.anon_rss) as usize;
    // SAFETY: the offset comes from the kernel's own description of the record.
    let Ok(pid) = (unsafe { ctx.read_at::<u32>(pid_at) }) else {
        oom::unreadable();
        return 0;
    };
    let mut anon_bytes = ANON_UNKNOWN;
    if anon_at != 0 {
        // SAFETY: as above.
        let kibibytes = unsafe { ctx.read_at::<u64>(anon_at) };
        anon_bytes = kibibytes.map_or(ANON_UNKNOWN, |kibibytes| kibibytes << 10);
    }
    oom::chosen(&ctx, pid, None, anon_bytes);
    0
}
