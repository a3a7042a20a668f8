//! The file: how it is opened, what marks it as ours, and how an older one is brought up to date.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{backup::sync_directory_of, damage};
use crate::store::StoreError;

/// "PRFC" in the file's header: `file` and this program know it by it.
const APPLICATION_ID: i64 = 0x5052_4643;

/// What leads from each version of the schema to the next one, from an empty file on.
const MIGRATIONS: [&str; 3] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
];

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the log may keep of its size once it has been copied to the file.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// More than all statements of this engine.
const STATEMENTS_KEPT: usize = 64;

/// The connection that writes. Makes the file if it is not there and brings the schema up to date.
///
/// # Errors
/// `Damaged` if the file is no database, `Internal` if it is another program's or of a newer
/// version, `Unavailable` if it cannot be opened.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    create(path).map_err(|error| {
        StoreError::Unavailable(format!("open the store {}: {error}", path.display()))
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    prepare(&db)?;
    let version = version(&db, path)?;
    if version == 0 {
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: each commit waits until the disk has the log.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    migrate(&mut db, path)?;
    damage::look(&db)?;
    Ok(db)
}

/// Makes the file, if it is not there, for this user alone: what is in it can be secret. The log
/// takes over its permissions.
fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => sync_directory_of(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A connection that only reads. The file has to be there.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    prepare(&db)?;
    Ok(db)
}

/// As `open_reader`, where no writer has looked at the file before: whether it is a store at all.
///
/// # Errors
/// As `open_writer`.
pub(super) fn open_alone(path: &Path) -> Result<Connection, StoreError> {
    let db = open_reader(path)?;
    match version(&db, path)? {
        0 => Err(StoreError::Internal(format!("{} is empty", path.display()))),
        _ => Ok(db),
    }
}

fn prepare(db: &Connection) -> Result<(), StoreError> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // KiB.
    db.pragma_update(None, "cache_size", -16_384)?;
    Ok(())
}

/// The schema's version; 0 for an empty file.
fn version(db: &Connection, path: &Path) -> Result<usize, StoreError> {
    let id: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && (id != 0 || tables > 0) {
        return Err(StoreError::Internal(format!(
            "{} is another program's database, not a store of the collector",
            path.display(),
        )));
    }
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len();
    usize::try_from(version)
        .ok()
        .filter(|version| *version <= known)
        .ok_or_else(|| {
            StoreError::Internal(format!(
                "{} was written by a newer collector: its schema is version {version}, this \
                 collector knows up to {known}; start the newer one, or restore an older backup",
                path.display(),
            ))
        })
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked once more: another process may have been faster.
    let version = version(&change, path)?;
    for script in &MIGRATIONS[version..] {
        change.execute_batch(script)?;
    }
    if version < MIGRATIONS.len() {
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    }
    change.commit()?;
    Ok(())
}
