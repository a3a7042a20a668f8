//! How much connections that are open at one time hold together.

use super::life::Life;

/// When in its life a connection comes to what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// As it opens.
    AtOnce,
    /// Little by little.
    Steadily,
}

/// A connection opens or closes: the sum changes by a step, and rises at another rate from then
/// on.
struct Change {
    time: u64,
    closes: bool,
    bytes: f64,
    by_time: f64,
}

/// The largest sum of `needs` of lives that are open at one time.
pub(super) fn most_at_once(
    lives: &[Life],
    needs: &[f64],
    course: Course,
    which: impl Fn(&Life) -> bool,
) -> f64 {
    let mut changes = Vec::with_capacity(2 * lives.len());
    for (life, need) in lives.iter().zip(needs).filter(|pair| which(pair.0)) {
        changes.extend(of(life, *need, course));
    }
    changes.sort_unstable_by_key(|change| (change.time, change.closes));
    let (mut before, mut sum, mut by_time, mut most) = (0, 0.0, 0.0, 0.0_f64);
    for change in changes {
        sum += by_time * (change.time - before) as f64;
        before = change.time;
        most = most.max(sum);
        sum += change.bytes;
        by_time += change.by_time;
        most = most.max(sum);
    }
    most
}

fn of(life: &Life, need: f64, course: Course) -> [Change; 2] {
    let length = (life.end - life.opened) as f64;
    let (first, by_time) = match course {
        Course::Steadily if length > 0.0 => (0.0, need / length),
        _ => (need, 0.0),
    };
    let change = |time, closes, bytes, by_time| Change {
        time,
        closes,
        bytes,
        by_time,
    };
    [
        change(life.opened, false, first, by_time),
        change(life.end, true, -need, -by_time),
    ]
}
