//! Positioned reads of a file that a hostile process owns: no mapping, no trust in lengths.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Something with a length that is read by position.
pub(crate) trait Bytes {
    /// How many bytes there are.
    fn length(&self) -> u64;
    /// Fills `buffer` from `offset` on.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// `length` bytes from `offset` on, refused before anything is allocated when the file is
    /// shorter or the length is above `limit`.
    fn take(&self, offset: u64, length: u64, limit: u64) -> io::Result<Vec<u8>> {
        let end = offset.checked_add(length);
        if length > limit || end.is_none_or(|end| end > self.length()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let mut buffer = vec![0; length];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }
}

/// A file with the length that it had when it was opened. A file that shrinks afterwards gives an
/// error where it ends.
pub(crate) struct FileBytes<'a> {
    file: &'a File,
    length: u64,
}

impl<'a> FileBytes<'a> {
    pub(crate) fn new(file: &'a File, length: u64) -> Self {
        Self { file, length }
    }
}

impl Bytes for FileBytes<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl Bytes for Arc<[u8]> {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buffer.len())?))
            .map(|bytes| buffer.copy_from_slice(bytes))
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// A little-endian number inside `bytes`, `None` outside.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

/// As [`u16_at`].
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// As [`u16_at`].
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}
