//! Captures that were taken from their ring and wait for the event that names them.

use std::collections::HashMap;

use crate::ids::{BootTime, StackId};

/// Most captures that wait. An event follows its capture within microseconds.
const WAITING_MAX: usize = 65_536;
/// A capture whose event has not come by then never will: the event was lost.
const PATIENCE: u64 = 2_000_000_000;

/// By thread and number.
#[derive(Debug, Default)]
pub struct Waiting {
    captures: HashMap<(u32, u32), (Option<StackId>, BootTime)>,
    orphans: u64,
}

impl Waiting {
    /// Keeps a capture. `None`: its stack could not be interned.
    pub fn add(&mut self, thread: u32, number: u32, stack: Option<StackId>, time: BootTime) {
        if self.captures.len() >= WAITING_MAX {
            self.orphans += 1;
            return;
        }
        let former = self.captures.insert((thread, number), (stack, time));
        self.orphans += u64::from(former.is_some());
    }

    /// Takes the capture that an event names.
    pub fn take(&mut self, thread: u32, number: u32) -> Option<Option<StackId>> {
        self.captures
            .remove(&(thread, number))
            .map(|(stack, _)| stack)
    }

    /// Stacks that wait, so that they are not forgotten meanwhile.
    pub fn stacks(&self) -> impl Iterator<Item = StackId> {
        self.captures.values().filter_map(|(stack, _)| *stack)
    }

    /// Drops those whose event was lost.
    pub fn expire(&mut self, now: BootTime) {
        let before = self.captures.len();
        self.captures
            .retain(|_, (_, time)| time.0.saturating_add(PATIENCE) > now.0);
        self.orphans += (before - self.captures.len()) as u64;
    }

    /// Captures whose event never came.
    pub fn orphans(&self) -> u64 {
        self.orphans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_its_own_capture_once() {
        let mut waiting = Waiting::default();
        waiting.add(7, 1, Some(StackId(3)), BootTime(10));
        waiting.add(8, 1, None, BootTime(10));
        assert_eq!(waiting.take(7, 1), Some(Some(StackId(3))));
        assert_eq!(waiting.take(7, 1), None);
        assert_eq!(waiting.take(8, 1), Some(None));
    }

    #[test]
    fn orphans_are_counted() {
        let mut waiting = Waiting::default();
        waiting.add(7, 1, None, BootTime(0));
        waiting.add(7, 2, None, BootTime(PATIENCE));
        waiting.expire(BootTime(PATIENCE + 1));
        assert_eq!(waiting.orphans(), 1);
        assert_eq!(waiting.take(7, 2), Some(None));
    }
}
