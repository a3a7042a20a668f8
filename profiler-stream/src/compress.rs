//! zstd, with a bound on what comes out.

use zstd::zstd_safe::get_frame_content_size;

use crate::decode::DecodeError;

/// Higher ones save a few bytes in a hundred and cost several times as much.
const LEVEL: i32 = 3;

/// Compresses; the result says how much it will be.
pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    // The output has the room that the worst input needs; what is left to fail is memory for the
    // working buffers. Then a reader refuses what comes out.
    zstd::bulk::compress(bytes, LEVEL).unwrap_or_default()
}

/// The opposite. Nothing is allocated before it is known that it is at most `limit` bytes.
///
/// # Errors
/// It is more, does not say how much it is, or is not what [`compress`] made.
pub(crate) fn decompress(
    what: &'static str,
    data: &[u8],
    limit: usize,
) -> Result<Vec<u8>, DecodeError> {
    let damaged = || DecodeError::Damaged(what);
    let size = get_frame_content_size(data).map_err(|_| damaged())?;
    let size = usize::try_from(size.ok_or_else(damaged)?).unwrap_or(usize::MAX);
    if size > limit {
        return Err(DecodeError::TooLarge { what, size, limit });
    }
    let bytes = zstd::bulk::decompress(data, size).map_err(|_| damaged())?;
    if bytes.len() != size {
        return Err(damaged());
    }
    Ok(bytes)
}
