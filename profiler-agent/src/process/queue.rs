//! Processes that wait for `/proc` to be read, by when.

use std::collections::BTreeMap;

use crate::ids::BootTime;

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) due: BootTime,
    number: u64,
}

/// Each process holds one ticket at the most, so the table's bound is the queue's.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Ticket, u32>,
    next: u64,
}

impl Queue {
    pub(super) fn add(&mut self, due: BootTime, pid: u32) -> Ticket {
        let ticket = Ticket {
            due,
            number: self.next,
        };
        self.next += 1;
        self.waiting.insert(ticket, pid);
        ticket
    }

    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// The first that is due.
    pub(super) fn pop(&mut self, now: BootTime) -> Option<u32> {
        let entry = self.waiting.first_entry()?;
        (entry.key().due <= now).then(|| entry.remove())
    }

    pub(super) fn next_due(&self) -> Option<BootTime> {
        self.waiting.first_key_value().map(|(ticket, _)| ticket.due)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
