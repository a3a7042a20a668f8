//! The journal: what [`Progress`] was, and what has changed since, so that an acknowledgement costs
//! one small write.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
};

use prost::Message as _;
use rustix::fs::{FallocateFlags, fallocate};

use super::{
    folder,
    progress::{Event, Progress},
    record::{Kind, Records, header, push},
};

/// Bytes after which it is written anew.
const BYTES_MAX: u64 = 256 << 10;

/// The journal in its file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    pub(super) progress: Progress,
    /// None: what is in the file is not all, and it has to be written anew.
    file: Option<File>,
    bytes: u64,
}

/// What the journal says, as far as it can be read.
pub(super) fn load(path: &Path) -> io::Result<Progress> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Progress::default()),
        Err(error) => return Err(error),
    };
    let mut progress = Progress::default();
    let bytes = file.metadata()?.len();
    let Some(mut records) = Records::open(BufReader::new(file), bytes)? else {
        return Ok(progress);
    };
    while let Some(record) = records.next()? {
        match record.kind {
            Kind::State => progress = state(&record.payload),
            Kind::Event => progress.apply(&Event::decode(&*record.payload).unwrap_or_default()),
            _ => {}
        }
    }
    Ok(progress)
}

fn state(payload: &[u8]) -> Progress {
    let state = Progress::decode(payload);
    state.ok().filter(Progress::is_sound).unwrap_or_default()
}

impl Journal {
    /// Writes the file anew with what it said.
    pub(super) fn new(path: PathBuf, progress: Progress) -> Self {
        let mut journal = Self {
            path,
            progress,
            file: None,
            bytes: 0,
        };
        journal.rewrite();
        journal
    }

    /// Notes a change. It outlasts the process at once, and a crash of the host as soon as the
    /// host's own writing back allows: what is lost then is found missing when the spool is opened.
    pub(super) fn note(&mut self, event: &Event) {
        self.progress.apply(event);
        let mut bytes = Vec::new();
        push(&mut bytes, Kind::Event, &event.encode_to_vec());
        self.bytes += bytes.len() as u64;
        // Nothing can be read behind a record that is half written.
        self.file = self
            .file
            .take()
            .filter(|mut file| file.write_all(&bytes).is_ok());
        if self.file.is_none() || self.bytes > BYTES_MAX {
            self.rewrite();
        }
    }

    /// When it cannot be written anew, the old file goes on, if it is sound; else all is written
    /// with the next change.
    fn rewrite(&mut self) {
        let mut bytes = header();
        push(&mut bytes, Kind::State, &self.progress.encode_to_vec());
        match self.replace(&bytes) {
            Ok(file) => {
                self.file = Some(file);
                self.bytes = bytes.len() as u64;
            }
            Err(error) => tracing::warn!("the spool's journal cannot be written: {error}"),
        }
    }

    /// Room is taken ahead, so that what is dropped because the disk is full can be noted.
    fn replace(&self, bytes: &[u8]) -> io::Result<File> {
        folder::replace(&self.path, bytes)?;
        let file = OpenOptions::new().append(true).open(&self.path)?;
        let room = bytes.len() as u64 + 2 * BYTES_MAX;
        // Not all file systems can, and without it everything else works.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, room);
        Ok(file)
    }
}
