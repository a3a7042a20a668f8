//! What `SQLite`'s errors mean for who asked.

use rusqlite::ErrorCode;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(format!(
                "{error}; stop the collector and look at the file with `profiler-collector check`, \
                 then start from a backup, or let a new store begin: it sets this file aside"
            )),
            Some(ErrorCode::DiskFull) => Self::Unavailable(
                "the store's disk is full: make room, or start again with a smaller retention"
                    .into(),
            ),
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory,
            ) => Self::Unavailable(format!("the store cannot be used: {error}")),
            _ => Self::Internal(format!("the store: {error}")),
        }
    }
}
