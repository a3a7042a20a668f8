//! Copying the store while it is used.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::schema;
use crate::store::StoreError;

/// Copies the store as it is at one moment to `to`, which appears when the copy is complete and on
/// disk. Writers go on meanwhile; the log grows until the copy is made.
pub(super) fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    let failed =
        |error: io::Error| StoreError::Unavailable(format!("back up to {}: {error}", to.display()));
    if to.try_exists().map_err(failed)? {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let partial = partial(to);
    // Fails if another backup to the same place is under way. What is in it can be secret.
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial);
    made.map_err(|error| {
        StoreError::Unavailable(format!("back up to {}: {error}", partial.display()))
    })?;
    let copied = copy(from, &partial).and_then(|()| publish(&partial, to).map_err(failed));
    if copied.is_err() {
        // The first error is the one to tell.
        drop(std::fs::remove_file(&partial));
    }
    copied
}

fn partial(to: &Path) -> PathBuf {
    let mut name = OsString::from(to);
    name.push(".partial");
    name.into()
}

fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let from = schema::open_alone(from)?;
    let mut to = Connection::open(to)?;
    // All pages in one step: in several, it would begin anew with each write.
    match Backup::new(&from, &mut to)?.step(-1)? {
        StepResult::Done => Ok(()),
        unfinished => Err(StoreError::Unavailable(format!(
            "the store is in use by another program: the backup is {unfinished:?}"
        ))),
    }
}

/// Gives the complete file its name, if nothing has that name.
fn publish(partial: &Path, to: &Path) -> io::Result<()> {
    File::open(partial)?.sync_all()?;
    renameat_with(CWD, partial, CWD, to, RenameFlags::NOREPLACE)?;
    sync_directory_of(to)
}

/// Makes sure that the file's name is on disk.
pub(super) fn sync_directory_of(file: &Path) -> io::Result<()> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
