//! Values made from files, and made again when the files change.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Time between two looks at files.
pub(crate) const LOOK: Duration = Duration::from_secs(10);
/// Longest file that is read: bundles of all public authorities are a quarter of it.
const FILE_MAX: u64 = 1 << 20;

/// A file that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl FileError {
    pub(crate) fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// A file as read.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let refuse = |error| FileError::new(path, format_args!("cannot be read: {error}"));
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(refuse)?;
        let mut file = file.take(FILE_MAX + 1);
        file.read_to_end(&mut bytes).map_err(refuse)?;
        if bytes.len() as u64 > FILE_MAX {
            let reason = format_args!("is longer than {FILE_MAX} bytes");
            return Err(FileError::new(path, reason));
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
        })
    }

    /// An error about this file.
    pub(crate) fn refuse(&self, reason: impl fmt::Display) -> FileError {
        FileError::new(&self.path, reason)
    }
}

type Parse<T> = Box<dyn Fn(&[Source]) -> Result<T, FileError> + Send + Sync>;

/// A value made from files. New files that cannot be used leave the old value in place.
pub(crate) struct Reloaded<T> {
    what: &'static str,
    paths: Vec<PathBuf>,
    parse: Parse<T>,
    every: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    /// Of the contents that `value` was made from. Times of files are too coarse: two changes
    /// within one tick of the clock look like one.
    digest: blake3::Hash,
    /// What was logged last, so that it is logged once.
    failed: Option<FileError>,
    looked: Instant,
}

impl<T> Reloaded<T> {
    /// Reads the files. Their contents come to `parse` in the order of `paths`.
    pub(crate) fn new(
        what: &'static str,
        paths: Vec<PathBuf>,
        every: Duration,
        parse: impl Fn(&[Source]) -> Result<T, FileError> + Send + Sync + 'static,
    ) -> Result<Self, FileError> {
        let sources = read_all(&paths)?;
        let state = State {
            value: Arc::new(parse(&sources)?),
            digest: digest(&sources),
            failed: None,
            looked: Instant::now(),
        };
        Ok(Self {
            what,
            paths,
            parse: Box::new(parse),
            every,
            state: Mutex::new(state),
        })
    }

    /// The value, after a look at the files if one is due. They are small, so reading them does
    /// not hold up an executor.
    pub(crate) fn current(&self) -> Arc<T> {
        let due = {
            let mut state = self.lock();
            let due = state.looked.elapsed() >= self.every;
            if due {
                state.looked = Instant::now();
            }
            due
        };
        if due {
            // Logged already; the old value serves.
            let _ = self.reload();
        }
        self.value()
    }

    /// The value as it is.
    pub(crate) fn value(&self) -> Arc<T> {
        Arc::clone(&self.lock().value)
    }

    /// Looks at the files now. True: they have changed, and the value with them.
    pub(crate) fn reload(&self) -> Result<bool, FileError> {
        let outcome = self.replace();
        let mut state = self.lock();
        let failed = outcome.as_ref().err().cloned();
        match &failed {
            Some(error) if state.failed != failed => {
                tracing::error!("{} not reloaded, the old ones stay: {error}", self.what);
            }
            None if outcome == Ok(true) => tracing::info!("{} reloaded", self.what),
            _ => {}
        }
        state.failed = failed;
        outcome
    }

    fn replace(&self) -> Result<bool, FileError> {
        let sources = read_all(&self.paths)?;
        let digest = digest(&sources);
        if self.lock().digest == digest {
            return Ok(false);
        }
        let value = Arc::new((self.parse)(&sources)?);
        let mut state = self.lock();
        (state.value, state.digest) = (value, digest);
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {:?}", self.what, self.paths)
    }
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<Source>, FileError> {
    paths.iter().map(|path| Source::read(path)).collect()
}

fn digest(sources: &[Source]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for source in sources {
        hasher.update(&(source.bytes.len() as u64).to_le_bytes());
        hasher.update(&source.bytes);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn number(sources: &[Source]) -> Result<u32, FileError> {
        let text = String::from_utf8_lossy(&sources[0].bytes);
        text.parse().map_err(|error| sources[0].refuse(error))
    }

    #[test]
    fn changes_are_seen_and_broken_files_leave_the_old_value() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        fs::write(&path, "1").unwrap();
        let value = Reloaded::new("numbers", vec![path.clone()], Duration::ZERO, number).unwrap();
        assert_eq!(value.reload(), Ok(false));
        // Of the same length, and within the same tick.
        fs::write(&path, "2").unwrap();
        assert_eq!(*value.current(), 2);
        fs::write(&path, "two").unwrap();
        assert_eq!(*value.current(), 2);
        assert!(
            value
                .reload()
                .unwrap_err()
                .to_string()
                .contains("invalid digit")
        );
        fs::remove_file(&path).unwrap();
        assert!(
            value
                .reload()
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
        assert_eq!(*value.current(), 2);
        fs::write(&path, "3").unwrap();
        assert_eq!(value.reload(), Ok(true));
        assert_eq!(*value.value(), 3);
    }

    #[test]
    fn looks_are_no_more_often_than_agreed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "1").unwrap();
        let paths = vec![file.path().to_owned()];
        let value = Reloaded::new("numbers", paths, LOOK, number).unwrap();
        fs::write(file.path(), "2").unwrap();
        assert_eq!(*value.current(), 1);
    }

    #[test]
    fn endless_files_are_refused() {
        let error = Source::read(Path::new("/dev/zero")).err().unwrap();
        assert_eq!(error.to_string(), "/dev/zero: is longer than 1048576 bytes");
    }
}
