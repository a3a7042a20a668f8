//! What unwinding and naming need of an ELF file: segments, build id, where the unwind tables lie.
//! Every number comes from a file that may be hostile.

use std::fmt;
use std::io;

use super::bytes::{Bytes, u16_at, u32_at, u64_at};

const SEGMENTS_MAX: u16 = 256;
const SECTIONS_MAX: u16 = 8_192;
const NAMES_MAX: u64 = 1 << 20;
const NOTES_MAX: u64 = 64 << 10;
const BUILD_ID_MAX: usize = 64;
/// Segments and sections of notes in which the build id is looked for.
const NOTE_PLACES_MAX: u32 = 32;
/// Largest `.eh_frame` that is read.
pub(crate) const EH_FRAME_MAX: u64 = 32 << 20;

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PF_X: u32 = 1;
const SHT_NOTE: u32 = 7;
const NT_GNU_BUILD_ID: u32 = 3;

/// Why a file is of no use as code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ElfError {
    /// Not an ELF file: code that a runtime wrote into a memfd, for example.
    #[error("not an ELF file")]
    NotElf,
    /// ELF of another class, byte order or machine.
    #[error("not a 64-bit x86-64 ELF file")]
    Unsupported,
    /// A header that contradicts itself or the file's length.
    #[error("the {0} of the ELF file are corrupt")]
    Corrupt(&'static str),
    /// The file could not be read.
    #[error("cannot read the ELF file: {0}")]
    Io(#[from] io::Error),
}

/// A GNU build id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildId(Box<[u8]>);

impl fmt::Display for BuildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A loadable segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First byte in the file.
    pub offset: u64,
    /// Address that the file states for it.
    pub address: u64,
    /// Bytes in the file.
    pub size: u64,
    /// Loaded with execute permission.
    pub executable: bool,
}

/// Bytes of the file that are loaded at a stated address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) size: u64,
}

/// The headers of an ELF file.
#[derive(Debug)]
pub struct Headers {
    /// Where execution begins (stated address).
    pub entry: u64,
    /// Loadable segments.
    pub segments: Vec<Segment>,
    /// GNU build id.
    pub build_id: Option<BuildId>,
    pub(crate) eh_frame: Option<Section>,
}

impl Headers {
    /// Reads them.
    pub(crate) fn read(bytes: &dyn Bytes) -> Result<Self, ElfError> {
        let head = match bytes.take(0, 64, 64) {
            Ok(head) => head,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ElfError::NotElf);
            }
            Err(error) => return Err(error.into()),
        };
        check_identity(&head)?;
        let corrupt = || ElfError::Corrupt("program headers");
        let count = u16_at(&head, 56).unwrap_or(0);
        if u16_at(&head, 54) != Some(56) || count == 0 || count > SEGMENTS_MAX {
            return Err(corrupt());
        }
        let offset = u64_at(&head, 32).ok_or_else(corrupt)?;
        let table = bytes
            .take(offset, u64::from(count) * 56, u64::from(SEGMENTS_MAX) * 56)
            .map_err(|error| at_end(error, "program headers"))?;
        let mut headers = Self {
            entry: u64_at(&head, 24).ok_or_else(corrupt)?,
            segments: Vec::new(),
            build_id: None,
            eh_frame: None,
        };
        let mut eh_frame_header = None;
        let mut notes = Notes::default();
        for entry in table.chunks_exact(56) {
            let (kind, segment) = program_header(entry).ok_or_else(corrupt)?;
            match kind {
                PT_LOAD => headers.segments.push(segment),
                PT_GNU_EH_FRAME => eh_frame_header = Some(segment),
                PT_NOTE if headers.build_id.is_none() => {
                    headers.build_id = notes.build_id(bytes, segment.offset, segment.size);
                }
                _ => {}
            }
        }
        headers.read_sections(bytes, &head, &mut notes);
        if headers.eh_frame.is_none() {
            headers.eh_frame =
                eh_frame_header.and_then(|segment| headers.find_eh_frame(bytes, segment));
        }
        Ok(headers)
    }

    /// The stated address of the byte at `offset` in the file.
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments
            .iter()
            .find(|segment| {
                offset
                    .checked_sub(segment.offset)
                    .is_some_and(|inside| inside < segment.size)
            })
            .and_then(|segment| segment.address.checked_add(offset - segment.offset))
    }

    /// The stated address that belongs to the start of an executable mapping of the file from
    /// `offset` on. Mappings are whole pages, so they may begin before their segment does, with
    /// bytes of the one before it.
    pub fn address_of_mapping(&self, offset: u64, length: u64) -> Option<u64> {
        let end = offset.saturating_add(length);
        let segment = self.segments.iter().find(|segment| {
            let inside = segment.offset.saturating_add(segment.size) > offset;
            segment.executable && segment.offset < end && inside
        })?;
        Some(
            segment
                .address
                .wrapping_add(offset)
                .wrapping_sub(segment.offset),
        )
    }

    /// Section headers are optional at run time, so nothing here is an error.
    fn read_sections(&mut self, bytes: &dyn Bytes, head: &[u8], notes: &mut Notes) {
        let Some(sections) = section_table(bytes, head) else {
            return;
        };
        let names_index = usize::from(u16_at(head, 62).unwrap_or(0));
        let names = sections
            .chunks_exact(64)
            .nth(names_index)
            .and_then(|entry| Some((u64_at(entry, 24)?, u64_at(entry, 32)?)))
            .and_then(|(offset, size)| bytes.take(offset, size, NAMES_MAX).ok())
            .unwrap_or_default();
        for entry in sections.chunks_exact(64) {
            let Some((name, kind, section)) = section_header(entry) else {
                continue;
            };
            if kind == SHT_NOTE && self.build_id.is_none() {
                self.build_id = notes.build_id(bytes, section.offset, section.size);
            }
            let name = usize::try_from(name).ok().and_then(|at| names.get(at..));
            let named = name.is_some_and(|name| name.starts_with(b".eh_frame\0"));
            if named && self.address_of(section.offset) == Some(section.address) {
                self.eh_frame = Some(section);
            }
        }
    }

    /// `.eh_frame` by way of the search table's first pointer: it ends, at the latest, where its
    /// segment does, and its terminator says where exactly.
    fn find_eh_frame(&self, bytes: &dyn Bytes, table: Segment) -> Option<Section> {
        let head = bytes.take(table.offset, 8, 8).ok()?;
        // DW_EH_PE_pcrel | DW_EH_PE_sdata4 is what every linker writes.
        if head[..2] != [1, 0x1b] {
            return None;
        }
        let distance = i64::from(u32_at(&head, 4)?.cast_signed());
        let address = table.address.checked_add(4)?.checked_add_signed(distance)?;
        let segment = self.segments.iter().find(|segment| {
            address
                .checked_sub(segment.address)
                .is_some_and(|inside| inside < segment.size)
        })?;
        let inside = address - segment.address;
        Some(Section {
            offset: segment.offset.checked_add(inside)?,
            address,
            size: (segment.size - inside).min(EH_FRAME_MAX),
        })
    }
}

fn at_end(error: io::Error, what: &'static str) -> ElfError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        ElfError::Corrupt(what)
    } else {
        ElfError::Io(error)
    }
}

fn check_identity(head: &[u8]) -> Result<(), ElfError> {
    if head.get(..4) != Some(b"\x7fELF") {
        return Err(ElfError::NotElf);
    }
    let (class, order) = (head.get(4), head.get(5));
    if class != Some(&2) || order != Some(&1) || u16_at(head, 18) != Some(62) {
        return Err(ElfError::Unsupported);
    }
    Ok(())
}

fn program_header(entry: &[u8]) -> Option<(u32, Segment)> {
    let segment = Segment {
        offset: u64_at(entry, 8)?,
        address: u64_at(entry, 16)?,
        size: u64_at(entry, 32)?,
        executable: u32_at(entry, 4)? & PF_X != 0,
    };
    Some((u32_at(entry, 0)?, segment))
}

fn section_table(bytes: &dyn Bytes, head: &[u8]) -> Option<Vec<u8>> {
    let (offset, count) = (u64_at(head, 40)?, u16_at(head, 60)?);
    if offset == 0 || count == 0 || count > SECTIONS_MAX || u16_at(head, 58) != Some(64) {
        return None;
    }
    let limit = u64::from(SECTIONS_MAX) * 64;
    bytes.take(offset, u64::from(count) * 64, limit).ok()
}

fn section_header(entry: &[u8]) -> Option<(u32, u32, Section)> {
    let section = Section {
        address: u64_at(entry, 16)?,
        offset: u64_at(entry, 24)?,
        size: u64_at(entry, 32)?,
    };
    Some((u32_at(entry, 0)?, u32_at(entry, 4)?, section))
}

/// Thousands of headers could all name the same notes, which hold no build id.
#[derive(Default)]
struct Notes {
    places: u32,
}

impl Notes {
    fn build_id(&mut self, bytes: &dyn Bytes, offset: u64, size: u64) -> Option<BuildId> {
        self.places += 1;
        if self.places > NOTE_PLACES_MAX {
            return None;
        }
        build_id(bytes, offset, size)
    }
}

fn build_id(bytes: &dyn Bytes, offset: u64, size: u64) -> Option<BuildId> {
    let notes = bytes.take(offset, size, NOTES_MAX).ok()?;
    let mut rest = notes.as_slice();
    while let (Some(name), Some(length), Some(kind)) =
        (u32_at(rest, 0), u32_at(rest, 4), u32_at(rest, 8))
    {
        let name_end = 12_usize.checked_add(usize::try_from(name).ok()?)?;
        let start = name_end.checked_next_multiple_of(4)?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let content = rest.get(start..end)?;
        if kind == NT_GNU_BUILD_ID && rest.get(12..name_end)? == b"GNU\0" {
            let fits = !content.is_empty() && content.len() <= BUILD_ID_MAX;
            return fits.then(|| BuildId(content.into()));
        }
        rest = rest.get(end.checked_next_multiple_of(4)?..)?;
    }
    None
}
