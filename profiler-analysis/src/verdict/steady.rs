//! Is it shown that it does not grow?

use super::look::Line;

/// Growth a day over the limit that does not matter, and a day in shortest windows.
const SHARE: f64 = 0.02;
const DAY: f64 = 24.0 * 60.0;
/// What stands for the limit where there is none, in heights of the floor.
const FLOORS: f64 = 2.0;

/// A test of equivalence (Schuirmann, 1987), of which the upper side matters: the upper end of the
/// slope's band, over a day, is below a small share of the limit.
pub(super) fn steady(line: &Line, floor: f64, limit: f64) -> bool {
    let whole = if limit > 0.0 { limit } else { floor * FLOORS };
    line.upper95 * DAY < whole * SHARE
}
