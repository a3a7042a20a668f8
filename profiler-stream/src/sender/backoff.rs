//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential, with jitter, so that agents that lost a collector together don't come back
/// together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            next: first,
        }
    }

    /// Something has come of the attempt.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// What the collector says will not change soon.
    pub(super) fn slow_down(&mut self) {
        self.next = self.most;
    }

    /// Half of what it would be without jitter, at least.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(self.most);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_begin_anew() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second / 2, second * 60);
        for nominal in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            let wait = backoff.wait().as_secs_f64();
            assert!(
                (nominal / 2.0..=nominal).contains(&wait),
                "{wait} {nominal}"
            );
        }
        backoff.reset();
        assert!(backoff.wait() <= second / 2);
        backoff.slow_down();
        assert!(backoff.wait() >= second * 30);
    }
}
