//! One file: a Run, and the Definitions and Batches of it that follow. Kept in memory is where they
//! are.

use std::{
    fs::File,
    io::{self, BufReader, Seek, SeekFrom},
    path::Path,
    time::{Duration, Instant},
};

use profiler_proto::v1;
use prost::Message as _;

use super::{
    RunId,
    progress::RunProgress,
    record::{Kind, Record, Records, header},
};

/// What is in a file, as far as it is sound.
#[derive(Debug)]
pub(super) struct SpoolFile {
    pub(super) run: RunId,
    /// Where what is sound ends.
    pub(super) bytes: u64,
    /// Something that is not sound follows.
    pub(super) is_broken: bool,
    /// In the order in which they have to be sent.
    pub(super) entries: Vec<Entry>,
    /// When a batch was written to it last; none: not since the spool was opened.
    pub(super) written: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where the record begins.
    pub(super) start: u64,
    pub(super) what: Stored,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Stored {
    Definitions,
    /// With its moment, in seconds since 1970.
    Batch {
        sequence: u64,
        seconds: i64,
    },
}

impl SpoolFile {
    pub(super) fn new(run: RunId, bytes: u64) -> Self {
        Self {
            run,
            bytes,
            is_broken: false,
            entries: Vec::new(),
            written: None,
        }
    }

    /// Looks at all of a file. None when it does not begin as it should.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let Some(mut records) = Records::open(BufReader::new(file), bytes)? else {
            return Ok(None);
        };
        let first = records.next()?;
        let Some(run) = first.as_ref().and_then(run_of) else {
            return Ok(None);
        };
        let mut read = Self::new(run, records.sound_bytes());
        while let Some(record) = records.next()? {
            if !read.enter(&record) {
                read.is_broken = true;
                return Ok(Some(read));
            }
        }
        read.is_broken = records.is_broken();
        Ok(Some(read))
    }

    /// Whether the record can stand where it stands.
    fn enter(&mut self, record: &Record) -> bool {
        let what = match record.kind {
            Kind::Definitions => Stored::Definitions,
            Kind::Batch => match v1::Batch::decode(&*record.payload) {
                Ok(batch) if batch.sequence > self.last_sequence() => stored(&batch),
                _ => return false,
            },
            _ => return false,
        };
        self.push(record.start, record.end, what);
        true
    }

    pub(super) fn push(&mut self, start: u64, end: u64, what: Stored) {
        self.entries.push(Entry { start, what });
        self.bytes = end;
    }

    /// Sequence numbers, ascending.
    pub(super) fn sequences(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.moments().map(|(sequence, _)| sequence)
    }

    /// 0 when there is no batch.
    pub(super) fn last_sequence(&self) -> u64 {
        self.sequences().next_back().unwrap_or(0)
    }

    /// Whether all batches are older than `most`, when it is so many seconds since 1970. The wall
    /// clock may be set forward, which makes nothing older than the time since it was written.
    pub(super) fn is_older(&self, most: Duration, now: i64) -> bool {
        let most_seconds = i64::try_from(most.as_secs()).unwrap_or(i64::MAX);
        let newest = self.moments().next_back();
        newest.is_none_or(|(_, newest)| newest < now.saturating_sub(most_seconds))
            && self.written.is_none_or(|written| written.elapsed() > most)
    }

    /// Sequence numbers, ascending, with moments in seconds since 1970.
    pub(super) fn moments(&self) -> impl DoubleEndedIterator<Item = (u64, i64)> {
        self.entries.iter().filter_map(|entry| match entry.what {
            Stored::Batch { sequence, seconds } => Some((sequence, seconds)),
            Stored::Definitions => None,
        })
    }

    /// Sequence numbers that have to be sent, ascending.
    pub(super) fn pending(&self, progress: &RunProgress) -> Vec<u64> {
        let sequences = self.sequences();
        sequences
            .filter(|sequence| progress.is_pending(*sequence))
            .collect()
    }

    /// The same, but only whether there are some.
    pub(super) fn has_pending(&self, progress: &RunProgress) -> bool {
        self.sequences()
            .rev()
            .any(|sequence| progress.is_pending(sequence))
    }

    /// Cuts off the entry at a place and all after it.
    pub(super) fn cut(&mut self, place: usize) {
        if let Some(entry) = self.entries.get(place) {
            self.bytes = entry.start;
        }
        self.entries.truncate(place);
    }
}

/// What the index says of a batch.
pub(super) fn stored(batch: &v1::Batch) -> Stored {
    Stored::Batch {
        sequence: batch.sequence,
        seconds: batch.time.as_ref().map_or(0, |time| time.seconds),
    }
}

/// Where the record with the Run begins.
pub(super) fn run_start() -> u64 {
    header().len() as u64
}

/// The file itself is not what it should be. Otherwise it may be read later: there may be too many
/// open files, or too little memory.
pub(super) fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, NotFound, UnexpectedEof};
    matches!(
        error.kind(),
        InvalidData | IsADirectory | NotFound | UnexpectedEof
    ) || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// The record that begins at `start`, in a file that is sound up to `end`.
///
/// # Errors
/// It is not there any more, or not sound.
pub(super) fn read_record(path: &Path, start: u64, end: u64) -> io::Result<Record> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let record = Records::at(BufReader::new(file), start, end).next()?;
    record.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn run_of(record: &Record) -> Option<RunId> {
    let run = v1::Run::decode(&*record.payload).ok()?;
    let is_run = record.kind == Kind::Run;
    run.run_id.try_into().ok().filter(|_| is_run)
}
