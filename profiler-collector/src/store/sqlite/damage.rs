//! A damaged file is noticed when it is opened, and set aside if so wished.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

use super::{backup::sync_directory_of, save};
use crate::store::StoreError;

/// How long the file is looked at when it is opened. A large one is looked at only as far as this
/// goes: the rest is for `check`, and for the readers to stumble on.
const LOOK: Duration = Duration::from_secs(2);

/// Instructions of `SQLite`'s machine from one look at the clock to the next.
const INSTRUCTIONS: i32 = 1000;

/// Looks for damage, for a while.
pub(super) fn look(db: &Connection) -> Result<(), StoreError> {
    let begun = Instant::now();
    db.progress_handler(INSTRUCTIONS, Some(move || begun.elapsed() > LOOK));
    let found = db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    db.progress_handler(0, None::<fn() -> bool>);
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(StoreError::Damaged(found)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Renames the file, and its log with it, to `<name>.damaged-<seconds since 1970>`: the new path.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let suffix = format!(".damaged-{}", save::now() / 1_000_000_000);
    let aside = with(path, &suffix);
    for file in ["-wal", "-shm", ""] {
        let (from, to) = (with(path, file), with(&aside, file));
        let renamed = match from.try_exists() {
            Ok(true) => fs::rename(&from, &to),
            Ok(false) => continue,
            Err(error) => Err(error),
        };
        renamed.map_err(|error| failed(&from, &error))?;
    }
    sync_directory_of(path).map_err(|error| failed(path, &error))?;
    Ok(aside)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("set {} aside: {error}", path.display()))
}
