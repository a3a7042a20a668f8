//! Batches read: checked on their own, and put together to the state of a run.

mod check;
mod columns;
mod shape;
mod state;
pub(crate) mod wire;

pub use check::{Checked, Limits, check};
pub use state::RunState;

use profiler_proto::v1;
use prost::Message;

use crate::compress::decompress;

/// Bytes of one part, decompressed: several times what an agent with full tables sends.
pub const PART_BYTES_MAX: usize = 32 << 20;
/// Processes of one batch, and of the state of a run: somewhat more than an agent's table holds.
pub const PROCESSES_MAX: usize = 70_000;
/// Rows of growth, likewise.
pub const ROWS_MAX: usize = 1 << 18;
/// Parts of one batch, of all kinds.
const PARTS_MAX: usize = 16;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than the limit allows.
    #[error("{what}: {size} is more than the limit of {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much there is, as far as it is known.
        size: usize,
        /// How much there may be.
        limit: usize,
    },
    /// It cannot be decompressed.
    #[error("{0}: cannot be decompressed to what it declares")]
    Damaged(&'static str),
    /// It is no message of its kind.
    #[error("not a message: {0}")]
    Message(#[from] prost::DecodeError),
    /// Columns are not of equal length.
    #[error("{0}: columns differ in length")]
    Columns(&'static str),
    /// Keys do not ascend.
    #[error("{0}: out of order")]
    Order(&'static str),
    /// An owner that this version does not know.
    #[error("owner code {0} is not known")]
    Owner(i32),
    /// A subject or stack that the owner's code cannot have.
    #[error("{0} is no subject or stack of its owner")]
    Subject(u64),
    /// It refers to something that is not there.
    #[error("refers to a {0} that is not defined")]
    Undefined(&'static str),
    /// Numbers do not follow those before, or come twice.
    #[error("{0}: numbers do not follow those before")]
    Numbering(&'static str),
    /// A field that has to be there is not, or is there twice.
    #[error("{0}")]
    Field(&'static str),
    /// More than 63 bits.
    #[error("{0}: out of range")]
    Range(&'static str),
    /// A difference, without a state that it could be the difference from.
    #[error("a difference without a whole batch before it")]
    NotWhole,
}

/// The message in a part.
///
/// # Errors
/// It is larger than [`PART_BYTES_MAX`], damaged, of another length than the part says, or has more
/// of something than any agent sends.
pub fn part<M: Message + Default>(part: &v1::Part) -> Result<M, DecodeError> {
    part_within(part, PART_BYTES_MAX)
}

fn part_within<M: Message + Default>(part: &v1::Part, limit: usize) -> Result<M, DecodeError> {
    let bytes = decompress("part", &part.data, limit)?;
    if bytes.len() != part.size as usize {
        return Err(DecodeError::Damaged("part"));
    }
    wire::bounded(&bytes, &mut shape::fields(part.kind()))?;
    Ok(M::decode(&*bytes)?)
}
