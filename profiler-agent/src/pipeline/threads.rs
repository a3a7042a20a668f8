//! Names of threads, for runtimes whose helper threads are told by them.

use std::{collections::HashMap, fs};

use crate::ids::ProcessHandle;

/// Threads whose names are remembered; beyond, all are read again.
const MOST: usize = 8_192;

/// Names of threads, read once for each life of a process.
#[derive(Debug, Default)]
pub(super) struct ThreadNames(HashMap<(ProcessHandle, u32), Option<String>>);

impl ThreadNames {
    /// The name of a thread; none if it is gone.
    pub(super) fn of(&mut self, process: ProcessHandle, pid: u32, tid: u32) -> Option<String> {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let name = self.0.entry((process, tid)).or_insert_with(|| {
            let name = fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
            Some(name.trim_end().to_owned())
        });
        name.clone()
    }
}
