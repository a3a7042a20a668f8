//! VM operations by the tracepoints at the exit of system calls: the result is in the record, the
//! arguments are in the thread's user registers.

use aya_ebpf::{EbpfContext as _, macros::tracepoint, programs::TracePointContext};
use profiler_common::event::{
    OP_BRK, OP_MADVISE, OP_MMAP, OP_MPROTECT, OP_MREMAP, OP_MUNMAP, OP_SHMAT, OP_SHMDT,
};

use crate::{kernel, vm};

/// `ret` in the record of every `syscalls:sys_exit_*`.
const RESULT: usize = 16;

macro_rules! hook {
    ($name:ident, $tracepoint:literal, $operation:ident) => {
        #[tracepoint(category = "syscalls", name = $tracepoint)]
        pub fn $name(ctx: TracePointContext) -> u32 {
            // SAFETY: the context of a tracepoint is its record, and the verifier lets programs
            // load from it; this field lies at the same place in all of these records.
            let result = unsafe { ctx.as_ptr().byte_add(RESULT).cast::<i64>().read() };
            vm::operation(&ctx, $operation, kernel::current_registers(), result);
            0
        }
    };
}

hook!(exit_mmap, "sys_exit_mmap", OP_MMAP);
hook!(exit_munmap, "sys_exit_munmap", OP_MUNMAP);
hook!(exit_mremap, "sys_exit_mremap", OP_MREMAP);
hook!(exit_brk, "sys_exit_brk", OP_BRK);
hook!(exit_mprotect, "sys_exit_mprotect", OP_MPROTECT);
hook!(exit_pkey, "sys_exit_pkey_mprotect", OP_MPROTECT);
hook!(exit_madvise, "sys_exit_madvise", OP_MADVISE);
hook!(exit_shmat, "sys_exit_shmat", OP_SHMAT);
hook!(exit_shmdt, "sys_exit_shmdt", OP_SHMDT);
