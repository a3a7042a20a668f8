//! The agent's side: definitions and batches of its run.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    sync::Arc,
    time::Instant,
};

use profiler_proto::v1;
use prost::Message as _;

use super::{
    Cause, RunId, Spool, SpoolError,
    file::{SpoolFile, Stored, stored},
    progress::What,
    record::{Kind, PAYLOAD_BYTES_MAX, header, push},
};

/// Writes the batches of one run.
#[derive(Debug)]
pub struct Writer {
    spool: Arc<Spool>,
    run: RunId,
    message: Vec<u8>,
    open: Option<Open>,
    /// They come to the disk with the batch that needs them.
    definitions: Vec<Vec<u8>>,
}

/// The file that is being written.
#[derive(Debug)]
struct Open {
    number: u64,
    file: File,
    bytes: u64,
    /// Of these those up to the end of the first batch.
    first: u64,
    since: Instant,
}

/// Records that are written in one go, and where each of them ends.
struct Records {
    /// The batch's. It counts as kept as soon as a sender can see it, or its ack would be for less.
    sequence: u64,
    bytes: Vec<u8>,
    entries: Vec<(usize, Stored)>,
}

impl Spool {
    /// For the batches of this run. One run is written at a time.
    ///
    /// # Errors
    /// The run's id is not 16 bytes.
    pub fn writer(self: &Arc<Self>, run: &v1::Run) -> Result<Writer, SpoolError> {
        let id = RunId::try_from(&*run.run_id).map_err(|_| SpoolError::RunId)?;
        Ok(Writer {
            spool: Arc::clone(self),
            run: id,
            message: run.encode_to_vec(),
            open: None,
            definitions: Vec::new(),
        })
    }
}

impl Writer {
    /// Has to be asked before each batch. `true`: it begins a file, and so has to be whole, with
    /// definitions from a new dictionary. A file ends when it is full or old, or when a batch was
    /// dropped.
    pub fn begins_file(&mut self) -> bool {
        let settings = self.spool.lock().settings;
        let is_done = self.open.as_ref().is_none_or(|open| {
            open.bytes - open.first >= settings.file_bytes
                || open.since.elapsed() >= settings.file_age
        });
        if is_done || !self.is_open() {
            self.end_file();
        }
        self.open.is_none()
    }

    /// Ends the file: the next batch begins another.
    pub fn end_file(&mut self) {
        self.definitions.clear();
        if self.open.take().is_some() {
            let mut inner = self.spool.lock();
            inner.open = None;
            inner.remove_done();
        }
    }

    /// Keeps a compressed `Definitions` message, together with the batch that comes next.
    pub fn append_definitions(&mut self, definitions: Vec<u8>) {
        self.definitions.push(definitions);
    }

    /// Keeps a batch: it is on the disk when this returns.
    ///
    /// # Errors
    /// It is dropped, and counted. The next one has to begin a file.
    pub fn append_batch(&mut self, batch: &v1::Batch) -> Result<(), Cause> {
        let result = self.append(batch);
        let mut inner = self.spool.lock();
        if let Err(cause) = result {
            inner.note_dropped(self.run, &[batch.sequence], cause);
        }
        inner.drop_old();
        drop(inner);
        match result {
            Ok(()) => self.spool.tell_kept(),
            Err(_) => self.end_file(),
        }
        result
    }

    fn append(&mut self, batch: &v1::Batch) -> Result<(), Cause> {
        let mut records = Records::new(batch.sequence);
        for definitions in std::mem::take(&mut self.definitions) {
            records.push(Kind::Definitions, &definitions, Stored::Definitions)?;
        }
        records.push(Kind::Batch, &batch.encode_to_vec(), stored(batch))?;
        let is_open = self.is_open();
        // It is part of a file that was ended meanwhile, or differs from what is not there.
        if !is_open && (!batch.whole || self.open.is_some()) {
            return Err(Cause::Disk);
        }
        let head = if is_open { Vec::new() } else { self.head() };
        let bytes = head.len() + records.bytes.len();
        self.spool.lock().make_room(bytes as u64)?;
        let write = |writer: &mut Self| {
            if is_open {
                writer.go_on(&records)
            } else {
                writer.begin(&head, &records)
            }
        };
        let written = write(self).or_else(|error| {
            let room = is_full(&error) && self.spool.lock().drop_oldest(Cause::Disk);
            if room { write(self) } else { Err(error) }
        });
        written.map_err(|error| {
            tracing::warn!("a batch cannot be kept in the spool: {error}");
            Cause::Disk
        })
    }

    /// What the sender could not read is not written any more.
    fn is_open(&self) -> bool {
        let number = self.open.as_ref().map(|open| open.number);
        number.is_some() && self.spool.lock().open == number
    }

    /// What a file begins with.
    fn head(&self) -> Vec<u8> {
        let mut bytes = header();
        push(&mut bytes, Kind::Run, &self.message);
        bytes
    }

    fn begin(&mut self, head: &[u8], records: &Records) -> io::Result<()> {
        let bytes = [head, &records.bytes].concat();
        let (folder, number) = self.spool.lock().new_file();
        let mut file = folder.create(number)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all());
        if let Err(error) = written.and_then(|()| folder.sync()) {
            fs::remove_file(folder.spool_file(number))?;
            return Err(error);
        }
        let mut entries = SpoolFile::new(self.run, head.len() as u64);
        records.enter(&mut entries);
        let mut inner = self.spool.lock();
        inner.files.insert(number, entries);
        inner.note(self.run, What::Kept(records.sequence));
        inner.open = Some(number);
        self.open = Some(Open {
            number,
            file,
            bytes: bytes.len() as u64,
            first: bytes.len() as u64,
            since: Instant::now(),
        });
        Ok(())
    }

    fn go_on(&mut self, records: &Records) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let written = open.file.write_all(&records.bytes);
        if let Err(error) = written.and_then(|()| open.file.sync_data()) {
            open.cut_off();
            return Err(error);
        }
        open.bytes += records.bytes.len() as u64;
        let mut inner = self.spool.lock();
        // The sender may have found it damaged meanwhile.
        let is_open = inner.open == Some(open.number);
        let file = inner.files.get_mut(&open.number).filter(|_| is_open);
        records.enter(file.ok_or(io::ErrorKind::NotFound)?);
        inner.note(self.run, What::Kept(records.sequence));
        Ok(())
    }
}

impl Open {
    /// What is half written goes, or the file would seem to be damaged.
    fn cut_off(&mut self) {
        use io::{Seek as _, SeekFrom};
        let cut = self.file.set_len(self.bytes);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(self.bytes)));
        if let Err(error) = cut {
            tracing::warn!("the end of a file of the spool cannot be cut off: {error}");
        }
    }
}

impl Records {
    fn new(sequence: u64) -> Self {
        Self {
            sequence,
            bytes: Vec::new(),
            entries: Vec::new(),
        }
    }

    fn push(&mut self, kind: Kind, payload: &[u8], what: Stored) -> Result<(), Cause> {
        if payload.len() > PAYLOAD_BYTES_MAX || self.bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(Cause::TooLarge);
        }
        push(&mut self.bytes, kind, payload);
        self.entries.push((self.bytes.len(), what));
        Ok(())
    }

    fn enter(&self, file: &mut SpoolFile) {
        let base = file.bytes;
        for (end, what) in &self.entries {
            file.push(file.bytes, base + *end as u64, *what);
        }
        file.written = Some(Instant::now());
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
