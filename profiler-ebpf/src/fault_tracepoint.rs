//! First touches by the plain tracepoints at page faults.

use aya_ebpf::{EbpfContext as _, macros::tracepoint, programs::TracePointContext};

use crate::fault::{self, Candidate};

/// `address` in the record of `exceptions:page_fault_*`.
const ADDRESS: usize = 8;
/// `error_code` in it; `ip` lies between.
const ERROR: usize = 24;

macro_rules! hook {
    ($name:ident, $tracepoint:literal) => {
        #[tracepoint(category = "exceptions", name = $tracepoint)]
        pub fn $name(ctx: TracePointContext) -> u32 {
            // SAFETY: the context of a tracepoint is its record, and the verifier lets programs
            // load from it; these fields lie at the same places in both records.
            let (address, error) = unsafe {
                let record = ctx.as_ptr();
                (
                    record.byte_add(ADDRESS).cast::<u64>().read(),
                    record.byte_add(ERROR).cast::<u64>().read(),
                )
            };
            if let Some(touch) = Candidate::fault(address, error) {
                fault::touched(&ctx, &touch);
            }
            0
        }
    };
}

hook!(fault_user_tracepoint, "page_fault_user");
hook!(fault_kernel_tracepoint, "page_fault_kernel");
