//! The sender's side: what has to be sent, in order.

use std::io;

use profiler_proto::v1::{self, agent_message::Kind as Message};
use prost::Message as _;

use super::{
    Cause, RunId, Spool,
    file::{Stored, is_damage, read_record, run_start},
    record::{Kind, Record},
    store::Inner,
};

/// How far a stream has come. A new stream begins with a new one.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The file's number.
    file: u64,
    /// The Run is sent; the entry that comes next.
    entry: Option<usize>,
}

/// What a look at the index says.
enum Step {
    /// This record comes next; the entry that it is, if it is not the Run.
    Read(u64, Option<usize>),
    /// This batch is not to be sent.
    Ahead(RunId, u64),
    /// Nothing more in this file.
    NextFile,
    /// Nothing more for now.
    Wait,
}

impl Spool {
    /// What comes next on the stream: the Run of a file, then its definitions and those of its
    /// batches that have to be sent, then the next file. None: nothing more for now.
    ///
    /// A file that is damaged is set aside, and what it had to send is counted as dropped. So is a
    /// batch that is ahead of the clock.
    pub fn next(&self, cursor: &mut Cursor) -> Option<Message> {
        let mut inner = self.lock();
        loop {
            let number = *inner.files.range(cursor.file..).next()?.0;
            if number != cursor.file {
                *cursor = Cursor::at(number);
            }
            match inner.step(number, cursor.entry) {
                Step::Wait => return None,
                Step::NextFile => *cursor = Cursor::at(number.checked_add(1)?),
                Step::Read(start, entry) => match inner.read(number, start) {
                    Ok(message) => {
                        cursor.entry = Some(entry.map_or(0, |entry| entry + 1));
                        return Some(message);
                    }
                    Err(error) if is_damage(&error) => {
                        inner.lose(number, entry.unwrap_or(0), &error);
                    }
                    Err(error) => {
                        tracing::warn!("a file of the spool cannot be read now: {error}");
                        return None;
                    }
                },
                Step::Ahead(run, sequence) => inner.refuse(run, sequence, Cause::Ahead),
            }
        }
    }
}

impl Cursor {
    fn at(file: u64) -> Self {
        Self { file, entry: None }
    }
}

impl Inner {
    fn step(&self, number: u64, entry: Option<usize>) -> Step {
        let at_end = if self.open == Some(number) {
            Step::Wait
        } else {
            Step::NextFile
        };
        let Some(file) = self.files.get(&number) else {
            return at_end;
        };
        let Some(from) = entry else {
            let is_needed = self.has_pending(file);
            return if is_needed {
                Step::Read(run_start(), None)
            } else {
                at_end
            };
        };
        let Some(progress) = self.progress(file) else {
            return at_end;
        };
        let mut rest = file.entries.iter().enumerate().skip(from);
        let next = rest.find(|(_, entry)| match entry.what {
            Stored::Definitions => true,
            Stored::Batch { sequence, .. } => progress.is_pending(sequence),
        });
        next.map_or(at_end, |(place, entry)| match entry.what {
            Stored::Batch { sequence, seconds } if self.is_ahead(seconds) => {
                Step::Ahead(file.run, sequence)
            }
            _ => Step::Read(entry.start, Some(place)),
        })
    }

    fn read(&self, number: u64, start: u64) -> io::Result<Message> {
        let end = self.files.get(&number).map_or(0, |file| file.bytes);
        let Record { kind, payload, .. } =
            read_record(&self.folder.spool_file(number), start, end)?;
        Ok(match kind {
            Kind::Run => Message::Run(v1::Run::decode(&*payload)?),
            Kind::Definitions => Message::Definitions(payload),
            Kind::Batch => Message::Batch(v1::Batch::decode(&*payload)?),
            Kind::State | Kind::Event => return Err(io::ErrorKind::InvalidData.into()),
        })
    }

    /// A file's entries from `place` on cannot be read any more.
    fn lose(&mut self, number: u64, place: usize, error: &io::Error) {
        tracing::warn!("a file of the spool is damaged: {error}");
        self.open = self.open.filter(|open| *open != number);
        let Some(mut file) = self.files.remove(&number) else {
            return;
        };
        let mut pending = self
            .progress(&file)
            .map_or_else(Vec::new, |progress| file.pending(progress));
        file.cut(place);
        pending.retain(|sequence| *sequence > file.last_sequence());
        let run = file.run;
        self.files.insert(number, file);
        self.note_dropped(run, &pending, Cause::Damaged);
        self.set_aside(number);
        self.drop_surplus();
    }
}
