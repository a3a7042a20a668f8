//! How many pages a fault mapped, where the event does not say it: the kernel tells by page, through
//! `/proc/PID/pagemap` and `/proc/kpageflags` (Documentation/admin-guide/mm/pagemap.rst).

use std::{fs::File, io::ErrorKind, os::unix::fs::FileExt as _};

use profiler_common::sampling::{HUGE_PAGES, PAGE};

const PRESENT: u64 = 1 << 63;
const FRAME: u64 = (1 << 55) - 1;
const HEAD: u64 = 1 << 15;
const TAIL: u64 = 1 << 16;
const WORD: u64 = 8;

/// What was mapped together with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapped {
    /// From the first address to that behind the last.
    Range(u64, u64),
    /// The page is not there any more, or swapped out; nor may its process be.
    Absent,
    /// The kernel does not tell.
    Unknown,
}

/// The kernel's flags of all pages.
#[derive(Debug)]
pub(super) struct Folios {
    flags: Option<File>,
}

impl Folios {
    pub(super) fn open() -> Self {
        Self {
            flags: File::open("/proc/kpageflags").ok(),
        }
    }

    /// What was mapped together with the page at `address`.
    pub(super) fn around(&self, pid: u32, address: u64) -> Mapped {
        let mut entry = [0; 8];
        let pagemap = match File::open(format!("/proc/{pid}/pagemap")) {
            Ok(pagemap) => pagemap,
            Err(error) if error.kind() == ErrorKind::NotFound => return Mapped::Absent,
            Err(_) => return Mapped::Unknown,
        };
        // A process that ends has no entries.
        if pagemap
            .read_exact_at(&mut entry, address / PAGE * WORD)
            .is_err()
        {
            return Mapped::Absent;
        }
        let entry = u64::from_le_bytes(entry);
        if entry & PRESENT == 0 {
            return Mapped::Absent;
        }
        let range = self.compound(entry & FRAME, address);
        range.map_or(Mapped::Unknown, |(start, end)| Mapped::Range(start, end))
    }

    /// The addresses of the compound page that `frame` is of, which lies at `address`.
    fn compound(&self, frame: u64, address: u64) -> Option<(u64, u64)> {
        // Those who may not know it are told 0.
        if frame == 0 {
            return None;
        }
        let mut flags = [0; (HUGE_PAGES * WORD) as usize];
        let place = frame % HUGE_PAGES;
        let file = self.flags.as_ref()?;
        file.read_exact_at(&mut flags, (frame - place) * WORD)
            .ok()?;
        let (flags, _) = flags.as_chunks();
        let flags: Vec<u64> = flags.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let (before, length) = extent(&flags, place as usize)?;
        let start = address.checked_sub(before * PAGE)?;
        Some((start, start + length * PAGE))
    }
}

/// Of the compound page that the one at `place` belongs to: pages before that one, and all.
fn extent(flags: &[u64], place: usize) -> Option<(u64, u64)> {
    let of = *flags.get(place)?;
    if of & (HEAD | TAIL) == 0 {
        return Some((0, 1));
    }
    let head = flags[..=place].iter().rposition(|of| of & HEAD != 0)?;
    let tails = flags[head + 1..].iter().take_while(|of| **of & TAIL != 0);
    let length = 1 + tails.count();
    (head + length > place).then_some(((place - head) as u64, length as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_its_own_is_one() {
        assert_eq!(extent(&[HEAD, TAIL, 0, 0], 2), Some((0, 1)));
    }

    #[test]
    fn a_compound_page_reaches_from_its_head_to_its_last_tail() {
        let flags = [0, HEAD, TAIL, TAIL, TAIL, HEAD, TAIL, 0];
        assert_eq!(extent(&flags, 1), Some((0, 4)));
        assert_eq!(extent(&flags, 4), Some((3, 4)));
        assert_eq!(extent(&flags, 6), Some((1, 2)));
    }

    #[test]
    fn flags_that_change_meanwhile_make_no_sense_of() {
        assert_eq!(extent(&[TAIL, TAIL], 1), None);
        assert_eq!(extent(&[HEAD, 0, TAIL], 2), None);
        assert_eq!(extent(&[HEAD], 3), None);
    }

    #[test]
    fn finds_its_own_page_where_the_kernel_tells() {
        let page = vec![1_u8; 3 * PAGE as usize];
        let address = (page.as_ptr() as u64).next_multiple_of(PAGE);
        match Folios::open().around(std::process::id(), address) {
            Mapped::Range(start, end) => assert!((start..end).contains(&address)),
            Mapped::Unknown => eprintln!("skipped: the kernel tells root alone"),
            other => panic!("{other:?}"),
        }
    }
}
