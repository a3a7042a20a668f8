//! How much may be asked for.

use pbjson_types::Timestamp;
use tonic::Status;

/// # Errors
/// `INVALID_ARGUMENT`: more than `most`, with the name of the field.
pub(super) fn at_most(field: &str, asked: u32, default: u32, most: u32) -> Result<u32, Status> {
    match asked {
        0 => Ok(default),
        asked if asked > most => Err(Status::invalid_argument(format!(
            "{field}: {asked} are too many; at most {most}"
        ))),
        asked => Ok(asked),
    }
}

/// # Errors
/// `INVALID_ARGUMENT`: both are given and are the other way round.
pub(super) fn in_order(from: Option<&Timestamp>, to: Option<&Timestamp>) -> Result<(), Status> {
    match (from.map(place), to.map(place)) {
        (Some(from), Some(to)) if from > to => Err(Status::invalid_argument("from lies after to")),
        _ => Ok(()),
    }
}

/// Times in their order.
pub(super) fn place(time: &Timestamp) -> (i64, i32) {
    (time.seconds, time.nanos)
}
