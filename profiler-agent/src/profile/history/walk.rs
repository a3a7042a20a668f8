//! Processes at many kept moments, one after the other.

use std::{collections::HashMap, sync::Arc};

use super::{
    History, Snapshot, Step,
    codec::{self, Entry},
    recall::{keyed, process_at},
};
use crate::{
    ids::{BootTime, ProcessHandle},
    profile::TargetInfo,
};

/// What is needed to put the processes of several kept snapshots together, taken from the history
/// in no time. Each difference is applied once, however many moments are wanted.
#[derive(Debug)]
pub struct Walk {
    keys: Arc<Vec<Option<ProcessHandle>>>,
    start: Arc<Vec<Entry<10>>>,
    /// The oldest kept moment and those after it, with the difference to each.
    steps: Vec<WalkStep>,
    infos: Arc<HashMap<ProcessHandle, Arc<TargetInfo>>>,
}

#[derive(Debug)]
struct WalkStep {
    time: BootTime,
    difference: Option<Arc<[u8]>>,
    wanted: bool,
}

impl History {
    /// Of each of `parts` equal parts of the time between two moments, both inclusive, the last
    /// kept snapshot. Without parts none.
    pub fn walk(&self, from: BootTime, to: BootTime, parts: u32) -> Walk {
        let from = from.max(self.oldest.unwrap_or_default());
        let before = |step: &&Step| step.time <= to;
        let steps = self.steps.iter().take_while(before).map(|step| WalkStep {
            time: step.time,
            difference: Some(Arc::clone(&step.processes)),
            wanted: false,
        });
        let oldest = self.oldest.filter(|time| *time <= to);
        let oldest = oldest.map(|time| WalkStep {
            time,
            difference: None,
            wanted: false,
        });
        let mut steps: Vec<WalkStep> = oldest.into_iter().chain(steps).collect();
        let length = u128::from(to.0.saturating_sub(from.0)) + 1;
        let part = |time: BootTime| {
            let after = time.0.checked_sub(from.0)?;
            Some(u128::from(after) * u128::from(parts) / length)
        };
        for place in 0..steps.len() {
            let next = steps.get(place + 1).and_then(|step| part(step.time));
            let own = part(steps[place].time);
            steps[place].wanted = parts > 0 && own.is_some() && own != next;
        }
        Walk {
            keys: self.processes.keys(),
            start: self.processes.oldest(),
            steps,
            infos: Arc::clone(&self.infos),
        }
    }
}

impl Walk {
    /// Does the work: snapshots without rows, oldest first. A process that ended since then is live
    /// in them.
    pub fn snapshots(&self) -> impl Iterator<Item = Snapshot> {
        let mut column = Vec::clone(&self.start);
        self.steps.iter().filter_map(move |step| {
            if let Some(difference) = &step.difference {
                codec::forward(&mut column, difference);
            }
            step.wanted.then(|| self.snapshot(step.time, &column))
        })
    }

    fn snapshot(&self, time: BootTime, column: &[Entry<10>]) -> Snapshot {
        let entries = keyed(column, &self.keys);
        Snapshot {
            time,
            rows: Vec::new(),
            processes: entries
                .filter_map(|(handle, entry)| process_at(time, &self.infos, handle, entry))
                .collect(),
        }
    }
}
