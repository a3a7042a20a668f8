//! Rules that others use, on the same readings.

mod coroot;
mod kendall;
mod line;
mod predict_linear;

use std::collections::VecDeque;

pub(crate) use coroot::ABOUT as COROOT;
pub(crate) use kendall::ABOUT as MANN_KENDALL;
pub(crate) use predict_linear::ABOUT as PREDICT_LINEAR;

use crate::traffic::HOUR;

/// Readings as a monitoring system keeps them: each 30 s for the last hour, and means of a minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Seconds and bytes, over restarts.
    recent: VecDeque<(f64, f64)>,
    /// Readings of the last hour that belong to this life.
    of_life: usize,
    means: Vec<(f64, f64)>,
    sum: f64,
    count: u32,
    limit: Option<f64>,
}

const SCRAPE: f64 = 30.0;
const MINUTE: f64 = 60.0;

impl History {
    pub(crate) fn push(&mut self, clock: f64, bytes: f64, limit: Option<f64>) {
        self.limit = limit;
        let due = |last: Option<f64>, every: f64| last.is_none_or(|last| clock - last >= every);
        if due(self.recent.back().map(|(time, _)| *time), SCRAPE) {
            self.recent.push_back((clock, bytes));
            self.of_life += 1;
            while self
                .recent
                .front()
                .is_some_and(|(time, _)| clock - time > HOUR)
            {
                self.recent.pop_front();
            }
            self.of_life = self.of_life.min(self.recent.len());
        }
        self.sum += bytes;
        self.count += 1;
        if due(self.means.last().map(|(time, _)| *time), MINUTE) {
            self.means.push((clock, self.sum / f64::from(self.count)));
            (self.sum, self.count) = (0.0, 0);
        }
    }

    /// A new container has a new name, and with it a new time series.
    pub(crate) fn restarted(&mut self) {
        self.of_life = 0;
        self.means.clear();
        (self.sum, self.count) = (0.0, 0);
    }

    fn last_hour_of_life(&self) -> Vec<(f64, f64)> {
        let skipped = self.recent.len() - self.of_life;
        self.recent.iter().skip(skipped).copied().collect()
    }

    pub(crate) fn say(&self) -> Said {
        Said {
            predict_linear: predict_linear::fires(&self.last_hour_of_life(), self.limit),
            forecast: predict_linear::forecast(&self.last_hour_of_life(), self.limit),
            mann_kendall: kendall::fires(&self.means),
            coroot: coroot::fires(&self.recent, self.limit),
        }
    }
}

/// What each of them says of a series.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    pub(crate) predict_linear: bool,
    /// Of `predict_linear`: seconds to the limit.
    pub(crate) forecast: Option<f64>,
    pub(crate) mann_kendall: bool,
    pub(crate) coroot: bool,
}
