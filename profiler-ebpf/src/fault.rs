//! The body of every hook on the first touch of pages. It runs at each fault, so what is not sampled
//! has to be let go within nanoseconds: the hash of the page comes first.

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_RB_AVAIL_DATA,
    helpers::{bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
};
use profiler_common::{
    config::POLICY_OBSERVE,
    counter,
    event::{CAPTURE_LOST, Header, KIND_TOUCH, OP_TOUCH, TouchRecord},
    sampling::{self, ALWAYS, PAGE},
};

use crate::{
    capture,
    counters::count,
    kernel,
    maps::{CAPTURE_INTERVAL, CAPTURES, EVENTS, NO_WAKEUP, PROCESSES, setting},
};

/// Bit of the processor's error code: it was a write. What is only read has no memory of its own.
const WRITE: u64 = 2;
const AVAILABLE: u64 = BPF_RB_AVAIL_DATA as u64;
/// Addresses of user space lie below.
const USER_END: u64 = 1 << 56;

/// A touch that passed the first gate.
pub struct Candidate {
    address: u64,
    /// Pages that the chance is in proportion to.
    stands_for: u64,
    /// Pages that were mapped; 0: not known.
    pages: u32,
    hash: u32,
}

impl Candidate {
    /// The kernel maps so many pages from `address` on.
    #[inline(always)]
    pub fn mapped(address: u64, pages: u32) -> Option<Self> {
        Self::gate(address, u64::from(pages), pages)
    }

    /// The processor could not write to `address`.
    #[inline(always)]
    pub fn fault(address: u64, error: u64) -> Option<Self> {
        if error & WRITE == 0 || address >= USER_END {
            return None;
        }
        Self::gate(address, sampling::pages_of_fault(address), 0)
    }

    #[inline(always)]
    fn gate(address: u64, stands_for: u64, pages: u32) -> Option<Self> {
        let hash = sampling::page_hash(address, setting!(touch.seed));
        let threshold = u64::from(setting!(touch.threshold));
        (u64::from(hash) < threshold * stands_for).then_some(Self {
            address,
            stands_for,
            pages,
            hash,
        })
    }
}

/// Sends a touch with its stack, if its process is observed and its interval leaves it in.
#[inline(always)]
pub fn touched<C: EbpfContext>(ctx: &C, touch: &Candidate) {
    let registers = kernel::current_registers();
    if registers.is_null() {
        return;
    }
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let Some(interval) = interval(tgid) else {
        return;
    };
    let inclusion = sampling::touch_inclusion(touch.stands_for * PAGE, interval);
    if inclusion != ALWAYS && touch.hash >= inclusion {
        return;
    }
    if EVENTS.query(AVAILABLE) > setting!(events_high_water) {
        return count(counter::TOUCHES_LOST);
    }
    let mut header = Header {
        kind: KIND_TOUCH,
        operation: OP_TOUCH,
        tgid,
        // SAFETY: no arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: no arguments.
        cgroup: unsafe { bpf_get_current_cgroup_id() },
        tid: pid_tgid as u32,
        capture: CAPTURE_LOST,
    };
    // Operations need the rest of the ring, and keep it.
    if CAPTURES.query(AVAILABLE) > setting!(touch.captures_high_water) {
        count(counter::TOUCHES_UNCAPTURED);
    } else {
        header.capture = capture::take(ctx, &header, registers);
    }
    let Some(mut slot) = EVENTS.reserve::<TouchRecord>(0) else {
        return count(counter::TOUCHES_LOST);
    };
    slot.write(TouchRecord {
        header,
        address: touch.address,
        pages: touch.pages,
        inclusion,
    });
    slot.submit(NO_WAKEUP);
}

/// Mean interval of captures of a process; none for one that is not observed.
#[inline(always)]
fn interval(tgid: u32) -> Option<u64> {
    if tgid == setting!(agent_tgid) {
        return None;
    }
    let (policy, own) = match PROCESSES.get_ptr_mut(tgid) {
        // SAFETY: a pointer that the map gave.
        Some(entry) => unsafe { ((*entry).policy, (*entry).capture_interval) },
        None => (setting!(default_policy), 0),
    };
    if policy != POLICY_OBSERVE {
        return None;
    }
    Some(match own {
        0 => CAPTURE_INTERVAL.get(0).copied().unwrap_or(0),
        own => own,
    })
}
