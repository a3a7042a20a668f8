//! First touches where the kernel gives a page to an address space: how many pages it maps at once is
//! known, and it sees those that the kernel touches for a process.

use aya_ebpf::{cty::c_void, macros::fentry, programs::FEntryContext};

use crate::{
    fault::{self, Candidate},
    kernel::{Current, Folio, Mapping},
    maps::setting,
};

/// Pages of a large `page` before there were folios of other sizes.
const HUGE: u32 = profiler_common::sampling::HUGE_PAGES as u32;

/// `void folio_add_new_anon_rmap(struct folio *, struct vm_area_struct *, unsigned long address, …)`
#[fentry(function = "folio_add_new_anon_rmap")]
pub fn fentry_new_folio(ctx: FEntryContext) -> i32 {
    let folio = Folio::from_argument(ctx.arg::<*const c_void>(0));
    let pages = match folio.is_large() {
        // Constant when the program is loaded.
        true if setting!(touch.folio_pages) != 0 => folio.pages(),
        true => HUGE,
        false => 1,
    };
    added(&ctx, pages)
}

/// `void page_add_new_anon_rmap(struct page *, struct vm_area_struct *, unsigned long address, …)`,
/// before 6.3.
#[fentry(function = "page_add_new_anon_rmap")]
pub fn fentry_new_page(ctx: FEntryContext) -> i32 {
    let page = Folio::from_argument(ctx.arg::<*const c_void>(0));
    added(&ctx, if page.is_large() { HUGE } else { 1 })
}

#[inline(always)]
fn added(ctx: &FEntryContext, pages: u32) -> i32 {
    if let Some(touch) = Candidate::mapped(ctx.arg(2), pages)
        && Mapping::from_argument(ctx.arg::<*const c_void>(1)).is_of(Current::get())
    {
        fault::touched(ctx, &touch);
    }
    0
}
