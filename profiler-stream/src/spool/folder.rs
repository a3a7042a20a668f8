//! The folder: names of files in it, and how they are put there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::SpoolError;

const SPOOL: &str = "spool";
const DAMAGED: &str = "damaged";
const TEMPORARY: &str = "tmp";

/// The folder of one spool. What is in it may tell of secrets: only its owner may read it.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// Numbers of files that are there.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) spool: Vec<u64>,
    pub(super) damaged: Vec<u64>,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the folder if it is not there, and keeps others out of it for as long as the file is
    /// open.
    pub(super) fn lock(&self) -> Result<File, SpoolError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)?;
        let file = create(&self.0.join("lock"), false)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::Locked(self.0.clone())),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// The bytes that are kept in the folder to tell agents from each other; new ones when there
    /// are none, or no 16.
    pub(super) fn agent_id(&self) -> io::Result<[u8; 16]> {
        let path = self.0.join("agent_id");
        match fs::read(&path).map(<[u8; 16]>::try_from) {
            Ok(Ok(id)) => return Ok(id),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let id = random_id()?;
        replace(&path, &id)?;
        Ok(id)
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.0.join("progress")
    }

    pub(super) fn spool_file(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:016x}.{SPOOL}"))
    }

    pub(super) fn damaged_file(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:016x}.{DAMAGED}"))
    }

    /// In the order of their numbers.
    pub(super) fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.0)? {
            let path = PathBuf::from(entry?.file_name());
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let number = stem.and_then(|stem| u64::from_str_radix(stem, 16).ok());
            let extension = path.extension().and_then(|extension| extension.to_str());
            match (number, extension) {
                (Some(number), Some(SPOOL)) => listing.spool.push(number),
                (Some(number), Some(DAMAGED)) => listing.damaged.push(number),
                _ => {}
            }
        }
        listing.spool.sort_unstable();
        listing.damaged.sort_unstable();
        Ok(listing)
    }

    /// What a crash left of files that were to be replaced.
    pub(super) fn remove_temporary(&self) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let left = entries.map(|entry| entry.path()).filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == TEMPORARY)
        });
        for path in left {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!("a temporary file of the spool cannot be removed: {error}");
            }
        }
    }

    /// Makes a new file; it has to be written and synced.
    pub(super) fn create(&self, number: u64) -> io::Result<File> {
        create(&self.spool_file(number), true)
    }

    /// What was made, renamed or removed is there after a crash too.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Sets a damaged file aside, and leaves its first `sound` bytes in its place; with none,
    /// nothing stays.
    pub(super) fn set_aside(&self, number: u64, sound: u64) -> io::Result<()> {
        let (path, aside) = (self.spool_file(number), self.damaged_file(number));
        if sound == 0 {
            return fs::rename(&path, &aside);
        }
        let mut bytes = Vec::new();
        File::open(&path)?.take(sound).read_to_end(&mut bytes)?;
        if let Err(error) = fs::remove_file(&aside)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        fs::hard_link(&path, &aside)?;
        replace(&path, &bytes)
    }
}

/// 16 random bytes.
///
/// # Errors
/// The kernel gives none.
pub(super) fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut id)?;
    Ok(id)
}

/// Writes a file so that there is always either the old one or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(TEMPORARY);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn create(path: &Path, new: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .create_new(new)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
