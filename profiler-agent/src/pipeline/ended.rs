//! Processes that have just ended: their sockets are closed after them, and their threads' last
//! words may come late.

use std::collections::{HashMap, VecDeque};

use super::SECOND;
use crate::ids::{BootTime, ProcessHandle};

/// Processes that are remembered at the most.
const MOST: usize = 4_096;
/// For so long.
const FOR: u64 = 10 * SECOND;

/// By pid, the life that ended last.
#[derive(Debug, Default)]
pub(super) struct RecentlyEnded {
    lives: HashMap<u32, ProcessHandle>,
    order: VecDeque<(BootTime, u32, ProcessHandle)>,
}

impl RecentlyEnded {
    pub(super) fn add(&mut self, pid: u32, process: ProcessHandle, now: BootTime) {
        self.lives.insert(pid, process);
        self.order.push_back((now, pid, process));
        while let Some(&(ended, pid, process)) = self.order.front()
            && (now.0 > ended.0 + FOR || self.order.len() > MOST)
        {
            self.order.pop_front();
            if self.lives.get(&pid) == Some(&process) {
                self.lives.remove(&pid);
            }
        }
    }

    /// The process that had this pid until just now.
    pub(super) fn get(&self, pid: u32) -> Option<ProcessHandle> {
        self.lives.get(&pid).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_life_of_a_pid_is_remembered_for_a_while() {
        let mut ended = RecentlyEnded::default();
        ended.add(7, ProcessHandle(1), BootTime(0));
        ended.add(7, ProcessHandle(2), BootTime(SECOND));
        assert_eq!(ended.get(7), Some(ProcessHandle(2)));
        ended.add(8, ProcessHandle(3), BootTime(10 * SECOND + 1));
        assert_eq!(ended.get(7), Some(ProcessHandle(2)));
        ended.add(9, ProcessHandle(4), BootTime(12 * SECOND));
        assert_eq!((ended.get(7), ended.get(8)), (None, Some(ProcessHandle(3))));
    }
}
