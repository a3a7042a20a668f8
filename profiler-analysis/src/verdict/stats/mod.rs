//! What the gates are made of.

mod kendall;
mod normal;
mod sen;

pub(super) use kendall::{Kendall, kendall};
pub(super) use normal::upper_tail;
pub(super) use sen::{Slopes, median};

/// A floor: hours, bytes.
pub(super) type Floor = (f64, f64);
