//! Values as they stand in the tables.

use pbjson_types::Timestamp;

use crate::store::FrameHash;

/// Nanoseconds since 1970, if they fit into 64 bits.
pub(super) fn nanoseconds(time: Option<&Timestamp>) -> Option<i64> {
    let time = time?;
    time.seconds
        .checked_mul(1_000_000_000)?
        .checked_add(i64::from(time.nanos))
}

/// Hashes as bytes, little endian.
pub(super) fn pack(frames: &[FrameHash]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|frame| frame.0.to_le_bytes())
        .collect()
}

/// The reverse of `pack`; `None` if the length is wrong.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<FrameHash>> {
    let (hashes, rest) = bytes.as_chunks::<8>();
    let hashes = hashes
        .iter()
        .map(|hash| FrameHash(u64::from_le_bytes(*hash)));
    rest.is_empty().then(|| hashes.collect())
}
