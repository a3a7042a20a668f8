//! The text of `/proc/PID/maps` and `/proc/PID/smaps`, parsed from bytes at hand.
//!
//! The process chooses what stands in the last column (file names may hold anything but NUL), so
//! it is bytes and never decides where a line ends: the kernel writes a newline in a name as
//! `\012`. It escapes nothing else, so a name that really holds those four characters cannot be
//! told from a newline.

use std::borrow::Cow;

use crate::event::Backing;

/// Most mappings taken from one text: sixteen times the kernel's default of `vm.max_map_count`.
pub const MAPPINGS_MAX: usize = 1 << 20;

const DELETED: &[u8] = b" (deleted)";

/// One line of `/proc/PID/maps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// What may be done with it.
    pub permissions: Permissions,
    /// Bytes into the file.
    pub offset: u64,
    /// Major and minor number of the file's device.
    pub device: (u32, u32),
    /// The file's inode; 0 without a file.
    pub inode: u64,
    /// The last column as the kernel wrote it: a path, a name in brackets or nothing.
    pub name: &'a [u8],
}

/// The second column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// `r`
    pub read: bool,
    /// `w`
    pub write: bool,
    /// `x`
    pub execute: bool,
    /// `s` as against `p`.
    pub shared: bool,
}

impl<'a> Mapping<'a> {
    /// Bytes.
    pub fn length(&self) -> u64 {
        self.end - self.start
    }

    /// What backs it. Private huge pages (`MAP_ANONYMOUS | MAP_HUGETLB`) show as the file
    /// `/anon_hugepage (deleted)` and count as one: they come from a pool that was set aside.
    pub fn backing(&self) -> Backing {
        if self.permissions.shared {
            Backing::Shared
        } else if self.inode == 0 && self.device == (0, 0) && !self.name.starts_with(b"/") {
            Backing::Anonymous
        } else {
            Backing::File
        }
    }

    /// Private, anonymous and writable: what this project calls committed.
    pub fn is_committed(&self) -> bool {
        self.permissions.write && self.backing() == Backing::Anonymous
    }

    /// It lies in the heap that brk moves.
    pub fn is_heap(&self) -> bool {
        self.name == b"[heap]" && self.backing() == Backing::Anonymous
    }

    /// The file was unlinked (or is called so: the kernel marks it by a suffix).
    pub fn is_deleted(&self) -> bool {
        self.name.starts_with(b"/") && self.name.ends_with(DELETED)
    }

    /// The file's path with newlines put back and without the mark of deletion; nothing for what
    /// is no file.
    pub fn path(&self) -> Option<Cow<'a, [u8]>> {
        if !self.name.starts_with(b"/") {
            return None;
        }
        Some(unescape(
            self.name.strip_suffix(DELETED).unwrap_or(self.name),
        ))
    }
}

/// Puts back the newlines that the kernel wrote as `\012`.
fn unescape(name: &[u8]) -> Cow<'_, [u8]> {
    const NEWLINE: &[u8] = b"\\012";
    if !name.windows(NEWLINE.len()).any(|part| part == NEWLINE) {
        return Cow::Borrowed(name);
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(NEWLINE) {
            plain.push(b'\n');
            rest = tail;
        } else {
            plain.push(first);
            rest = tail;
        }
    }
    Cow::Owned(plain)
}

/// What was read from a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What was understood, in the order of the text.
    pub entries: Vec<T>,
    /// Lines that were not understood, or cut off by the end of the text, or beyond
    /// [`MAPPINGS_MAX`]. Anything but 0 means that the text does not tell the whole.
    pub rejected: usize,
}

/// Reads the text of `/proc/PID/maps`.
pub fn parse(text: &[u8]) -> Parsed<Mapping<'_>> {
    let mut parsed = Parsed {
        entries: Vec::new(),
        rejected: 0,
    };
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match parse_line(line) {
            Some(mapping) if parsed.entries.len() < MAPPINGS_MAX => parsed.entries.push(mapping),
            _ => parsed.rejected += 1,
        }
    }
    parsed
}

/// One mapping of `/proc/PID/smaps`, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    /// The mapping.
    pub mapping: Mapping<'a>,
    /// `Rss`
    pub resident: u64,
    /// `Anonymous`: resident pages of no file.
    pub anonymous: u64,
    /// `LazyFree`: given back by `MADV_FREE`, not yet taken.
    pub lazy_free: u64,
    /// `Swap`
    pub swap: u64,
}

/// Reads the text of `/proc/PID/smaps`.
pub fn parse_smaps(text: &[u8]) -> Parsed<Usage<'_>> {
    let mut parsed: Parsed<Usage<'_>> = Parsed {
        entries: Vec::new(),
        rejected: 0,
    };
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if let Some((key, value)) = attribute(line) {
            match parsed.entries.last_mut() {
                Some(usage) => usage.note(key, value),
                None => parsed.rejected += 1,
            }
        } else if let Some(mapping) = parse_line(line)
            && parsed.entries.len() < MAPPINGS_MAX
        {
            parsed.entries.push(Usage {
                mapping,
                resident: 0,
                anonymous: 0,
                lazy_free: 0,
                swap: 0,
            });
        } else {
            parsed.rejected += 1;
        }
    }
    parsed
}

impl Usage<'_> {
    fn note(&mut self, key: &[u8], value: &[u8]) {
        let field = match key {
            b"Rss" => &mut self.resident,
            b"Anonymous" => &mut self.anonymous,
            b"LazyFree" => &mut self.lazy_free,
            b"Swap" => &mut self.swap,
            _ => return,
        };
        if let Some(kib) = value
            .strip_suffix(b" kB")
            .and_then(|digits| number(digits, 10))
        {
            *field = kib.saturating_mul(1024);
        }
    }
}

/// `Key:   value`. The first word of a mapping's line is a range of addresses, without a colon.
fn attribute(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_suffix(b"\n")?;
    let colon = line
        .iter()
        .position(|&byte| byte == b':' || byte == b' ' || byte == b'-')?;
    if line[colon] != b':' {
        return None;
    }
    Some((&line[..colon], line[colon + 1..].trim_ascii_start()))
}

fn parse_line(line: &[u8]) -> Option<Mapping<'_>> {
    // A line without its end was cut: each of its numbers may be a part of one.
    let line = line.strip_suffix(b"\n")?;
    let (range, line) = word(line)?;
    let (permissions, line) = word(line)?;
    let (offset, line) = word(line)?;
    let (device, line) = word(line)?;
    let (inode, line) = word(line).unwrap_or((line, b""));
    let (start, end) = pair(range, b'-')?;
    let (major, minor) = pair(device, b':')?;
    if start >= end {
        return None;
    }
    Some(Mapping {
        start,
        end,
        permissions: parse_permissions(permissions)?,
        offset: number(offset, 16)?,
        device: (major.try_into().ok()?, minor.try_into().ok()?),
        inode: number(inode, 10)?,
        name: line.trim_ascii_start(),
    })
}

/// Cuts off the first word and the one space after it.
fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    Some((&line[..space], &line[space + 1..]))
}

fn pair(word: &[u8], separator: u8) -> Option<(u64, u64)> {
    let middle = word.iter().position(|&byte| byte == separator)?;
    Some((
        number(&word[..middle], 16)?,
        number(&word[middle + 1..], 16)?,
    ))
}

fn parse_permissions(word: &[u8]) -> Option<Permissions> {
    let &[read, write, execute, shared] = word else {
        return None;
    };
    let flag = |byte, letter| match byte {
        b'-' => Some(false),
        byte => (byte == letter).then_some(true),
    };
    Some(Permissions {
        read: flag(read, b'r')?,
        write: flag(write, b'w')?,
        execute: flag(execute, b'x')?,
        shared: match shared {
            b's' => true,
            b'p' => false,
            _ => return None,
        },
    })
}

/// Digits and nothing else: no sign, no prefix.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for &byte in digits {
        let digit = char::from(byte).to_digit(radix)?;
        value = value
            .checked_mul(u64::from(radix))?
            .checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests;
