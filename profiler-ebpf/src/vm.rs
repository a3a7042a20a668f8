//! The body of every hook on an address space: decides whether the operation matters, whether its
//! stack is captured, and sends the event.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_NOEXIST, BPF_RB_AVAIL_DATA},
    helpers::{
        bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_prandom_u32,
        bpf_ktime_get_boot_ns,
    },
};
use aya_log_ebpf::warn;
use profiler_common::{
    config::{POLICY_COUNT, POLICY_IGNORE, POLICY_OBSERVE, ProcessEntry},
    counter,
    event::{
        Header, KIND_VM, OP_BRK, OP_MADVISE, OP_MMAP, OP_MPROTECT, OP_MREMAP, OP_MUNMAP, OP_SHMAT,
        OP_SHMDT, Registers, VmRecord,
    },
    sampling,
};

use crate::{
    capture,
    counters::count,
    kernel::Task,
    maps::{CAPTURE_INTERVAL, EVENTS, NO_WAKEUP, PROCESSES, setting},
    thread,
};

const PAGE: u64 = 4096;
const PROT_WRITE: u64 = 2;
const MAP_SHARED_BITS: u64 = 0x0f;
const MAP_PRIVATE: u64 = 0x02;
const MAP_DROPPABLE: u64 = 0x08;
const MAP_ANONYMOUS: u64 = 0x20;
const MREMAP_FIXED: u64 = 2;
const ENOMEM: i64 = -12;
/// Results from -4095 to -1 are errors.
const ERRORS_FROM: u64 = -4095_i64 as u64;

/// What an operation does, from its arguments and result.
struct Seen {
    address: u64,
    length: u64,
    extra: u64,
    protection: u32,
    flags: u32,
    /// Bytes that it may have committed: an upper bound, 0 where it cannot have.
    demanded: u64,
}

/// Entry of all VM hooks. `registers` are the user registers at the system call's entry.
#[inline(always)]
pub fn operation<C: EbpfContext>(
    ctx: &C,
    operation: u16,
    registers: *const Registers,
    result: i64,
) {
    if registers.is_null() {
        return;
    }
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    if tgid == setting!(agent_tgid) {
        return;
    }
    let entry = PROCESSES.get_ptr_mut(tgid);
    if !observed(tgid, entry) {
        return;
    }
    let Some(seen) = look(ctx, operation, registers, result, entry) else {
        return;
    };
    let mut header = Header {
        kind: KIND_VM,
        operation,
        tgid,
        // SAFETY: no arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: no arguments.
        cgroup: unsafe { bpf_get_current_cgroup_id() },
        tid: pid_tgid as u32,
        capture: 0,
    };
    let filled = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA));
    if filled > setting!(events_high_water) {
        return lost(tgid, entry);
    }
    let inclusion = inclusion(seen.demanded, entry);
    if drawn(inclusion) {
        header.capture = capture::take(ctx, &header, registers);
    }
    let served = thread::current();
    let record = VmRecord {
        header,
        result,
        address: seen.address,
        length: seen.length,
        extra: seen.extra,
        protection: seen.protection,
        flags: seen.flags,
        inclusion,
        thread: served.flags,
        connection: served.connection,
        connection_calls: served.calls,
        connection_bytes: served.bytes,
    };
    let Some(mut slot) = EVENTS.reserve::<VmRecord>(0) else {
        return lost(tgid, entry);
    };
    slot.write(record);
    count(counter::EVENTS_SENT);
    slot.submit(NO_WAKEUP);
}

/// Applies the policy of the process; gives a process its entry on first sight.
#[inline(always)]
fn observed(tgid: u32, entry: Option<*mut ProcessEntry>) -> bool {
    let policy = match entry {
        // SAFETY: a pointer that the map gave.
        Some(entry) => unsafe { (*entry).policy },
        None => setting!(default_policy),
    };
    match policy {
        POLICY_IGNORE => count(counter::FILTERED),
        POLICY_COUNT => {
            count(counter::OPERATIONS_COUNTED);
            add_lost(entry);
        }
        _ => {
            if entry.is_none() {
                let fresh = ProcessEntry {
                    policy: POLICY_OBSERVE,
                    padding: 0,
                    lost: 0,
                    program_break: 0,
                    capture_interval: 0,
                };
                // User space may have written a policy meanwhile: that one stays.
                let full = PROCESSES
                    .insert(tgid, fresh, u64::from(BPF_NOEXIST))
                    .is_err();
                if full && PROCESSES.get_ptr_mut(tgid).is_none() {
                    count(counter::PROCESSES_FULL);
                }
            }
            return true;
        }
    }
    false
}

#[inline(always)]
fn add_lost(entry: Option<*mut ProcessEntry>) {
    if let Some(entry) = entry {
        // SAFETY: a pointer that the map gave. Two CPUs may count at once and lose one of the
        // two: user space only asks whether the number has changed.
        unsafe { (*entry).lost += 1 };
    }
}

#[inline(always)]
fn lost(tgid: u32, entry: Option<*mut ProcessEntry>) {
    count(counter::EVENTS_LOST);
    // The entry may be younger than the look-up.
    add_lost(entry.or_else(|| PROCESSES.get_ptr_mut(tgid)));
}

#[inline(always)]
fn inclusion(demanded: u64, entry: Option<*mut ProcessEntry>) -> u32 {
    // SAFETY: a pointer that the map gave.
    let own = entry.map_or(0, |entry| unsafe { (*entry).capture_interval });
    let interval = match own {
        0 => CAPTURE_INTERVAL.get(0).copied().unwrap_or(0),
        own => own,
    };
    sampling::inclusion(demanded, interval)
}

#[inline(always)]
fn drawn(inclusion: u32) -> bool {
    if inclusion == 0 {
        return false;
    }
    // SAFETY: no arguments.
    let random = unsafe { bpf_get_prandom_u32() };
    inclusion == sampling::ALWAYS || random < inclusion
}

#[inline(always)]
fn failed(result: i64) -> bool {
    result as u64 >= ERRORS_FROM
}

/// Reads the arguments. `None`: the operation changed nothing that matters.
#[inline(always)]
fn look<C: EbpfContext>(
    ctx: &C,
    operation: u16,
    registers: *const Registers,
    result: i64,
    entry: Option<*mut ProcessEntry>,
) -> Option<Seen> {
    // SAFETY: a typed kernel pointer whose loads the verifier checks; x86-64's layout of pt_regs
    // does not change.
    let (first, second, third, fourth, fifth) = unsafe {
        (
            (*registers).di,
            (*registers).si,
            (*registers).dx,
            (*registers).r10,
            (*registers).r8,
        )
    };
    let mut seen = Seen {
        address: first,
        length: second,
        extra: 0,
        protection: 0,
        flags: 0,
        demanded: 0,
    };
    match operation {
        OP_MMAP => {
            if failed(result) {
                return None;
            }
            seen.address = result as u64;
            seen.protection = third as u32;
            seen.flags = fourth as u32;
            let private = matches!(fourth & MAP_SHARED_BITS, MAP_PRIVATE | MAP_DROPPABLE);
            if private && fourth & MAP_ANONYMOUS != 0 && third & PROT_WRITE != 0 {
                seen.demanded = whole_pages(second);
            }
        }
        OP_MUNMAP if result != 0 => return None,
        OP_MUNMAP => {}
        OP_MPROTECT => {
            // A failure may come half-way through the range; sent so that the ledger is checked.
            seen.protection = third as u32;
            if third & PROT_WRITE != 0 && result == 0 {
                seen.demanded = whole_pages(second);
            }
        }
        OP_MADVISE => {
            // ENOMEM: parts of the range were not mapped, the rest was dealt with.
            if !gives_back(third) || (result != 0 && result != ENOMEM) {
                return None;
            }
            seen.flags = third as u32;
        }
        OP_MREMAP => {
            if failed(result) && fourth & MREMAP_FIXED == 0 {
                return None;
            }
            seen.extra = third;
            seen.flags = fourth as u32;
            if failed(result) {
                seen.address = fifth;
                seen.length = third;
            } else {
                seen.demanded = whole_pages(third).saturating_sub(whole_pages(second));
            }
        }
        OP_BRK => return look_break(ctx, result, entry),
        OP_SHMAT if failed(result) => return None,
        OP_SHMAT => {
            seen.address = result as u64;
            seen.length = 0;
        }
        OP_SHMDT if result != 0 => return None,
        OP_SHMDT => seen.length = 0,
        _ => return None,
    }
    Some(seen)
}

/// What the kernel commits for a length.
#[inline(always)]
fn whole_pages(length: u64) -> u64 {
    length.wrapping_add(PAGE - 1) & !(PAGE - 1)
}

/// MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTNEED_LOCKED.
#[inline(always)]
fn gives_back(advice: u64) -> bool {
    matches!(advice, 4 | 8 | 9 | 24)
}

/// brk returns the break that is in force, whether it moved or not; by how much is known from the
/// process's last one.
#[inline(always)]
fn look_break<C: EbpfContext>(
    ctx: &C,
    result: i64,
    entry: Option<*mut ProcessEntry>,
) -> Option<Seen> {
    let Some(start) = Task::current().heap_start() else {
        count(counter::KERNEL_READ_FAILED);
        warn!(ctx, "mm_struct.start_brk could not be read");
        return None;
    };
    let now = result as u64;
    let before = match entry {
        // SAFETY: a pointer that the map gave.
        Some(entry) => unsafe { core::mem::replace(&mut (*entry).program_break, now) },
        None => 0,
    };
    let before = if before == 0 { start } else { before };
    let demanded = match now.saturating_sub(before) {
        // The last break may have been another process's of the same memory, or not seen: what
        // may have grown must have a chance to be captured.
        0 if now != before && now > start => PAGE,
        grown => grown,
    };
    Some(Seen {
        address: start,
        length: 0,
        extra: 0,
        protection: 0,
        flags: 0,
        demanded,
    })
}
