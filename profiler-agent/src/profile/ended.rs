//! Processes that have ended, put together once there are too many of them to be kept apart: one
//! group for each program name in each container, so that what they demanded stays in the sums.

use std::collections::HashMap;

use crate::ids::{BootTime, ProcessHandle};

use super::TargetInfo;

/// A container's root and the name of a process in it.
type GroupKey = (String, String);

/// Which handles stand for groups. Real handles count upwards from 0, these downwards.
#[derive(Debug, Default)]
pub(super) struct EndedGroups {
    groups: HashMap<GroupKey, Group>,
    made: u32,
}

#[derive(Debug)]
struct Group {
    handle: ProcessHandle,
    /// When the last of them ended.
    last: BootTime,
}

impl EndedGroups {
    /// The group of a process that ended at `time`.
    pub(super) fn of(&mut self, info: &TargetInfo, time: BootTime) -> ProcessHandle {
        let key = (info.container.root.clone(), info.name.clone());
        let group = self.groups.entry(key).or_insert_with(|| {
            self.made += 1;
            Group {
                handle: ProcessHandle(u32::MAX - self.made),
                last: time,
            }
        });
        group.last = group.last.max(time);
        group.handle
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Forgets the group that was not added to for the longest time.
    pub(super) fn forget_oldest(&mut self) -> Option<ProcessHandle> {
        let oldest = self.groups.iter();
        let oldest = oldest.min_by_key(|(_, group)| (group.last, group.handle));
        let key = oldest.map(|(key, _)| key.clone())?;
        self.groups.remove(&key).map(|group| group.handle)
    }
}
