//! The state of verdicts on disk, so that an agent that is started again goes on with its series.
//!
//! A file of this version: a magic line, a BLAKE3 hash of what follows, and that in postcard. It is
//! replaced as a whole. One that is damaged or of another version is set aside under another name; one
//! that cannot be read stays where it is.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use profiler_analysis::verdict::{Engine, EngineLimits, LifeEnd, Rules};
use profiler_proto::v1;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::{book::Book, key::Key, lives::Lives, quota::Quota, time::Base};

/// Changes with the form of anything that is kept.
const MAGIC: &[u8] = b"profiler verdicts 2\n";
const HASH: usize = 32;
/// Longer ones are neither written nor read: the bounds of the engine keep below.
const STATE_MAX: u64 = 256 << 20;

/// Where the state is kept.
#[derive(Clone, Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    boot_id: String,
    /// Series of other windows are of no use.
    window: Duration,
}

#[derive(Serialize)]
struct Written<'a> {
    boot_id: &'a str,
    window: Duration,
    base: Base,
    kills: Vec<Vec<u8>>,
    forgotten: u64,
    lives: &'a Lives,
    quota: &'a Quota,
    engine: &'a Engine<Key>,
}

#[derive(Deserialize)]
struct Read {
    boot_id: String,
    window: Duration,
    base: Base,
    kills: Vec<Vec<u8>>,
    forgotten: u64,
    lives: Lives,
    quota: Quota,
    engine: Engine<Key>,
}

/// What is taken over from the run before.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) kills: Vec<v1::OomKill>,
    pub(super) forgotten: u64,
}

/// Why a file is of no use.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It may be whole, and is not to be written over.
    Unread(io::Error),
    /// It is set aside.
    Damaged(anyhow::Error),
}

impl StateFile {
    pub(super) fn new(path: PathBuf, boot_id: String, window: Duration) -> Self {
        Self {
            path,
            boot_id,
            window,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is kept.
    ///
    /// # Errors
    /// It cannot be written down; there is no such case known.
    pub(super) fn body(
        &self,
        book: &Book,
        kills: &[v1::OomKill],
        forgotten: u64,
    ) -> anyhow::Result<Vec<u8>> {
        let body = postcard::to_stdvec(&Written {
            boot_id: &self.boot_id,
            window: self.window,
            base: book.base,
            kills: kills.iter().map(prost::Message::encode_to_vec).collect(),
            forgotten,
            lives: &book.lives,
            quota: &book.quota,
            engine: &book.engine,
        })?;
        Ok(body)
    }

    /// Replaces the file. It is the owner's alone.
    ///
    /// # Errors
    /// The file system's, or it would be too long to be read.
    pub(super) fn write(&self, body: &[u8]) -> anyhow::Result<()> {
        let length = (MAGIC.len() + HASH + body.len()) as u64;
        ensure!(length <= STATE_MAX, "{length} bytes are too many");
        let folder = self.path.parent().context("it has no directory")?;
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(MAGIC)?;
        file.write_all(blake3::hash(body).as_bytes())?;
        file.write_all(body)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    /// Puts what was kept into the book.
    pub(super) fn restore(&self, book: &mut Book) -> Result<Restored, Unusable> {
        let bytes = match self.bytes() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Restored::default()),
            bytes => bytes.map_err(Unusable::Unread)?,
        };
        match parse(&bytes) {
            Ok(read) => Ok(self.take_over(read, book)),
            Err(error) => {
                let aside = aside(&self.path);
                let moved = fs::rename(&self.path, &aside);
                let said = match moved {
                    Ok(()) => format!("it is set aside as {}", aside.display()),
                    Err(error) => format!("it could not be set aside: {error}"),
                };
                Err(Unusable::Damaged(error.context(said)))
            }
        }
    }

    /// Longer ones one byte too long.
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(&self.path)?;
        file.take(STATE_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn take_over(&self, read: Read, book: &mut Book) -> Restored {
        let kills = read.kills.iter();
        let restored = Restored {
            kills: kills
                .filter_map(|bytes| v1::OomKill::decode(&**bytes).ok())
                .collect(),
            forgotten: read.forgotten,
        };
        if read.window != self.window {
            tracing::info!("verdict_window has changed: series begin anew");
            return restored;
        }
        let rules = Rules {
            window: self.window,
        };
        let Some(engine) = read.engine.resumed(&rules, EngineLimits::default()) else {
            return restored;
        };
        book.engine = engine;
        book.quota = read.quota;
        book.quota
            .retain(|lineage| book.engine.has_lineage(lineage));
        if read.boot_id == self.boot_id {
            book.base = read.base;
            book.lives = read.lives;
        } else {
            end_all(book, read.lives);
        }
        restored
    }
}

fn parse(bytes: &[u8]) -> anyhow::Result<Read> {
    ensure!(bytes.len() as u64 <= STATE_MAX, "it is too long");
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        bail!("it is of another version, or no such file");
    };
    let (hash, body) = rest.split_at_checked(HASH).context("it is cut off")?;
    ensure!(blake3::hash(body).as_bytes() == hash, "it is damaged");
    Ok(postcard::from_bytes(body)?)
}

/// Nothing lives on after a boot; each ended at its last reading.
fn end_all(book: &mut Book, lives: Lives) {
    let last = |book: &Book, key: &Key| book.engine.series(key).map_or(0, |one| one.last().time);
    for (key, life) in lives {
        let time = last(book, &key);
        book.end(&key, &life, time, LifeEnd::Ended);
    }
    let keys: Vec<Key> = book.engine.keys().cloned().collect();
    for key in keys {
        let time = last(book, &key);
        book.engine.ended(&key, time, LifeEnd::Ended);
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unusable");
    PathBuf::from(name)
}
