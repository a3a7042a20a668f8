//! The one trait by which another process's memory is read. Unwinding and runtime readers see
//! nothing else, so they are tested on recorded bytes.

/// Why bytes could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The range begins below what is at hand.
    #[error("{0:#x} lies below the memory that was captured")]
    Below(u64),
    /// The range ends above what is at hand.
    #[error("{0:#x} lies above the memory that was captured")]
    Above(u64),
}

/// Memory of another process.
pub trait ReadMemory {
    /// Fills `buffer` from `address` on, or leaves it as it was.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), ReadError>;

    /// One little-endian word.
    fn read_u64(&self, address: u64) -> Result<u64, ReadError> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// Bytes that were copied from one place: the slice of a capture, or recorded memory in a test.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    base: u64,
    bytes: &'a [u8],
}

impl<'a> Slice<'a> {
    /// `bytes` were at `base`.
    pub fn new(base: u64, bytes: &'a [u8]) -> Self {
        Self { base, bytes }
    }

    /// The first address.
    pub fn start(&self) -> u64 {
        self.base
    }

    /// The first address above the bytes.
    pub fn end(&self) -> u64 {
        self.base.saturating_add(self.bytes.len() as u64)
    }
}

impl ReadMemory for Slice<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let offset = address
            .checked_sub(self.base)
            .ok_or(ReadError::Below(address))?;
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.bytes.get(start..start.checked_add(buffer.len())?))
            .ok_or(ReadError::Above(address))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_reads_inside_and_nowhere_else() {
        let bytes: Vec<u8> = (0..16).collect();
        let slice = Slice::new(0x1000, &bytes);
        assert_eq!(slice.read_u64(0x1000), Ok(0x0706_0504_0302_0100));
        assert_eq!(slice.read_u64(0x1008), Ok(0x0f0e_0d0c_0b0a_0908));
        assert_eq!(slice.read_u64(0xfff), Err(ReadError::Below(0xfff)));
        assert_eq!(slice.read_u64(0x1009), Err(ReadError::Above(0x1009)));
        assert_eq!(slice.read_u64(u64::MAX), Err(ReadError::Above(u64::MAX)));
    }

    #[test]
    fn a_slice_at_the_end_of_the_address_space_does_not_wrap() {
        let slice = Slice::new(u64::MAX - 3, &[1, 2, 3, 4]);
        assert_eq!(slice.end(), u64::MAX);
        assert!(slice.read_u64(u64::MAX - 3).is_err());
    }
}
