//! The body of every hook on the lives of processes.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
};
use aya_log_ebpf::warn;
use profiler_common::{
    counter,
    event::{Header, KIND_LIFE, LifeRecord, OP_EXEC, OP_EXIT, OP_FORK},
};

use crate::{
    counters::count,
    kernel::Task,
    maps::{EVENTS, NO_WAKEUP, PROCESSES},
};

const CLONE_THREAD: u64 = 0x0001_0000;

/// The running thread made a process. Threads are passed over: they change nothing that we keep.
#[inline(always)]
pub fn forked(child_tgid: u32, child_tid: u32, clone_flags: u64, name: [u8; 16]) {
    if clone_flags & CLONE_THREAD == 0 {
        send(OP_FORK, child_tgid, child_tid, clone_flags, name);
    }
}

/// A child whose ids could not be read: it will be found when it is next heard of.
#[inline(always)]
pub fn unreadable<C: EbpfContext>(ctx: &C) {
    count(counter::KERNEL_READ_FAILED);
    warn!(ctx, "the ids of a new process could not be read");
}

/// The running process runs another program.
#[inline(always)]
pub fn executed() {
    let task = Task::current();
    // Its heap is another one now, and its losses were another program's.
    if let Some(entry) = PROCESSES.get_ptr_mut((bpf_get_current_pid_tgid() >> 32) as u32) {
        // SAFETY: a pointer that the map gave.
        unsafe {
            (*entry).program_break = 0;
            (*entry).lost = 0;
        }
    }
    send(OP_EXEC, 0, 0, 0, task.comm().unwrap_or_default());
}

/// A thread ends; with the last one its process does.
#[inline(always)]
pub fn exited<C: EbpfContext>(ctx: &C) {
    let task = Task::current();
    match task.group_is_dead() {
        Some(false) => return,
        Some(true) => {}
        // Rather an end too many than one too few: the process is found again if it lives.
        None => {
            count(counter::KERNEL_READ_FAILED);
            warn!(
                ctx,
                "signal_struct.live could not be read at the end of a thread"
            );
        }
    }
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // Absent where nothing was ever seen of it.
    let _ = PROCESSES.remove(tgid);
    send(OP_EXIT, 0, 0, 0, task.comm().unwrap_or_default());
}

#[inline(always)]
fn send(operation: u16, peer_tgid: u32, peer_tid: u32, flags: u64, name: [u8; 16]) {
    let pid_tgid = bpf_get_current_pid_tgid();
    let record = LifeRecord {
        header: Header {
            kind: KIND_LIFE,
            operation,
            tgid: (pid_tgid >> 32) as u32,
            // SAFETY: no arguments.
            time: unsafe { bpf_ktime_get_boot_ns() },
            // SAFETY: no arguments.
            cgroup: unsafe { bpf_get_current_cgroup_id() },
            tid: pid_tgid as u32,
            capture: 0,
        },
        peer_tgid,
        peer_tid,
        flags,
        name,
    };
    match EVENTS.reserve::<LifeRecord>(0) {
        Some(mut slot) => {
            slot.write(record);
            slot.submit(NO_WAKEUP);
        }
        None => count(counter::LIFE_LOST),
    }
}
