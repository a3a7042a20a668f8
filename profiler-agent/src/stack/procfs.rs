//! What `/proc` says of a process's code. Processes are hostile: nothing that they chose is
//! opened before it is known to be a regular file, and no link of theirs leads out of their root.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::clipped;
use super::mounts::{Mounts, NotLocal};
use crate::process::maps::{self, Mapping};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2};

/// A mapping with execute permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeMapping {
    /// First address.
    pub start: u64,
    /// First address above it.
    pub end: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Major and minor number of the file's device.
    pub device: (u32, u32),
    /// The file's inode; 0 for anonymous memory.
    pub inode: u64,
    /// The file's path, or a name in brackets; may be empty.
    pub path: String,
}

/// One process, for as long as it lives: a pid that comes again is never taken for it.
pub trait ProcessView: Send + Sync {
    /// Its executable mappings in ascending order, at most `limit` of them.
    fn code(&self, limit: usize) -> io::Result<Vec<CodeMapping>>;
    /// The file behind a mapping.
    fn open(&self, mapping: &CodeMapping) -> io::Result<File>;
    /// Its perf map, if it writes one that can be trusted to be its own.
    fn perf_map(&self) -> io::Result<File>;
}

/// Where processes come from.
pub trait Processes: Send {
    /// The process that has this pid now.
    fn view(&self, pid: u32) -> io::Result<Arc<dyn ProcessView>>;
}

/// `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcFs;

impl Processes for ProcFs {
    fn view(&self, pid: u32) -> io::Result<Arc<dyn ProcessView>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(format!("/proc/{pid}"), flags, Mode::empty())?;
        Ok(Arc::new(ProcessDirectory {
            directory,
            mounts: Mounts::default(),
        }))
    }
}

/// An open `/proc/PID`: reads through it fail once the process is gone.
#[derive(Debug)]
struct ProcessDirectory {
    directory: OwnedFd,
    mounts: Mounts,
}

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
/// Kernel text, but a process decides how much of it there is.
const MAPS_BYTES_MAX: u64 = 64 << 20;
const PATH_MAX: usize = 4_096;

impl ProcessDirectory {
    fn status(&self) -> io::Result<String> {
        let file = File::from(openat(&self.directory, "status", READ, Mode::empty())?);
        let mut text = Vec::new();
        file.take(64 << 10).read_to_end(&mut text)?;
        // The name in it is any bytes: a long one may be cut inside a character.
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn root(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(&self.directory, "root", flags, Mode::empty())?)
    }

    fn open_by_range(&self, mapping: &CodeMapping) -> io::Result<File> {
        let name = format!("map_files/{:x}-{:x}", mapping.start, mapping.end);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        reopen(&openat(&self.directory, name, flags, Mode::empty())?)
    }

    /// Without the privilege for `map_files`. Overlay and btrfs state other devices in `maps`
    /// than a file has, and are refused here rather than confused.
    fn open_by_path(&self, mapping: &CodeMapping) -> io::Result<File> {
        let root = self.root()?;
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = openat2(root, &mapping.path, flags, Mode::empty(), resolve)?;
        let file = reopen(&file)?;
        let metadata = file.metadata()?;
        let device = (
            rustix::fs::major(metadata.dev()),
            rustix::fs::minor(metadata.dev()),
        );
        if metadata.ino() != mapping.inode || device != mapping.device {
            return Err(io::Error::other("another file is at that path now"));
        }
        Ok(file)
    }
}

/// Opens for reading what is a regular file; opening a device could act on it.
fn reopen(path: &OwnedFd) -> io::Result<File> {
    if FileType::from_raw_mode(fstat(path)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("not a regular file"));
    }
    let name = format!("/proc/self/fd/{}", path.as_raw_fd());
    Ok(File::from(openat(CWD, name, READ, Mode::empty())?))
}

impl ProcessView for ProcessDirectory {
    fn code(&self, limit: usize) -> io::Result<Vec<CodeMapping>> {
        let file = File::from(openat(&self.directory, "maps", READ, Mode::empty())?);
        let mut text = Vec::new();
        file.take(MAPS_BYTES_MAX).read_to_end(&mut text)?;
        let mappings = maps::parse(&text).entries;
        Ok((mappings.iter().filter_map(CodeMapping::of))
            .take(limit)
            .collect())
    }

    fn open(&self, mapping: &CodeMapping) -> io::Result<File> {
        let own = || {
            let file = openat(&self.directory, "mountinfo", READ, Mode::empty())?;
            Ok(File::from(file))
        };
        if !self.mounts.is_local(mapping.device, own) {
            return Err(io::Error::other(NotLocal));
        }
        self.open_by_range(mapping)
            .or_else(|_| self.open_by_path(mapping))
    }

    fn perf_map(&self) -> io::Result<File> {
        let status = self.status()?;
        let pid = field(&status, "NSpid:").and_then(|pids| pids.split_whitespace().last());
        let uid = field(&status, "Uid:").and_then(|uids| uids.split_whitespace().nth(1));
        let (Some(pid), Some(uid)) = (pid, uid.and_then(|uid| uid.parse::<u32>().ok())) else {
            return Err(io::Error::other("the process's status has no pid or uid"));
        };
        let resolve =
            ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let name = format!("tmp/perf-{pid}.map");
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = reopen(&openat2(self.root()?, name, flags, Mode::empty(), resolve)?)?;
        let owner = file.metadata()?.uid();
        if owner != uid && owner != 0 {
            return Err(io::Error::other("the perf map belongs to another user"));
        }
        Ok(file)
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

impl CodeMapping {
    /// When it is executable.
    fn of(mapping: &Mapping<'_>) -> Option<Self> {
        let name = match mapping.path() {
            Some(path) => path,
            None => mapping.name.into(),
        };
        mapping.permissions.execute.then(|| Self {
            start: mapping.start,
            end: mapping.end,
            offset: mapping.offset,
            device: mapping.device,
            inode: mapping.inode,
            path: clipped(&String::from_utf8_lossy(&name), PATH_MAX).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_taken_from_maps() {
        let text = b"1000-2000 r-xp 00001000 fe:01 1234     /usr/bin/a b (deleted)\n\
            2000-3000 rw-p 00000000 00:00 0 \n\
            3000-4000 rwxp 00000000 00:00 0 \n";
        let parsed = maps::parse(text);
        let code: Vec<_> = parsed.entries.iter().filter_map(CodeMapping::of).collect();
        assert_eq!(code.len(), 2);
        assert_eq!((code[0].offset, code[0].inode), (0x1000, 1234));
        assert_eq!(
            (code[0].device, code[0].path.as_str()),
            ((0xfe, 1), "/usr/bin/a b")
        );
        assert_eq!((code[1].start, code[1].inode), (0x3000, 0));
    }

    #[test]
    fn a_name_that_is_no_text_does_not_hide_the_status() {
        let named = std::thread::spawn(|| {
            rustix::thread::set_name(c"caf\xc3").expect("a short name");
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = open("/proc/thread-self", flags, Mode::empty())?;
            let mounts = Mounts::default();
            ProcessDirectory { directory, mounts }.status()
        });
        let status = named.join().expect("no panic").expect("own status");
        assert!(status.starts_with("Name:\tcaf\u{fffd}\n"));
        assert!(field(&status, "Uid:").is_some());
    }

    #[test]
    fn own_code_can_be_opened() {
        let view = ProcFs.view(std::process::id()).expect("own process");
        let code = view.code(1_000).expect("own mappings");
        let own = code
            .iter()
            .find(|mapping| mapping.inode != 0)
            .expect("a file");
        let file = view.open(own).expect("own executable");
        assert_eq!(file.metadata().expect("metadata").ino(), own.inode);
        assert_eq!(view.code(1).expect("own mappings").len(), 1);
    }
}
