//! A capture: registers, the frame-pointer walk, and the live part of the user stack.

use core::mem::MaybeUninit;

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_F_USER_STACK,
    helpers::{bpf_get_smp_processor_id, bpf_get_stack, generated},
};
use profiler_common::{
    counter,
    event::{
        CAPTURE_LOST, CHAIN_FRAMES, CaptureHead, Header, KIND_CAPTURE, Registers, SLICE_CHUNK,
        SLICE_CLASSES,
    },
};

use crate::{
    counters::count,
    kernel::Task,
    maps::{CAPTURE_NUMBERS, CAPTURES, NO_WAKEUP},
};

const PAGE_MASK: u64 = !(SLICE_CHUNK as u64 - 1);

/// One record of the ring; its size must be a constant, so there is one type a size class.
#[repr(C)]
struct Record<const CHUNKS: usize> {
    head: CaptureHead,
    slice: [[u8; SLICE_CHUNK]; CHUNKS],
}

/// Captures the running thread's user stack. Gives the capture's number, or `CAPTURE_LOST`.
#[inline(always)]
pub fn take<C: EbpfContext>(ctx: &C, event: &Header, registers: *const Registers) -> u32 {
    // SAFETY: as in `vm::look`.
    let stack_pointer = unsafe { (*registers).sp };
    let base = stack_pointer & PAGE_MASK;
    let mut header = *event;
    header.kind = KIND_CAPTURE;
    header.operation = 0;
    header.capture = next_number();
    let chunks = match Task::current().stack_top(stack_pointer) {
        Some(top) => (top - base).div_ceil(SLICE_CHUNK as u64),
        // A runtime's own stack: take what there is.
        None => SLICE_CLASSES[3] as u64,
    };
    let taken = if chunks <= SLICE_CLASSES[0] as u64 {
        fill::<C, { SLICE_CLASSES[0] }>(ctx, &header, registers, base)
    } else if chunks <= SLICE_CLASSES[1] as u64 {
        fill::<C, { SLICE_CLASSES[1] }>(ctx, &header, registers, base)
    } else if chunks <= SLICE_CLASSES[2] as u64 {
        fill::<C, { SLICE_CLASSES[2] }>(ctx, &header, registers, base)
    } else {
        fill::<C, { SLICE_CLASSES[3] }>(ctx, &header, registers, base)
    };
    if taken {
        count(counter::CAPTURES_SENT);
        header.capture
    } else {
        count(counter::CAPTURES_LOST);
        CAPTURE_LOST
    }
}

/// CPU in the upper 12 bits, a running number in the lower 20, never 0 nor `CAPTURE_LOST`. User space matches the
/// thread as well.
#[inline(always)]
fn next_number() -> u32 {
    const LOW: u32 = (1 << 20) - 1;
    let Some(counter) = CAPTURE_NUMBERS.get_ptr_mut(0) else {
        return 1;
    };
    // SAFETY: a pointer into this CPU's copy. bpf_get_smp_processor_id takes no arguments.
    let (number, cpu) = unsafe {
        *counter = counter.read().wrapping_add(1);
        (*counter, bpf_get_smp_processor_id())
    };
    let low = number & LOW;
    (cpu << 20) | low.clamp(1, LOW - 1)
}

#[inline(always)]
fn fill<C: EbpfContext, const CHUNKS: usize>(
    ctx: &C,
    header: &Header,
    registers: *const Registers,
    base: u64,
) -> bool {
    let Some(mut slot) = CAPTURES.reserve::<Record<CHUNKS>>(0) else {
        return false;
    };
    let record = MaybeUninit::as_mut_ptr(&mut slot);
    // SAFETY: the slot is a whole record; the helpers check the addresses they read from and
    // write no more than they are told.
    unsafe {
        (*record).head.header = *header;
        let target = &raw mut (*record).head.registers;
        let size = size_of::<Registers>() as u32;
        generated::bpf_probe_read_kernel(target.cast(), size, registers.cast());
        (*record).head.slice_base = base;
        let chain = &raw mut (*record).head.chain;
        let bytes = (CHAIN_FRAMES * 8) as u32;
        let got = bpf_get_stack(
            ctx.as_ptr(),
            chain.cast(),
            bytes,
            u64::from(BPF_F_USER_STACK),
        );
        (*record).head.chain_bytes = if got > 0 { got as u32 } else { 0 };
        let slice = (&raw mut (*record).slice).cast::<u8>();
        let mut length = 0;
        for chunk in 0..CHUNKS {
            let offset = chunk * SLICE_CHUNK;
            let source = (base + offset as u64) as *const core::ffi::c_void;
            let target = slice.add(offset).cast();
            if generated::bpf_probe_read_user(target, SLICE_CHUNK as u32, source) != 0 {
                break;
            }
            length = (offset + SLICE_CHUNK) as u32;
        }
        if length == 0 {
            count(counter::SLICE_UNREADABLE);
        }
        (*record).head.slice_length = length;
    }
    slot.submit(NO_WAKEUP);
    true
}
