//! Definitions: the texts, frames and stacks that batches refer to by number.

mod dictionary;
mod reader;

pub use dictionary::Dictionary;
pub use reader::{Defined, Limits, Reader};

/// Frames of one stack.
pub const FRAMES_MAX: usize = 512;
/// Bytes of one text; longer ones are cut.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Bytes of a frame that is written out, its texts aside.
const FRAME_BYTES: usize = 128;

/// Bytes of a stack of so many frames that is written out.
fn stack_bytes(frames: usize) -> usize {
    64 + 8 * frames
}

/// Numbers that begin with 1; 0 is the empty text, or none.
fn number(index: usize) -> u32 {
    u32::try_from(index).map_or(u32::MAX, |index| index.saturating_add(1))
}
