//! Which file systems answer without asking anyone: a read from a network or FUSE file system
//! whose server hangs never comes back, and the pipeline's thread has no time for that.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, major, memfd_create, minor};

use super::locked;

/// Major and minor number.
type Device = (u32, u32);

/// Kernel text, but a process decides how much of it there is.
const TEXT_MAX: u64 = 4 << 20;
const DEVICES_MAX: usize = 4_096;
/// How long a table is used before it is read again.
const FRESH: Duration = Duration::from_secs(1);
/// The agent's own mounts and the host's: what lies under an overlay is mounted there alone.
const COMMON: [&str; 2] = ["/proc/self/mountinfo", "/proc/1/mountinfo"];
const REMOTE: [&[u8]; 9] = [
    b"nfs",
    b"cifs",
    b"smb",
    b"ceph",
    b"9p",
    b"fuse",
    b"afs",
    b"virtiofs",
    b"lustre",
];

/// Why a file was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotLocal;

impl fmt::Display for NotLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("files on network or FUSE file systems are not opened")
    }
}

impl std::error::Error for NotLocal {}

impl NotLocal {
    /// It is what this error says.
    pub(crate) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

/// Whether the file system of each device is local.
#[derive(Debug, Default)]
struct Table(HashMap<Device, bool>);

impl Table {
    /// The text of `/proc/PID/mountinfo`.
    fn parse(text: &[u8]) -> Self {
        let mut table = HashMap::new();
        for line in text.split(|&byte| byte == b'\n') {
            let Some((device, kind)) = mount(line) else {
                continue;
            };
            if table.len() >= DEVICES_MAX && !table.contains_key(&device) {
                continue;
            }
            let local = !REMOTE.iter().any(|remote| kind.starts_with(remote));
            *table.entry(device).or_insert(true) &= local;
        }
        Self(table)
    }
}

/// Device and kind of file system. Blanks in names are escaped, so that fields are what they seem.
fn mount(line: &[u8]) -> Option<(Device, &[u8])> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(((major.parse().ok()?, minor.parse().ok()?), kind))
}

/// A table that is read again now and then.
#[derive(Debug, Default)]
pub(crate) struct Mounts(Mutex<Option<(Instant, Table)>>);

impl Mounts {
    fn find(&self, device: Device, open: impl FnOnce() -> io::Result<File>) -> Option<bool> {
        let mut kept = locked(&self.0);
        let fresh = |(read, _): &(Instant, Table)| read.elapsed() < FRESH;
        if !kept.as_ref().is_some_and(fresh) {
            let mut text = Vec::new();
            let read = open().and_then(|file| file.take(TEXT_MAX).read_to_end(&mut text));
            // What could not be read whole says nothing of the rest.
            let table = read.map_or_else(|_| Table::default(), |_| Table::parse(&text));
            *kept = Some((Instant::now(), table));
        }
        kept.as_ref()?.1.0.get(&device).copied()
    }

    /// The file system of a device needs no server. Of a device that is mounted nowhere it is
    /// believed of disks alone. `open` gives the `mountinfo` of the process in question.
    pub(crate) fn is_local(&self, device: Device, open: impl FnOnce() -> io::Result<File>) -> bool {
        static OTHERS: [Mounts; 2] = [Mounts(Mutex::new(None)), Mounts(Mutex::new(None))];
        let mut found = self.find(device, open);
        for (mounts, path) in OTHERS.iter().zip(COMMON) {
            found = found.or_else(|| mounts.find(device, || File::open(path)));
        }
        found.unwrap_or_else(|| device.0 != 0 || Some(device) == memory())
    }
}

/// The device of memory files, which is never mounted.
fn memory() -> Option<Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    *DEVICE.get_or_init(|| {
        let file = File::from(memfd_create("device", MemfdFlags::CLOEXEC).ok()?);
        let device = file.metadata().ok()?.dev();
        Some((major(device), minor(device)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n\
        23 22 0:50 / /srv/a\\040- rw - nfs4 server:/x\\040- rw,vers=4.2\n\
        24 22 0:51 / /mnt rw,nosuid - fuse.sshfs me@there: rw\n\
        25 22 8:17 / /ntfs rw - fuseblk /dev/sdb1 rw\n\
        26 22 0:52 / /tmp rw - tmpfs fuse rw\n\
        27 22 0:53 / /a rw - tmpfs none rw\n\
        28 22 0:53 / /b rw - cifs //x rw\n\
        garbage\n29 22 x:1 / / - ext4\n30 22 0:54 / /cut rw";

    #[test]
    fn network_and_fuse_file_systems_are_told_by_device() {
        let table = Table::parse(TEXT).0;
        let of = |major, minor| table.get(&(major, minor)).copied();
        assert_eq!(of(254, 0), Some(true));
        assert_eq!(
            (of(0, 50), of(0, 51), of(8, 17)),
            (Some(false), Some(false), Some(false))
        );
        assert_eq!(of(0, 52), Some(true), "the source is no kind");
        assert_eq!(of(0, 53), Some(false), "one remote mount is enough");
        assert_eq!((of(0, 54), table.len()), (None, 6));
    }

    #[test]
    fn a_device_that_is_mounted_nowhere_is_a_disk_or_memory() {
        let mounts = Mounts::default();
        let none = || Err(io::Error::other("none"));
        assert!(mounts.is_local((4_000, 1), none));
        assert!(!mounts.is_local((0, 1 << 19), none));
        assert!(mounts.is_local(memory().expect("memory files"), none));
        assert!(NotLocal::is(&io::Error::other(NotLocal)));
        assert!(!NotLocal::is(&io::Error::other("another")));
    }

    #[test]
    fn the_table_has_an_end() {
        let text: String = (0..DEVICES_MAX + 10)
            .map(|minor| format!("1 1 0:{minor} / / rw - tmpfs none rw\n"))
            .collect();
        assert_eq!(Table::parse(text.as_bytes()).0.len(), DEVICES_MAX);
    }
}
