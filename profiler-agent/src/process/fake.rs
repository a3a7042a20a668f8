//! A `/proc` made of values.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use super::proc_fs::{ProcFile, ProcSource};
use crate::container::CgroupSource;

/// One process in it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) parent: u32,
    pub(super) started_ticks: u64,
    pub(super) kernel_thread: bool,
    pub(super) zombie: bool,
    pub(super) narrow: bool,
    pub(super) cgroup: String,
}

impl Entry {
    pub(super) fn new(name: &'static str, started_ticks: u64) -> Self {
        Self {
            name,
            parent: 1,
            started_ticks,
            kernel_thread: false,
            zombie: false,
            narrow: false,
            cgroup: "/system.slice/test.service".to_owned(),
        }
    }
}

/// Shared, so that a test can change what the table's own handle sees.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeProc {
    pub(super) entries: Rc<RefCell<BTreeMap<u32, Entry>>>,
    pub(super) inodes: Rc<RefCell<BTreeMap<String, u64>>>,
    /// Calls of `read` for `stat`.
    pub(super) reads: Rc<Cell<u32>>,
    /// Ends this process between two reads.
    pub(super) ends_while_read: Rc<Cell<u32>>,
}

impl FakeProc {
    pub(super) fn put(&self, pid: u32, entry: Entry) {
        self.entries.borrow_mut().insert(pid, entry);
    }

    pub(super) fn remove(&self, pid: u32) {
        self.entries.borrow_mut().remove(&pid);
    }

    pub(super) fn change(&self, pid: u32, change: impl FnOnce(&mut Entry)) {
        change(self.entries.borrow_mut().get_mut(&pid).unwrap());
    }

    fn entry(&self, pid: u32) -> io::Result<Entry> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        self.entries.borrow().get(&pid).cloned().ok_or_else(gone)
    }
}

fn auxv(narrow: bool) -> Vec<u8> {
    let pairs: [[u64; 2]; 2] = [[6, 4096], [4, if narrow { 32 } else { 56 }]];
    let word = if narrow { 4 } else { 8 };
    pairs
        .iter()
        .flatten()
        .flat_map(|value| value.to_le_bytes()[..word].to_vec())
        .collect()
}

impl CgroupSource for FakeProc {
    fn cgroup_file(&self, pid: u32) -> io::Result<Vec<u8>> {
        self.read(pid, ProcFile::Cgroup)
    }

    fn cgroup_inode(&self, path: &str) -> io::Result<u64> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        self.inodes.borrow().get(path).copied().ok_or_else(gone)
    }
}

impl ProcSource for FakeProc {
    fn pids(&self) -> io::Result<Vec<u32>> {
        Ok(self.entries.borrow().keys().copied().collect())
    }

    fn read(&self, pid: u32, file: ProcFile) -> io::Result<Vec<u8>> {
        let entry = self.entry(pid)?;
        Ok(match file {
            ProcFile::Stat => {
                self.reads.set(self.reads.get() + 1);
                let state = if entry.zombie { 'Z' } else { 'S' };
                let flags = if entry.kernel_thread {
                    0x20_8040
                } else {
                    0x40_0100
                };
                format!(
                    "{pid} ({}) {state} {} 1 1 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 1 0 {} 1000 10\n",
                    entry.name, entry.parent, entry.started_ticks
                )
                .into_bytes()
            }
            ProcFile::Status => format!(
                "Name:\t{}\nUid:\t33\t0\t0\t0\nNSpid:\t{pid}\t7\n",
                entry.name
            )
            .into_bytes(),
            ProcFile::Auxv => auxv(entry.narrow),
            ProcFile::Cgroup => format!("0::{}\n", entry.cgroup).into_bytes(),
        })
    }

    fn executable(&self, pid: u32) -> io::Result<Vec<u8>> {
        let path = format!("/usr/bin/{} (deleted)", self.entry(pid)?.name);
        if self.ends_while_read.get() == pid {
            self.remove(pid);
        }
        Ok(path.into_bytes())
    }

    fn ticks_per_second(&self) -> u64 {
        100
    }
}
