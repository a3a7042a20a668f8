//! The moments that a question names.

use pbjson_types::Timestamp;
use profiler_query::{
    answer::{Asked, Clocks, display},
    ids::BootTime,
};
use tonic::Status;

use crate::{
    fleet::{boot_time, timestamp},
    store::{Run, WallTime},
};

const SECOND: i64 = 1_000_000_000;

/// As on an agent: a time that was read off an earlier answer, which shows milliseconds, may come
/// out this much (in nanoseconds) before the batch it was read from.
const SLACK: i64 = 250_000_000;

/// The time that a question is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Where it begins, if not with observation.
    pub(super) from: Option<WallTime>,
    /// Where it ends.
    pub(super) at: WallTime,
    pub(super) now: WallTime,
    /// It was not asked for a moment in the past.
    pub(super) is_now: bool,
}

impl Span {
    /// The moments that are asked for, or, on a page that follows another, that were `pinned` then.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`: a moment is outside of what is kept. `INVALID_ARGUMENT`: it is no time.
    pub(super) fn new(
        from: Option<&Asked>,
        at: Option<&Asked>,
        pinned: &[BootTime],
        runs: &[Run],
        now: WallTime,
    ) -> Result<Self, Status> {
        let kept = kept(runs);
        let moment = |asked: Option<&Asked>| match asked {
            Some(Asked {
                field,
                time: Some(wall),
            }) => moment(field, wall, kept, now).map(Some),
            _ => Ok(None),
        };
        let (from, at) = (moment(from)?, moment(at)?);
        let mut span = Self {
            from,
            at: at.unwrap_or(now),
            now,
            is_now: at.is_none(),
        };
        match (pinned, &mut span.from) {
            ([pinned], None) => span.at = wall_time(*pinned),
            ([first, last], Some(from)) => {
                (*from, span.at) = (wall_time(*first), wall_time(*last));
            }
            _ => {}
        }
        Ok(span)
    }

    /// About now.
    pub(super) fn now(now: WallTime) -> Self {
        Self {
            from: None,
            at: now,
            now,
            is_now: true,
        }
    }

    /// Where a time begins that ends with this, which may reach back further than is kept: as on an
    /// agent it begins with what is.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`: it lies in the future. `INVALID_ARGUMENT`: it is no time.
    pub(super) fn begin(
        &self,
        asked: &Asked,
        kept: Option<(WallTime, WallTime)>,
    ) -> Result<WallTime, Status> {
        let first = kept.map_or(self.at, |(first, _)| first);
        let Some(from) = &asked.time else {
            return Ok(first);
        };
        let from = nanoseconds(asked.field, from)?;
        if from > self.now {
            let field = asked.field;
            return Err(Status::out_of_range(format!("{field} lies in the future")));
        }
        Ok(from.max(first))
    }

    /// Where it begins, as snapshots count time.
    pub(super) fn from(&self) -> Option<BootTime> {
        self.from.map(boot_time)
    }

    /// Where it ends.
    pub(super) fn at(&self) -> BootTime {
        boot_time(self.at)
    }

    /// For the next page.
    pub(super) fn pinned(&self) -> Vec<BootTime> {
        let moments = self.from.into_iter().chain([self.at]);
        moments.map(boot_time).collect()
    }

    /// Of an answer.
    pub(super) fn clocks(&self) -> Clocks {
        Clocks::wall(boot_time(self.now))
    }
}

/// The first and the last moment that something is kept of.
pub(super) fn kept(runs: &[Run]) -> Option<(WallTime, WallTime)> {
    let first = runs.iter().map(|run| run.first).min()?;
    let last = runs.iter().map(|run| run.last).max()?;
    Some((first, last))
}

fn moment(
    field: &str,
    wall: &Timestamp,
    kept: Option<(WallTime, WallTime)>,
    now: WallTime,
) -> Result<WallTime, Status> {
    let asked = nanoseconds(field, wall)?;
    let slack = WallTime(asked.0.saturating_add(SLACK));
    let asked = display(wall);
    match kept {
        None => Err(Status::out_of_range(format!(
            "{field}: {asked} can't be answered: nothing was heard of any node yet. Ask again in a \
             few seconds, or leave the time out to ask about now"
        ))),
        Some((first, last)) if slack < first || slack.0 > now.0.saturating_add(2 * SLACK) => {
            Err(Status::out_of_range(format!(
                "{field}: {asked} is outside of what is kept, which is from {} to {}",
                display(&timestamp(first)),
                display(&timestamp(last)),
            )))
        }
        // Of the last moments too, none lies after now.
        Some(_) => Ok(slack.min(now)),
    }
}

/// A time of a question.
pub(super) fn nanoseconds(field: &str, wall: &Timestamp) -> Result<WallTime, Status> {
    if !(0..1_000_000_000).contains(&wall.nanos) {
        return Err(Status::invalid_argument(format!(
            "{field}: {} nanoseconds are not within a second",
            wall.nanos
        )));
    }
    let seconds = wall.seconds.saturating_mul(SECOND);
    Ok(WallTime(seconds.saturating_add(wall.nanos.into())))
}

fn wall_time(time: BootTime) -> WallTime {
    WallTime(i64::try_from(time.0).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_since_a_moment_ago_is_no_mistake() {
        let now = WallTime(100 * SECOND);
        let kept = Some((WallTime(0), now));
        let asked = timestamp(WallTime(now.0 - SLACK / 2));
        assert_eq!(moment("since", &asked, kept, now).ok(), Some(now));
        let asked = timestamp(WallTime(now.0 - SECOND));
        let with_slack = WallTime(now.0 - SECOND + SLACK);
        assert_eq!(moment("since", &asked, kept, now).ok(), Some(with_slack));
    }
}
