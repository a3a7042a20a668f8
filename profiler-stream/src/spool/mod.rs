//! Batches on disk until a collector has them.
//!
//! A folder of files of records. Each file stands on its own: a Run, then the definitions and
//! batches that follow. The oldest file goes first when the spool is full or old, and what it still
//! had to send is counted as dropped. A batch counts as kept when it is on the disk.
//!
//! Whatever happens, of each run every sequence number is with the collector, pending or dropped:
//! see [`inspect()`].

mod contents;
mod file;
mod folder;
mod inspect;
mod journal;
mod progress;
mod read;
mod record;
mod room;
mod status;
mod store;
mod write;

use std::{io, path::PathBuf, time::Duration};

pub use inspect::{RunReport, inspect};
pub use progress::Cause;
pub use read::Cursor;
pub use status::Status;
pub use store::Spool;
pub use write::Writer;

/// One run of an agent: 16 random bytes.
pub type RunId = [u8; 16];

/// 16 random bytes, for a run.
///
/// # Errors
/// The kernel gives none.
pub fn random_id() -> io::Result<RunId> {
    folder::random_id()
}

/// Bounds of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of all files, with those that were set aside. The journal is not counted: about 1 MiB
    /// at the most.
    pub bytes_max: u64,
    /// Batches that are older go.
    pub age_max: Duration,
    /// Bytes of one file after its first batch, with which all definitions come; a batch that
    /// exceeds them is the last of its file. At most a quarter of `bytes_max` is used.
    pub file_bytes: u64,
    /// Time for which one file is written.
    pub file_age: Duration,
    /// Time after opening in which the host's clock may not be set yet: only after it are batches
    /// dropped because they are ahead of it.
    pub settling: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            bytes_max: 256 << 20,
            age_max: HOUR * 24,
            file_bytes: 4 << 20,
            file_age: HOUR,
            settling: Duration::from_secs(600),
        }
    }
}

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another agent uses the folder.
    #[error("the spool in {0} is used by another agent")]
    Locked(PathBuf),
    /// The folder cannot be used.
    #[error("the spool: {0}")]
    Io(#[from] io::Error),
    /// A run's id is not 16 bytes.
    #[error("the id of a run has to be 16 bytes")]
    RunId,
}
