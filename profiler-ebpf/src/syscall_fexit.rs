//! VM operations by fexit on the system calls' entry points: arguments and result at once, and no
//! tax on other system calls. Each takes one argument, the user registers, so that the result is
//! the second value of the context.

use aya_ebpf::{macros::fexit, programs::FExitContext};
use profiler_common::event::{
    OP_BRK, OP_MADVISE, OP_MMAP, OP_MPROTECT, OP_MREMAP, OP_MUNMAP, OP_SHMAT, OP_SHMDT, Registers,
};

use crate::vm;

macro_rules! hook {
    ($name:ident, $function:literal, $operation:ident) => {
        #[fexit(function = $function)]
        pub fn $name(ctx: FExitContext) -> i32 {
            vm::operation(
                &ctx,
                $operation,
                ctx.arg::<*const Registers>(0),
                ctx.arg::<i64>(1),
            );
            0
        }
    };
}

hook!(fexit_mmap, "__x64_sys_mmap", OP_MMAP);
hook!(fexit_munmap, "__x64_sys_munmap", OP_MUNMAP);
hook!(fexit_mremap, "__x64_sys_mremap", OP_MREMAP);
hook!(fexit_brk, "__x64_sys_brk", OP_BRK);
hook!(fexit_mprotect, "__x64_sys_mprotect", OP_MPROTECT);
hook!(fexit_pkey, "__x64_sys_pkey_mprotect", OP_MPROTECT);
hook!(fexit_madvise, "__x64_sys_madvise", OP_MADVISE);
hook!(fexit_shmat, "__x64_sys_shmat", OP_SHMAT);
hook!(fexit_shmdt, "__x64_sys_shmdt", OP_SHMDT);
