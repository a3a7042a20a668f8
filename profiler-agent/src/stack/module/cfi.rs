//! The unwind table of one ELF file, checked once so that using it stays cheap and bounded.
//!
//! `.eh_frame` is a program of sorts, and a hostile one could loop (a DWARF expression that
//! branches backwards), grow (endless `remember_state`) or point into the middle of other
//! entries. So the file's own search table is not used: entries are read in sequence, those that
//! could do harm are left out, and a search table over the rest is written here.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use gimli::{
    BaseAddresses, CallFrameInstruction, CieOrFde, EhFrame, EhFrameOffset, EndianSlice,
    LittleEndian, Operation, UnwindExpression, UnwindSection,
};

use super::bytes::{Bytes, u32_at};
use super::elf::{EH_FRAME_MAX, ElfError, Section};

type Reader<'a> = EndianSlice<'a, LittleEndian>;
type Cie<'a> = gimli::CommonInformationEntry<Reader<'a>>;

/// An entry with more instructions, operations of its expressions among them, is left out: it
/// would make each frame of its function slow.
const INSTRUCTIONS_MAX: usize = 4_096;
/// Parents that are remembered. Linkers write a handful.
const PARENTS_MAX: usize = 4_096;
/// "zPLRSB" is the longest that compilers write.
const AUGMENTATION_MAX: usize = 16;
/// A module has one or two signal trampolines.
const TRAMPOLINES_MAX: usize = 16;
const HEAD: usize = 16;

/// A checked `.eh_frame` and a search table over it.
#[derive(Debug)]
pub(crate) struct Cfi {
    pub(crate) eh_frame: Arc<[u8]>,
    /// In the format of `.eh_frame_hdr`: what framehop searches.
    pub(crate) index: Arc<[u8]>,
    /// Stated address of `eh_frame`; the index is relative to it as well.
    pub(crate) address: u64,
    /// Entries that were left out.
    pub(crate) rejected: u32,
    trampolines: Vec<Range<u64>>,
}

impl Cfi {
    pub(crate) fn read(bytes: &dyn Bytes, section: Section) -> Result<Self, ElfError> {
        let mut content = bytes
            .take(section.offset, section.size, EH_FRAME_MAX)
            .map_err(|_| ElfError::Corrupt("unwind tables"))?;
        content.truncate(length_to_terminator(&content));
        let scan = Scan::over(&content, section.address);
        Ok(Self {
            index: scan.index(section.address),
            eh_frame: content.into(),
            address: section.address,
            rejected: scan.rejected,
            trampolines: scan.trampolines,
        })
    }

    /// Memory that it holds.
    pub(crate) fn size(&self) -> usize {
        self.eh_frame.len() + self.index.len()
    }

    /// No function of the module is described.
    pub(crate) fn is_empty(&self) -> bool {
        self.index.len() <= HEAD
    }

    /// The code at `address` returns from a signal handler.
    pub(crate) fn is_trampoline(&self, address: u64) -> bool {
        self.trampolines
            .iter()
            .any(|range| range.contains(&address))
    }

    /// An entry describes the code at `address`.
    pub(crate) fn covers(&self, address: u64) -> bool {
        let Some(relative) = distance(self.address, address) else {
            return false;
        };
        let row = |row: usize| {
            let at = HEAD + row * 8;
            let start = u32_at(&self.index, at).map_or(i32::MAX, u32::cast_signed);
            (start, u32_at(&self.index, at + 4).unwrap_or(0))
        };
        let rows = (self.index.len() - HEAD) / 8;
        let (mut low, mut high) = (0, rows);
        while low < high {
            let middle = low.midpoint(high);
            if row(middle).0 <= relative {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
            .and_then(|place| entry_range(&self.eh_frame, self.address, row(place).1 as usize))
            .is_some_and(|range| range.contains(&address))
    }
}

fn distance(from: u64, to: u64) -> Option<i32> {
    i32::try_from(i128::from(to) - i128::from(from)).ok()
}

fn section_of(content: &[u8], address: u64) -> (EhFrame<Reader<'_>>, BaseAddresses) {
    let mut section = EhFrame::new(content, LittleEndian);
    section.set_address_size(8);
    // The index is "at" the same address, as framehop will be told.
    let bases = BaseAddresses::default()
        .set_eh_frame(address)
        .set_eh_frame_hdr(address);
    (section, bases)
}

fn entry_range(content: &[u8], address: u64, offset: usize) -> Option<Range<u64>> {
    let (section, bases) = section_of(content, address);
    let entry = section
        .fde_from_offset(&bases, EhFrameOffset(offset), EhFrame::cie_from_offset)
        .ok()?;
    Some(entry.initial_address()..entry.initial_address().checked_add(entry.len())?)
}

/// Where the entry of length 0 ends the table; its whole length when there is none.
fn length_to_terminator(content: &[u8]) -> usize {
    let mut at = 0_usize;
    while let Some(length) = u32_at(content, at) {
        // 0xffffffff introduces a 64-bit length, which no linker writes here.
        if length == 0 || length == u32::MAX {
            return at;
        }
        at = at.saturating_add(4).saturating_add(length as usize);
    }
    content.len().min(at)
}

#[derive(Default)]
struct Scan {
    /// Steps that checking may still take. Each has a byte of its own in a table whose entries do
    /// not overlap.
    steps: usize,
    /// First address and offset of the entries that are kept.
    rows: Vec<(u64, u32)>,
    trampolines: Vec<Range<u64>>,
    rejected: u32,
}

impl Scan {
    fn over(content: &[u8], address: u64) -> Self {
        let (section, bases) = section_of(content, address);
        let mut scan = Self {
            steps: content.len(),
            ..Self::default()
        };
        let mut parents: HashMap<usize, Option<Cie<'_>>> = HashMap::new();
        let mut entries = section.entries(&bases);
        // An entry that cannot be told from the next one ends the table.
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else {
                continue;
            };
            let place = partial.cie_offset();
            if parents.len() >= PARENTS_MAX && !parents.contains_key(&place.0) {
                parents.clear();
            }
            let parent = parents.entry(place.0).or_insert_with(|| {
                if !has_short_augmentation(content, place.0) {
                    return None;
                }
                let cie = section.cie_from_offset(&bases, place).ok()?;
                let instructions = cie.instructions(&section, &bases);
                are_harmless(instructions, &section, &cie, &mut scan.steps).then_some(cie)
            });
            let Some(parent) = parent else {
                scan.rejected = scan.rejected.saturating_add(1);
                continue;
            };
            let entry = partial.parse(|_, _, _| Ok(parent.clone()));
            if !entry.is_ok_and(|entry| scan.keep(&entry, &section, &bases)) {
                scan.rejected = scan.rejected.saturating_add(1);
            }
        }
        scan.rows.sort_unstable();
        scan
    }

    fn keep(
        &mut self,
        entry: &gimli::FrameDescriptionEntry<Reader<'_>>,
        section: &EhFrame<Reader<'_>>,
        bases: &BaseAddresses,
    ) -> bool {
        let start = entry.initial_address();
        let (Some(end), Ok(offset)) = (
            start.checked_add(entry.len()),
            u32::try_from(entry.offset()),
        ) else {
            return false;
        };
        let instructions = entry.instructions(section, bases);
        let cie = entry.cie();
        if start == end || !are_harmless(instructions, section, cie, &mut self.steps) {
            return false;
        }
        if entry.is_signal_trampoline() && self.trampolines.len() < TRAMPOLINES_MAX {
            self.trampolines.push(start..end);
        }
        self.rows.push((start, offset));
        true
    }

    fn index(&self, address: u64) -> Arc<[u8]> {
        let mut index = Vec::with_capacity(HEAD + self.rows.len() * 8);
        // Version; pointer to .eh_frame: absolute, 8 bytes; count: 4 bytes; rows: relative to
        // the index, 4 bytes.
        index.extend_from_slice(&[1, 0x04, 0x03, 0x3b]);
        index.extend_from_slice(&address.to_le_bytes());
        index.extend_from_slice(&[0; 4]);
        let mut count = 0_u32;
        for &(start, offset) in &self.rows {
            let (Some(start), Ok(offset)) = (distance(address, start), i32::try_from(offset))
            else {
                continue;
            };
            index.extend_from_slice(&start.to_le_bytes());
            index.extend_from_slice(&offset.to_le_bytes());
            count += 1;
        }
        index[12..16].copy_from_slice(&count.to_le_bytes());
        index.into()
    }
}

/// The parent's augmentation ends soon. Otherwise looking for its end could take long, and any
/// number of entries may name any place as their parent.
fn has_short_augmentation(content: &[u8], parent: usize) -> bool {
    // Length, id and version come before it; a 64-bit length would be followed by more.
    let head = content
        .get(parent..)
        .and_then(|rest| rest.split_at_checked(9));
    head.is_some_and(|(fields, rest)| {
        let text = &rest[..rest.len().min(AUGMENTATION_MAX)];
        !fields.starts_with(&[0xff; 4]) && text.contains(&0)
    })
}

/// Takes what it costs from `steps`.
fn are_harmless<'a>(
    mut instructions: gimli::CallFrameInstructionIter<'_, Reader<'a>>,
    section: &EhFrame<Reader<'a>>,
    cie: &Cie<'a>,
    steps: &mut usize,
) -> bool {
    let allowed = INSTRUCTIONS_MAX.min(*steps);
    let mut left = allowed;
    let harmless = loop {
        let expression = match instructions.next() {
            Ok(None) => break true,
            Err(_) => break false,
            Ok(Some(
                CallFrameInstruction::DefCfaExpression { expression }
                | CallFrameInstruction::Expression { expression, .. }
                | CallFrameInstruction::ValExpression { expression, .. },
            )) => Some(expression),
            Ok(Some(_)) => None,
        };
        let straight =
            expression.is_none_or(|expression| is_straight(&expression, section, cie, &mut left));
        if left == 0 || !straight {
            break false;
        }
        left -= 1;
    };
    *steps -= allowed - left;
    harmless
}

/// Without a branch an expression ends after as many steps as it has operations, of which there
/// are fewer than `left`. Where one does not decode, its evaluation ends with an error as well.
fn is_straight<'a>(
    expression: &UnwindExpression<usize>,
    section: &EhFrame<Reader<'a>>,
    cie: &Cie<'a>,
    left: &mut usize,
) -> bool {
    let Ok(expression) = expression.get(section) else {
        return false;
    };
    let mut operations = expression.operations(cie.encoding());
    while *left > 0 {
        match operations.next() {
            Ok(Some(Operation::Bra { .. } | Operation::Skip { .. })) | Err(_) => return false,
            Ok(Some(_)) => *left -= 1,
            Ok(None) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: u64 = 0x2000;

    /// A CIE, an entry for 0x1000..0x1010 with these instructions, and the terminator.
    fn table(instructions: &[u8]) -> Arc<[u8]> {
        let mut cie = vec![0, 0, 0, 0, 1];
        cie.extend_from_slice(b"zR\0");
        // Code and data alignment, return address register, augmentation: absolute addresses.
        cie.extend_from_slice(&[1, 0x78, 16, 1, 0x00]);
        // The frame is at rsp + 8, the return address 8 bytes below it.
        cie.extend_from_slice(&[0x0c, 7, 8, 0x90, 1]);
        cie.resize(cie.len().next_multiple_of(8) + 4, 0);
        let mut entry = Vec::new();
        let back = u32::try_from(cie.len() + 4 + 4).expect("small");
        entry.extend_from_slice(&back.to_le_bytes());
        entry.extend_from_slice(&0x1000_u64.to_le_bytes());
        entry.extend_from_slice(&0x10_u64.to_le_bytes());
        entry.push(0);
        entry.extend_from_slice(instructions);
        entry.resize(entry.len().next_multiple_of(8) + 4, 0);
        let mut table = Vec::new();
        for part in [&cie, &entry] {
            let length = u32::try_from(part.len()).expect("small");
            table.extend_from_slice(&length.to_le_bytes());
            table.extend_from_slice(part);
        }
        table.extend_from_slice(&[0; 4]);
        table.extend_from_slice(b"what follows is no entry");
        table.into()
    }

    fn read(instructions: &[u8]) -> Cfi {
        let bytes = table(instructions);
        let section = Section {
            offset: 0,
            address: ADDRESS,
            size: bytes.len() as u64,
        };
        Cfi::read(&bytes, section).expect("a table")
    }

    #[test]
    fn an_ordinary_entry_covers_its_function() {
        // DW_CFA_advance_loc 1, DW_CFA_def_cfa_offset 16
        let cfi = read(&[0x41, 0x0e, 16]);
        assert_eq!((cfi.rejected, cfi.is_empty()), (0, false));
        assert!(cfi.covers(0x1000) && cfi.covers(0x100f));
        assert!(!cfi.covers(0xfff) && !cfi.covers(0x1010));
        assert!(!cfi.covers(u64::MAX) && !cfi.covers(0));
    }

    #[test]
    fn an_expression_that_could_loop_is_left_out() {
        // DW_CFA_def_cfa_expression: DW_OP_breg7 8 is fine, DW_OP_skip -3 never ends.
        assert_eq!(read(&[0x0f, 2, 0x77, 8]).rejected, 0);
        let cfi = read(&[0x0f, 3, 0x2f, 0xfd, 0xff]);
        assert_eq!((cfi.rejected, cfi.is_empty()), (1, true));
        assert!(!cfi.covers(0x1000));
        // DW_OP_lit1, DW_OP_bra -4, as the rule of a register.
        assert_eq!(read(&[0x10, 6, 4, 0x31, 0x28, 0xfc, 0xff]).rejected, 1);
    }

    #[test]
    fn an_expression_that_takes_long_is_left_out() {
        // DW_CFA_def_cfa_expression of 16,384 times DW_OP_nop.
        let mut instructions = vec![0x0f, 0x80, 0x80, 0x01];
        instructions.resize(4 + 16_384, 0x96);
        assert_eq!(read(&instructions).rejected, 1);
    }

    /// Each entry names another place as its parent, and each of these holds an expression that
    /// reaches over many others.
    #[test]
    fn parents_that_overlap_are_checked_in_bounded_time() {
        let places = 20_000_u32;
        let mut content = Vec::new();
        content.extend_from_slice(&(places * 19 + 8_000).to_le_bytes());
        content.extend_from_slice(&[0, 0, 0, 0, 1, 0, 1, 0x78, 16]);
        let first = content.len() + 2;
        for _ in 0..places {
            // In the expression before: DW_OP_implicit_value of what follows. By itself: a parent
            // of 4,000 bytes with DW_CFA_expression of 3,000 bytes for one register.
            content.extend_from_slice(&[0x9e, 17, 0xa0, 0x0f, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16]);
            content.extend_from_slice(&[0x10, 1, 0xb8, 0x17]);
        }
        content.resize(4 + places as usize * 19 + 8_000, 0x96);
        for place in 0..places {
            content.extend_from_slice(&20_u32.to_le_bytes());
            let parent = first + place as usize * 19;
            let back = u32::try_from(content.len() - parent).expect("small");
            content.extend_from_slice(&back.to_le_bytes());
            content.extend_from_slice(&[1; 16]);
        }
        let scan = Scan::over(&content, ADDRESS);
        assert_eq!(scan.steps, 0);
        assert!(scan.rows.len() < places as usize && scan.rejected > 0);
    }

    #[test]
    fn a_parent_whose_augmentation_does_not_end_is_refused() {
        let mut content = vec![40, 0, 0, 0, 0, 0, 0, 0, 1];
        content.extend_from_slice(b"zR\0");
        assert!(has_short_augmentation(&content, 0));
        content.truncate(11);
        assert!(!has_short_augmentation(&content, 0));
        content.resize(9 + AUGMENTATION_MAX, b'R');
        content.push(0);
        assert!(!has_short_augmentation(&content, 0));
        assert!(!has_short_augmentation(&[0xff; 30], 0));
        assert!(!has_short_augmentation(&content, usize::MAX));
    }

    #[test]
    fn an_entry_without_end_is_left_out() {
        // DW_CFA_remember_state, again and again.
        assert_eq!(read(&[0x0a; 10_000]).rejected, 1);
    }
}
