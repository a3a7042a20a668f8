//! The moments that a question names, found in the history.

use std::sync::{Mutex, PoisonError};

use pbjson_types::Timestamp;
use profiler_query::answer::{Asked, Clocks, display};
use tonic::Status;

use crate::{
    ids::BootTime,
    profile::{History, OutOfRange, Recall},
};

/// The wall clock is slewed while the agent runs: a time that was read off an earlier answer may
/// come out this much (in nanoseconds) before the snapshot it was read from.
const SLACK: u64 = 250_000_000;

/// The kept snapshot at the moment that is asked for or the nearest before; none if none is asked
/// for.
pub(super) fn recall(
    history: &Mutex<History>,
    asked: &Asked,
    clocks: Clocks,
) -> Result<Option<Recall>, Status> {
    let wall = asked.time.as_ref();
    wall.map(|wall| recall_at(history, asked.field, wall, clocks))
        .transpose()
}

fn recall_at(
    history: &Mutex<History>,
    field: &str,
    wall: &Timestamp,
    clocks: Clocks,
) -> Result<Recall, Status> {
    if !(0..1_000_000_000).contains(&wall.nanos) {
        return Err(Status::invalid_argument(format!(
            "{field}: {} nanoseconds are not within a second",
            wall.nanos
        )));
    }
    let slack = BootTime(clocks.to_boot(wall).0.saturating_add(SLACK));
    let in_future = slack.0 > clocks.now.0.saturating_add(2 * SLACK);
    let history = history.lock().unwrap_or_else(PoisonError::into_inner);
    let found = match in_future {
        true => Err(OutOfRange {
            kept: history.status().oldest.zip(history.status().newest),
        }),
        false => history.at(slack),
    };
    found.map_err(|error| out_of_range(field, wall, error, clocks))
}

fn out_of_range(field: &str, wall: &Timestamp, error: OutOfRange, clocks: Clocks) -> Status {
    let asked = display(wall);
    Status::out_of_range(match error.kept {
        None => format!(
            "{field}: {asked} can't be answered: no snapshot is kept yet. Ask again in a few \
             seconds, or leave the time out to ask about now"
        ),
        Some((oldest, newest)) => format!(
            "{field}: {asked} is outside of what is kept, which is from {} to {}",
            display(&clocks.to_wall(oldest)),
            display(&clocks.to_wall(newest)),
        ),
    })
}
