//! The only place that reads kernel structures. Their offsets come from the running kernel's BTF,
//! through `Settings`, since rustc emits no CO-RE relocations.

use aya_ebpf::{
    bindings::task_struct,
    helpers::{bpf_get_current_task, bpf_probe_read_kernel, generated},
};
use profiler_common::event::Registers;

use crate::maps::setting;

/// Reads a field of a kernel structure.
#[inline(always)]
fn field<T>(base: u64, offset: u32) -> Option<T> {
    if base == 0 {
        return None;
    }
    let address = base.wrapping_add(u64::from(offset)) as *const T;
    // SAFETY: the helper checks the address and fails where it cannot be read.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}

/// A `task_struct`.
#[derive(Clone, Copy)]
pub struct Task(u64);

impl Task {
    /// The running thread.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: no arguments; always valid in process context.
        Self(unsafe { bpf_get_current_task() })
    }

    /// From a tracepoint's typed argument.
    #[inline(always)]
    pub fn from_argument(task: *const task_struct) -> Self {
        Self(task as u64)
    }

    #[inline(always)]
    fn mm(self) -> u64 {
        field(self.0, setting!(offsets.task_mm)).unwrap_or(0)
    }

    /// Process id.
    #[inline(always)]
    pub fn tgid(self) -> Option<u32> {
        field(self.0, setting!(offsets.task_tgid))
    }

    /// Thread id.
    #[inline(always)]
    pub fn pid(self) -> Option<u32> {
        field(self.0, setting!(offsets.task_pid))
    }

    /// Its name.
    #[inline(always)]
    pub fn comm(self) -> Option<[u8; 16]> {
        field(self.0, setting!(offsets.task_comm))
    }

    /// `mm->start_brk`.
    #[inline(always)]
    pub fn heap_start(self) -> Option<u64> {
        field(self.mm(), setting!(offsets.mm_start_brk))
    }

    /// No thread of the process is left (`signal->live` is 0 when the last one exits).
    #[inline(always)]
    pub fn group_is_dead(self) -> Option<bool> {
        let signal = field::<u64>(self.0, setting!(offsets.task_signal))?;
        Some(field::<i32>(signal, setting!(offsets.signal_live))? <= 0)
    }

    /// Where the user stack that holds `stack_pointer` ends, as far as the kernel knows: the
    /// thread's control block lies at the top of a glibc or musl thread's stack, and `start_stack`
    /// at the top of the first thread's. `None` for stacks that a runtime made itself.
    #[inline(always)]
    pub fn stack_top(self, stack_pointer: u64) -> Option<u64> {
        const LARGEST: u64 = 256 << 20;
        let block: u64 = field(self.0, setting!(offsets.task_fsbase))?;
        if block > stack_pointer && block - stack_pointer < LARGEST {
            return Some(block);
        }
        let start: u64 = field(self.mm(), setting!(offsets.mm_start_stack))?;
        (start > stack_pointer && start - stack_pointer < LARGEST).then_some(start)
    }
}

/// The user registers of the running thread, as its system call entered the kernel (5.15).
#[inline(always)]
pub fn current_registers() -> *const Registers {
    // SAFETY: the helpers take and give typed kernel pointers; the verifier checks every use.
    unsafe {
        let task = generated::bpf_get_current_task_btf();
        generated::bpf_task_pt_regs(task) as *const Registers
    }
}
