//! What is in the folder, read without changing anything.

use std::{collections::BTreeMap, fs, io};

use super::{
    RunId,
    file::{SpoolFile, is_damage},
    folder::Folder,
    journal,
    progress::{Cause, Event, Progress, Range, RunProgress, What},
};

/// Files by their numbers, and how far their runs have come.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) files: BTreeMap<u64, SpoolFile>,
    /// Files that do not begin as they should.
    pub(super) unreadable: Vec<u64>,
    /// Files that lost batches which were kept in them once.
    pub(super) broken: Vec<u64>,
    /// Bytes of files that were set aside.
    pub(super) damaged: BTreeMap<u64, u64>,
    pub(super) progress: Progress,
    /// Why something could not be read.
    pub(super) error: Option<io::Error>,
}

impl Contents {
    /// Reads the folder. Batches that were kept and are neither there nor dropped are counted as
    /// lost to damage.
    ///
    /// # Errors
    /// Something cannot be read now, but is not damaged.
    pub(super) fn load(folder: &Folder) -> io::Result<Self> {
        let listing = folder.list()?;
        let mut contents = Self::default();
        let progress = contents.sound(journal::load(&folder.journal()))?;
        contents.progress = progress.unwrap_or_default();
        for number in listing.damaged {
            let file = contents.sound(fs::metadata(folder.damaged_file(number)))?;
            contents
                .damaged
                .insert(number, file.map_or(0, |file| file.len()));
        }
        for number in listing.spool {
            let file = contents.sound(SpoolFile::read(&folder.spool_file(number)))?;
            match file.flatten() {
                Some(file) => {
                    contents.files.insert(number, file);
                }
                None => contents.unreadable.push(number),
            }
        }
        contents.note_kept();
        contents.note_missing();
        Ok(contents)
    }

    /// What could be read. None when it is damaged.
    fn sound<T>(&mut self, read: io::Result<T>) -> io::Result<Option<T>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if is_damage(&error) => {
                self.error = Some(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Batches that were written right before the process was killed.
    fn note_kept(&mut self) {
        for file in self.files.values() {
            for sequence in file.sequences() {
                let run = self.progress.run(file.run);
                if run.is_none_or(|run| run.last < sequence) {
                    let event = Event::new(file.run, What::Kept(sequence));
                    self.progress.apply(&event);
                }
            }
        }
    }

    fn note_missing(&mut self) {
        let mut events = Vec::new();
        for run in &self.progress.runs {
            let Ok(id) = RunId::try_from(&*run.run_id) else {
                continue;
            };
            let missing = run.missing(&self.pending(run, id));
            let broken = self.files.iter().filter(|(number, file)| {
                let until = self.first_after(**number, id).unwrap_or(u64::MAX);
                let lost = file.last_sequence().saturating_add(1)..until;
                file.run == id
                    && file.is_broken
                    && missing.iter().any(|range| lost.contains(range.start()))
            });
            let broken: Vec<_> = broken.map(|(number, _)| *number).collect();
            self.broken.extend(broken);
            let ranges = missing
                .into_iter()
                .map(|range| Range::new(range, Cause::Damaged));
            events.extend(ranges.map(|range| Event::new(id, What::Dropped(range))));
        }
        for event in &events {
            self.progress.apply(event);
        }
    }

    /// Sequence numbers of a run that have to be sent, ascending.
    pub(super) fn pending(&self, progress: &RunProgress, run: RunId) -> Vec<u64> {
        let files = self.files.values().filter(|file| file.run == run);
        let mut pending: Vec<_> = files.flat_map(|file| file.pending(progress)).collect();
        pending.sort_unstable();
        pending
    }

    /// The first sequence number of a run in the files after one.
    fn first_after(&self, number: u64, run: RunId) -> Option<u64> {
        let mut later = self.files.range(number + 1..).map(|(_, file)| file);
        later.find_map(|file| file.sequences().next().filter(|_| file.run == run))
    }
}
