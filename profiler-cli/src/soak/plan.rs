//! How long, how often, and in which windows.

use std::time::Duration;

use crate::{
    args::{Rate, SoakArgs},
    failure::Failure,
};

/// Windows that a soak is cut into.
const WINDOWS: u32 = 240;
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
const LONGEST_WINDOW: Duration = Duration::from_secs(60);
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
    pub(crate) interval: Duration,
    /// The shortest window of a series; longer where readings come more rarely.
    pub(crate) window: Duration,
    pub(crate) max_growth: Option<Rate>,
}

impl Plan {
    /// From the command line; fails where readings would be too rare for the windows.
    pub(crate) fn new(args: &SoakArgs) -> Result<Self, Failure> {
        let window = (args.duration / WINDOWS).clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
        let interval = args.interval.unwrap_or((window / 2).min(LONGEST_INTERVAL));
        if interval > window / 2 {
            return Err(Failure::with_hint(
                format!(
                    "--interval {interval:?} is too long for a soak of {:?}",
                    args.duration
                ),
                format!(
                    "at most {:?}: a window is {window:?} and needs two readings",
                    window / 2
                ),
            ));
        }
        Ok(Self {
            duration: args.duration,
            warmup: args.duration.mul_f64(args.warmup),
            interval,
            window,
            max_growth: args.max_growth,
        })
    }

    /// Nothing is certain before that.
    pub(crate) fn earliest_end(&self) -> Duration {
        self.duration / 4
    }

    /// Time between two lines of progress where there is no terminal.
    pub(crate) fn progress(&self) -> Duration {
        (self.duration / 20).clamp(Duration::from_secs(1), Duration::from_secs(300))
    }
}
