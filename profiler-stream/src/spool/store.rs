//! The spool in memory: which files there are, and how far their runs have come.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use super::{
    Cause, RunId, Settings, SpoolError,
    contents::Contents,
    file::SpoolFile,
    folder::Folder,
    journal::Journal,
    progress::{Acked, Event, Range, RunProgress, What, ranges},
};

/// The spool of one agent. It can be used from several threads; calls may wait for the disk.
#[derive(Debug)]
pub struct Spool {
    agent_id: [u8; 16],
    inner: Mutex<Inner>,
    kept: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) folder: Folder,
    pub(super) settings: Settings,
    pub(super) journal: Journal,
    pub(super) files: BTreeMap<u64, SpoolFile>,
    /// Bytes of files that were set aside.
    pub(super) damaged: BTreeMap<u64, u64>,
    /// The file that is being written: it stays.
    pub(super) open: Option<u64>,
    pub(super) next_number: u64,
    pub(super) opened: Instant,
    _lock: File,
}

impl Spool {
    /// Opens the spool in a folder, or makes one. What a crash left half written is cut off, files
    /// that are damaged are set aside as `*.damaged`, without what can be read of them.
    ///
    /// # Errors
    /// Another agent uses it, or the folder cannot be read or written. A single file that is damaged
    /// is none.
    pub fn open(folder: &Path, settings: Settings) -> Result<Self, SpoolError> {
        let folder = Folder::new(folder);
        let lock = folder.lock()?;
        folder.remove_temporary();
        let agent_id = folder.agent_id()?;
        let mut contents = Contents::load(&folder)?;
        if let Some(error) = &contents.error {
            tracing::warn!("a file of the spool cannot be read: {error}");
        }
        let with_files: Vec<_> = contents.files.values().map(|file| file.run).collect();
        let is_there = |run: &[u8]| with_files.iter().any(|id| id == run);
        contents.progress.forget(is_there);
        let last = contents.files.keys().chain(&contents.unreadable);
        let last = last.chain(contents.damaged.keys()).max();
        let mut inner = Inner {
            settings: Settings {
                file_bytes: settings.file_bytes.min(settings.bytes_max / 4),
                ..settings
            },
            journal: Journal::new(folder.journal(), contents.progress),
            next_number: last.map_or(0, |last| last.saturating_add(1)),
            files: contents.files,
            damaged: contents.damaged,
            folder,
            open: None,
            opened: Instant::now(),
            _lock: lock,
        };
        inner.repair(&contents.unreadable, &contents.broken);
        inner.remove_done();
        inner.drop_old();
        inner.drop_surplus();
        Ok(Self {
            agent_id,
            inner: Mutex::new(inner),
            kept: watch::Sender::new(0),
        })
    }

    /// 16 random bytes that stay with the folder.
    pub fn agent_id(&self) -> [u8; 16] {
        self.agent_id
    }

    /// Tells of each batch that is kept, so that a sender need not ask.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.kept.subscribe()
    }

    /// The collector has all batches of this run up to this one. They go.
    ///
    /// What this notes can be lost when the host crashes: then they are sent again.
    pub fn ack(&self, run: RunId, sequence: u64) {
        let mut inner = self.lock();
        let Some(progress) = inner.journal.progress.run(run) else {
            return;
        };
        let sequence = sequence.min(progress.last);
        let files = inner.files.values().filter(|file| file.run == run);
        let pending = files.flat_map(|file| file.pending(progress));
        let batches = pending.filter(|pending| *pending <= sequence).count() as u64;
        if batches > 0 {
            let acked = Acked { sequence, batches };
            inner.note(run, What::Acked(acked));
            inner.remove_done();
        }
    }

    /// A collector will not take this batch. It goes, and is counted. What differs from it cannot be
    /// read, so that the next batch of its run begins a file.
    pub fn refused(&self, run: RunId, sequence: u64) {
        let mut inner = self.lock();
        let progress = inner.journal.progress.run(run);
        let there = inner
            .files
            .values()
            .any(|file| file.run == run && file.sequences().any(|stored| stored == sequence));
        if there && progress.is_some_and(|progress| progress.is_pending(sequence)) {
            inner.refuse(run, sequence, Cause::Refused);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a panic leaves is an index that may name a file that is gone; reading it is counted.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell_kept(&self) {
        self.kept
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Inner {
    pub(super) fn note(&mut self, run: RunId, what: What) {
        self.journal.note(&Event::new(run, what));
    }

    pub(super) fn note_dropped(&mut self, run: RunId, sequences: &[u64], cause: Cause) {
        for range in ranges(sequences) {
            self.note(run, What::Dropped(Range::new(range, cause)));
        }
    }

    /// A batch that no collector takes goes. The next one of its run begins a file.
    pub(super) fn refuse(&mut self, run: RunId, sequence: u64, cause: Cause) {
        self.note_dropped(run, &[sequence], cause);
        self.close(run);
        self.remove_done();
    }

    pub(super) fn progress(&self, file: &SpoolFile) -> Option<&RunProgress> {
        self.journal.progress.run(file.run)
    }

    pub(super) fn has_pending(&self, file: &SpoolFile) -> bool {
        let progress = self.progress(file);
        progress.is_some_and(|progress| file.has_pending(progress))
    }

    /// Ends the file of this run that is being written.
    fn close(&mut self, run: RunId) {
        let files = &self.files;
        let stays = |open: &u64| files.get(open).is_none_or(|file| file.run != run);
        self.open = self.open.filter(stays);
    }

    /// The number of a new file, and where it is to be.
    pub(super) fn new_file(&mut self) -> (Folder, u64) {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        (self.folder.clone(), number)
    }

    /// Removes files that have nothing more to send.
    pub(super) fn remove_done(&mut self) {
        let done = self
            .files
            .iter()
            .filter(|(number, file)| self.open != Some(**number) && !self.has_pending(file));
        let done: Vec<_> = done.map(|(number, _)| *number).collect();
        for number in done {
            self.remove(number);
        }
    }

    /// Takes a file out. One that cannot be removed has nothing to send, and is tried again when
    /// the spool is opened.
    pub(super) fn remove(&mut self, number: u64) {
        self.files.remove(&number);
        if let Err(error) = fs::remove_file(self.folder.spool_file(number)) {
            tracing::warn!("a file of the spool cannot be removed: {error}");
        }
    }

    fn repair(&mut self, unreadable: &[u64], broken: &[u64]) {
        for number in unreadable {
            let path = self.folder.spool_file(*number);
            if fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
                self.remove(*number);
            } else {
                self.set_aside(*number);
            }
        }
        for number in broken {
            self.set_aside(*number);
        }
        for (number, file) in &mut self.files {
            if file.is_broken {
                cut_off(&self.folder.spool_file(*number), file.bytes);
                file.is_broken = false;
            }
        }
    }

    /// Sets a file aside as damaged, and leaves what is sound and has to be sent.
    pub(super) fn set_aside(&mut self, number: u64) {
        let path = self.folder.spool_file(number);
        let bytes = fs::metadata(&path).map_or(0, |file| file.len());
        let file = self.files.get(&number);
        let sound = file.filter(|file| self.has_pending(file));
        let sound = sound.map_or(0, |file| file.bytes);
        match self.folder.set_aside(number, sound) {
            Ok(()) => {
                self.damaged.insert(number, bytes);
            }
            Err(error) => {
                tracing::warn!("a damaged file of the spool cannot be set aside: {error}");
                cut_off(&path, sound);
            }
        }
        match self.files.get_mut(&number) {
            Some(file) if sound > 0 => file.is_broken = false,
            _ => drop(self.files.remove(&number)),
        }
    }
}

fn cut_off(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path);
    if let Err(error) = file.and_then(|file| file.set_len(bytes)) {
        tracing::warn!("the end of a file of the spool cannot be cut off: {error}");
    }
}
