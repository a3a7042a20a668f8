//! Lines of the log that agents cause: however many agents there are, and whatever they send, the
//! log stays small.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// From one line of a kind to the next.
const EVERY: Duration = Duration::from_secs(10);

/// One kind of line.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

/// The kinds.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) connected: Quiet,
    pub(super) refused: Quiet,
    pub(super) not_written: Quiet,
}

impl Quiet {
    /// How many were left out before this line; `None` if it is to be left out as well.
    pub(super) fn due(&self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    fn due_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now < last + EVERY) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_left_out_are_counted() {
        let quiet = Quiet::default();
        let begin = Instant::now();
        assert_eq!(quiet.due_at(begin), Some(0));
        assert_eq!(quiet.due_at(begin), None);
        assert_eq!(quiet.due_at(begin + EVERY / 2), None);
        assert_eq!(quiet.due_at(begin + EVERY), Some(2));
        assert_eq!(quiet.due_at(begin + EVERY * 2), Some(0));
    }
}
