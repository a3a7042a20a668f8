//! Batches that were sent and that the collector has not answered for.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::spool::RunId;

/// A batch on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) run: RunId,
    pub(super) sequence: u64,
    pub(super) at: Instant,
}

/// In the order in which they were sent.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    sent: VecDeque<Sent>,
    /// When the collector answered last.
    answered: Instant,
}

/// The collector says that a batch is durable which was not sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NeverSent;

impl Window {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            sent: VecDeque::with_capacity(size),
            answered: Instant::now(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.sent.len() < self.size
    }

    pub(super) fn push(&mut self, run: RunId, sequence: u64) {
        let at = Instant::now();
        self.sent.push_back(Sent { run, sequence, at });
    }

    /// The batches of `run` up to `sequence` are durable. Returns how many of those were not known
    /// to be so; none, if it is said again.
    pub(super) fn ack(&mut self, run: RunId, sequence: u64) -> Result<u64, NeverSent> {
        let of_run = self.sent.iter().rev().find(|sent| sent.run == run);
        if of_run.is_some_and(|newest| newest.sequence < sequence) {
            return Err(NeverSent);
        }
        let before = self.sent.len();
        self.sent
            .retain(|sent| sent.run != run || sent.sequence > sequence);
        self.answered = Instant::now();
        Ok((before - self.sent.len()) as u64)
    }

    /// One batch is not wanted. Returns whether it is on its way.
    pub(super) fn refuse(&mut self, run: RunId, sequence: u64) -> bool {
        let mut sent = self.sent.iter();
        let place = sent.position(|sent| sent.run == run && sent.sequence == sequence);
        self.answered = Instant::now();
        place.and_then(|place| self.sent.remove(place)).is_some()
    }

    /// When the collector has to have answered; none if nothing is on its way.
    pub(super) fn answer_due(&self, patience: Duration) -> Option<Instant> {
        let first = self.sent.front()?;
        Some(first.at.max(self.answered) + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: RunId = [1; 16];
    const B: RunId = [2; 16];

    fn window(sent: &[(RunId, u64)]) -> Window {
        let mut window = Window::new(sent.len());
        for (run, sequence) in sent {
            window.push(*run, *sequence);
        }
        window
    }

    #[test]
    fn an_ack_is_for_all_before_it_in_its_run() {
        let mut window = window(&[(A, 8), (A, 9), (B, 1), (B, 2)]);
        assert!(!window.has_room());
        assert_eq!(window.ack(B, 1), Ok(1));
        assert_eq!(window.ack(A, 9), Ok(2));
        assert_eq!(window.ack(B, 2), Ok(1));
        assert_eq!(window.answer_due(Duration::ZERO), None);
    }

    #[test]
    fn a_refusal_is_for_one() {
        let mut window = window(&[(A, 1), (A, 2), (A, 3)]);
        assert!(window.refuse(A, 2));
        assert!(!window.refuse(A, 2));
        assert!(!window.refuse(B, 1));
        assert_eq!(window.ack(A, 3), Ok(2));
    }

    #[test]
    fn what_is_said_twice_is_for_none() {
        let mut window = window(&[(A, 1), (A, 2)]);
        assert_eq!(window.ack(A, 1), Ok(1));
        assert_eq!(window.ack(A, 1), Ok(0));
        assert_eq!(window.ack(B, 9), Ok(0));
    }

    #[test]
    fn what_was_not_sent_cannot_be_durable() {
        let mut window = window(&[(A, 1), (A, 2)]);
        assert_eq!(window.ack(A, 3), Err(NeverSent));
        assert_eq!(window.ack(A, 2), Ok(2));
    }
}
