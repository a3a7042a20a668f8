//! First touches by BTF tracepoints at page faults: of the process itself, and of the kernel when it
//! writes to memory of the process.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::fault::{self, Candidate};

/// `(unsigned long address, struct pt_regs *, unsigned long error_code)`
macro_rules! hook {
    ($name:ident, $tracepoint:literal) => {
        #[btf_tracepoint(function = $tracepoint)]
        pub fn $name(ctx: BtfTracePointContext) -> i32 {
            if let Some(touch) = Candidate::fault(ctx.arg(0), ctx.arg(2)) {
                fault::touched(&ctx, &touch);
            }
            0
        }
    };
}

hook!(fault_user_btf, "page_fault_user");
hook!(fault_kernel_btf, "page_fault_kernel");
