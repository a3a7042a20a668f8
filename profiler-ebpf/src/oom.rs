//! The body of every hook on victims of the OOM killer.

use aya_ebpf::{
    EbpfContext,
    helpers::{
        bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_stack, bpf_ktime_get_boot_ns,
    },
};
use profiler_common::{
    counter,
    event::{
        ANON_UNKNOWN, CONSTRAINT_HOST, CONSTRAINT_LIMIT, CONSTRAINT_UNKNOWN, Header, KIND_VICTIM,
        OP_VICTIM, VictimRecord,
    },
};

use crate::{
    counters::count,
    kernel::Task,
    maps::{EVENTS, NO_WAKEUP, setting},
};

/// Frames of the kernel's stack in which the cause is looked for: it stands some five above.
const FRAMES: usize = 16;

/// No `CONSTRAINT_*`: the thread that asked dies already, and is only given the last reserves.
const DYING: u32 = u32::MAX;

/// Whether a return address lies in a function. It may be the first behind one that ends with a
/// call.
macro_rules! returns_to {
    ($address:expr, $function:ident) => {
        $address > setting!($function.start) && $address <= setting!($function.end)
    };
}

/// A process was chosen, by a call that stands on the running thread's stack. `task` is one of the
/// victim's, where the kernel passed it, and `anon_bytes` its memory or `ANON_UNKNOWN`.
#[inline(always)]
pub fn chosen<C: EbpfContext>(ctx: &C, pid: u32, task: Option<Task>, anon_bytes: u64) {
    let constraint = cause(ctx);
    if constraint == DYING {
        return;
    }
    let pid_tgid = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((pid_tgid >> 32) as u32, pid_tgid as u32);
    // Whoever reaches the limit of a cgroup is mostly the victim itself.
    let own = pid == tid || pid == tgid;
    let task = match task {
        None if own => Some(Task::current()),
        task => task,
    };
    let (mut name, mut anon_bytes) = ([0; 16], anon_bytes);
    if let Some(task) = task {
        name = task.comm().unwrap_or_default();
        if anon_bytes == ANON_UNKNOWN {
            anon_bytes = task.anon_bytes().unwrap_or(ANON_UNKNOWN);
        }
    }
    let record = VictimRecord {
        header: Header {
            kind: KIND_VICTIM,
            operation: OP_VICTIM,
            tgid,
            // SAFETY: no arguments.
            time: unsafe { bpf_ktime_get_boot_ns() },
            // SAFETY: no arguments.
            cgroup: unsafe { bpf_get_current_cgroup_id() },
            tid,
            capture: 0,
        },
        pid: if own { tgid } else { pid },
        constraint,
        anon_bytes,
        name,
    };
    match EVENTS.reserve::<VictimRecord>(0) {
        Some(mut slot) => {
            slot.write(record);
            slot.submit(NO_WAKEUP);
        }
        None => count(counter::VICTIMS_LOST),
    }
}

/// A victim of which not even the pid could be read.
#[inline(always)]
pub fn unreadable() {
    count(counter::KERNEL_READ_FAILED);
    count(counter::VICTIMS_LOST);
}

/// What the kernel's stack says: a `CONSTRAINT_*` by who called `out_of_memory`, or `DYING`.
#[inline(always)]
fn cause<C: EbpfContext>(ctx: &C) -> u32 {
    let mut stack = [0_u64; FRAMES];
    let bytes = (FRAMES * 8) as u32;
    // SAFETY: the helper writes no more than it is told.
    let got = unsafe { bpf_get_stack(ctx.as_ptr(), stack.as_mut_ptr().cast(), bytes, 0) };
    if got <= 0 {
        return CONSTRAINT_UNKNOWN;
    }
    for frame in 1..FRAMES - 1 {
        if !returns_to!(stack[frame], out_of_memory) {
            continue;
        }
        return if returns_to!(stack[frame - 1], mark_victim) {
            DYING
        } else if setting!(limit_reached.start) == 0 || stack[frame + 1] == 0 {
            CONSTRAINT_UNKNOWN
        } else if returns_to!(stack[frame + 1], limit_reached) {
            CONSTRAINT_LIMIT
        } else {
            CONSTRAINT_HOST
        };
    }
    CONSTRAINT_UNKNOWN
}
