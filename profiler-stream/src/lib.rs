//! The way from an agent to a collector: batches, the spool on disk, the sender.

#![forbid(unsafe_code)]

mod compress;
pub mod content;
pub mod decode;
pub mod define;
mod difference;
pub mod encode;
mod facts;
mod fit;
mod owner;
pub mod sender;
pub mod spool;

/// Bytes of a text that an operator gives: a node's name, and keys and values of its labels. A
/// collector refuses longer ones.
pub const TEXT_MAX: usize = 256;
