//! What a guest says on its serial line.

use crate::test::{report::Outcome, stream::Reader};

/// Leads the line that says which kernel runs; what the program prints follows.
pub(crate) const BEGIN: &str = "guest: running on ";

/// Leads the line with the program's exit status.
pub(crate) const END: &str = "guest: exit status ";

/// Reads the serial line.
#[derive(Default)]
pub(crate) struct Log {
    release: Option<String>,
    status: Option<i32>,
    panic: Option<String>,
    tests: Reader,
}

impl Log {
    /// Takes one line.
    pub(crate) fn line(&mut self, line: &str) {
        // The firmware and the kernel may leave control characters before the text.
        let line = line.trim_end();
        if let Some((_, release)) = line.split_once(BEGIN) {
            self.release = Some(release.to_owned());
        } else if let Some((_, status)) = line.split_once(END) {
            self.status = status.parse().ok();
        } else if line.contains("Kernel panic") {
            self.panic = Some(line.to_owned());
        } else if self.release.is_some() && self.status.is_none() {
            self.tests.line(line);
        }
    }

    /// Whether the program runs or has run.
    pub(crate) fn has_begun(&self) -> bool {
        self.release.is_some()
    }

    /// Whether the program has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.status.is_some()
    }

    /// What the guest came to; `timed_out` when it had to be stopped.
    pub(crate) fn outcome(self, timed_out: bool) -> Outcome {
        let mut outcome = self.tests.outcome();
        let trouble = match (self.release, self.panic, self.status) {
            (None, None, _) => Some("the guest did not boot".to_owned()),
            (_, Some(panic), _) => Some(panic),
            (_, None, None) if timed_out => Some("the program did not end in time".to_owned()),
            (_, None, None) => Some("the guest ended before the program did".to_owned()),
            (_, None, Some(0)) => None,
            (_, None, Some(status)) if outcome.failed.is_empty() => {
                Some(format!("the program ended with exit status {status}"))
            }
            (_, None, Some(_)) => None,
        };
        if let Some(trouble) = trouble {
            outcome.failed.push(trouble);
        } else if outcome == Outcome::default() {
            // A program that is no test harness: that it ran is what was asked.
            outcome.passed = 1;
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str, timed_out: bool) -> Outcome {
        let mut log = Log::default();
        text.lines().for_each(|line| log.line(line));
        log.outcome(timed_out)
    }

    #[test]
    fn tests_are_read_between_the_marks() {
        let text = "\x1b[2Jguest: running on 6.1.0\r\ntest a ... ok\r\ntest b ... FAILED\r\n\
                    test result: FAILED. 1 passed; 1 failed; 0 ignored\r\nguest: exit status 101\r\n";
        let outcome = outcome(text, false);
        assert_eq!(outcome.passed, 1);
        assert_eq!(outcome.failed, ["b"]);
    }

    #[test]
    fn a_guest_that_fails_says_how() {
        assert_eq!(outcome("", true).failed, ["the guest did not boot"]);
        assert_eq!(
            outcome("guest: running on 6.1\n", true).failed,
            ["the program did not end in time"]
        );
        assert_eq!(
            outcome("guest: running on 6.1\nguest: exit status 3\n", false).failed,
            ["the program ended with exit status 3"]
        );
        let panic = "guest: running on 6.1\n[ 1.0] Kernel panic - not syncing: oops\n";
        assert_eq!(
            outcome(panic, false).failed,
            ["[ 1.0] Kernel panic - not syncing: oops"]
        );
    }

    #[test]
    fn a_program_that_is_no_harness_passes_by_its_status() {
        let outcome = outcome(
            "guest: running on 6.1\nhello\nguest: exit status 0\n",
            false,
        );
        assert_eq!((outcome.passed, outcome.failed.len()), (1, 0));
    }
}
