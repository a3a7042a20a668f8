//! A past snapshot, put together again.

use std::{collections::HashMap, sync::Arc};

use super::{
    Snapshot,
    codec::{self, Entry},
    entry::{row_of, totals_of},
};
use crate::{
    ids::{BootTime, ProcessHandle},
    profile::{ProcessEntry, RowKey, TargetInfo},
};

/// One column: where to start, and the differences to apply.
#[derive(Debug)]
pub(super) struct Path<K, const N: usize> {
    pub(super) keys: Arc<Vec<Option<K>>>,
    pub(super) start: Arc<Vec<Entry<N>>>,
    pub(super) differences: Vec<Arc<[u8]>>,
}

impl<K: Copy, const N: usize> Path<K, N> {
    fn entries(&self, backwards: bool) -> Vec<(K, Entry<N>)> {
        let mut column = Vec::clone(&self.start);
        for bytes in &self.differences {
            if backwards {
                codec::backward(&mut column, bytes);
            } else {
                codec::forward(&mut column, bytes);
            }
        }
        keyed(&column, &self.keys).collect()
    }
}

/// The slots that are not empty, with their keys.
pub(super) fn keyed<K: Copy, const N: usize>(
    column: &[Entry<N>],
    keys: &[Option<K>],
) -> impl Iterator<Item = (K, Entry<N>)> {
    let keyed = column.iter().zip(keys);
    keyed
        .filter(|(entry, _)| **entry != [0; N])
        .filter_map(|(entry, key)| Some(((*key)?, *entry)))
}

/// What is needed to put one kept snapshot together, taken from the history in no time, so that
/// the history is free again while the work is done.
#[derive(Debug)]
pub struct Recall {
    pub(super) time: BootTime,
    pub(super) backwards: bool,
    pub(super) rows: Path<RowKey, 7>,
    pub(super) processes: Path<ProcessHandle, 10>,
    pub(super) infos: Arc<HashMap<ProcessHandle, Arc<TargetInfo>>>,
}

impl Recall {
    /// The moment that it will stand for.
    pub fn time(&self) -> BootTime {
        self.time
    }

    /// Does the work. A process that ended since then is live in it.
    pub fn snapshot(&self) -> Snapshot {
        let rows = self.rows.entries(self.backwards);
        let processes = self.processes.entries(self.backwards);
        Snapshot {
            time: self.time,
            rows: rows
                .into_iter()
                .map(|(key, entry)| (key, row_of(entry)))
                .collect(),
            processes: processes
                .into_iter()
                .filter_map(|(handle, entry)| process_at(self.time, &self.infos, handle, entry))
                .collect(),
        }
    }
}

/// The process as it was at `time`.
pub(super) fn process_at(
    time: BootTime,
    infos: &HashMap<ProcessHandle, Arc<TargetInfo>>,
    handle: ProcessHandle,
    entry: Entry<10>,
) -> Option<ProcessEntry> {
    let mut info = Arc::clone(infos.get(&handle)?);
    if !info.is_group() && info.exited.is_some_and(|exited| exited > time) {
        Arc::make_mut(&mut info).exited = None;
    }
    Some(ProcessEntry {
        handle,
        info,
        totals: totals_of(entry),
    })
}
