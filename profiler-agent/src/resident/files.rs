//! Small files of the kernel, read up to a bound.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Most bytes that are taken of one file; the longest `memory.stat` has some 8 KiB.
const FILE_MAX: u64 = 64 * 1024;
/// Room for most files at once, so that one call reads them.
const FILE_USUAL: usize = 8 * 1024;

/// Reads files, and counts what is there and can't be read or understood.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Files {
    pub failed: u64,
}

impl Files {
    /// The text; an error of kind [`io::ErrorKind::NotFound`] where the kernel has no such file.
    pub(super) fn text(self, path: &Path) -> io::Result<String> {
        self.text_up_to(path, FILE_MAX)
    }

    /// The same of a longer file.
    pub(super) fn text_up_to(self, path: &Path, most: u64) -> io::Result<String> {
        let mut bytes = Vec::with_capacity(FILE_USUAL);
        let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if is_gone(&error) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error),
        }
    }

    /// The text, if there is such a file.
    pub(super) fn optional(&mut self, path: &Path) -> Option<String> {
        match self.text(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.failed += u64::from(error.kind() != io::ErrorKind::NotFound);
                None
            }
        }
    }

    /// A file that holds one number.
    pub(super) fn number(&mut self, path: &Path) -> Option<u64> {
        let text = self.optional(path)?;
        let number = text.trim().parse().ok();
        self.failed += u64::from(number.is_none());
        number
    }

    /// A file that holds one number or "max", which is none.
    pub(super) fn bound(&mut self, path: &Path) -> Option<u64> {
        let text = self.optional(path)?;
        if text.trim() == "max" {
            return None;
        }
        let number = text.trim().parse().ok();
        self.failed += u64::from(number.is_none());
        number
    }
}

/// A cgroup or process that ends while its file is open.
fn is_gone(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::NotFound
        || code == Some(libc::ENODEV)
        || code == Some(libc::ESRCH)
}

/// Lines of a name and a number, as in `memory.stat`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        Some((name, value.trim().parse().ok()?))
    })
}
