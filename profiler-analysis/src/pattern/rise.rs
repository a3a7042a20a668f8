//! Whether a connection's memory rises with its calls or has reached a plateau.

use super::life::Life;
use super::{Interval, jackknife, median};

/// Fewer calls have no last quarter to speak of.
const CALLS: f64 = 8.0;
/// Connections needed to tell, and those that are asked about a plateau at least.
const CONNECTIONS: usize = 5;
/// Connections with the most calls needed to compare them with each other.
const COMPARED: usize = 10;
/// Rising if the interval lies above.
const RISING: f64 = 0.6;
/// A plateau if it lies below.
const PLATEAU: f64 = 0.35;
/// Mean steps of a connection below which a single late demand could pass for a rise.
const STEPS: f64 = 3.0;
/// Where the centre of growth lies at the latest in a steady rise, in lives; 0.5 on average.
const CENTRE: f64 = 0.7;
/// Standard errors by which the centre lies before the middle of a life if there is a plateau.
const EARLY: f64 = 2.5;
/// Ratio of the 90th to the 10th percentile of calls from which connections can be compared.
const SPREAD: f64 = 1.3;

/// How memory follows calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rise {
    /// Without a plateau.
    Rising,
    /// To a high-water mark.
    Plateau,
}

/// The answer, and what it rests on.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) rise: Result<Rise, String>,
    pub(super) late_growth: Option<Interval>,
}

impl Finding {
    fn none(reason: String) -> Self {
        Self {
            rise: Err(reason),
            late_growth: None,
        }
    }
}

/// Asks the half of the connections with the most calls: the others may not have come to their
/// plateau. Where all have few calls, compares connections with each other.
pub(super) fn find(lives: &[&Life]) -> Finding {
    let growing = lives
        .iter()
        .copied()
        .filter(|life| !life.found && life.held.most() > 0.0);
    let (mut long, short): (Vec<_>, Vec<_>) = growing.partition(|life| life.calls >= CALLS);
    if long.is_empty() {
        return compare(short);
    }
    if long.len() < CONNECTIONS {
        let seen = long.len();
        return Finding::none(format!(
            "only {seen} connections with {CALLS} calls or more show how their memory grew from \
             its beginning: {CONNECTIONS} are needed"
        ));
    }
    long.sort_by(|one, other| other.calls.total_cmp(&one.calls));
    within(most_calls(&long), &long)
}

/// The half with the most calls, and those that have as many; `lives` has the most calls first.
fn most_calls<'a, 'b>(lives: &'a [&'b Life]) -> &'a [&'b Life] {
    let half = lives.len().div_ceil(2).max(CONNECTIONS).min(lives.len());
    let least = half.checked_sub(1).map_or(0.0, |last| lives[last].calls);
    &lives[..lives.partition_point(|life| life.calls >= least)]
}

/// The late growth of one connection, and what steady growth would give.
fn late(life: &Life) -> [f64; 2] {
    let start = (life.calls * 0.75).floor();
    let most = life.held.most();
    let steady = most * (life.calls - start) / life.calls;
    [most - life.held.at(start), steady]
}

/// A rise shows in all connections, a plateau in those with the most calls.
fn within(top: &[&Life], all: &[&Life]) -> Finding {
    let (Some(growth), Some(of_all)) = (late_growth(top), late_growth(all)) else {
        return Finding::none("growth is too uneven to tell whether it goes on".into());
    };
    let timing = Timing::of(top);
    let rise = if growth.low.min(of_all.low) >= RISING && timing.centre <= CENTRE {
        let reason = "growth came in too few steps to tell whether it goes on";
        let told = timing.steps >= STEPS;
        told.then_some(Rise::Rising).ok_or_else(|| reason.into())
    } else if growth.high <= PLATEAU && timing.early() {
        Ok(Rise::Plateau)
    } else {
        Err(unclear(&growth))
    };
    Finding {
        rise,
        late_growth: Some(growth),
    }
}

/// Late growth by bytes and by connection has to agree, so that neither a few large connections
/// nor many small ones speak for the rest: the interval spans both.
fn late_growth(lives: &[&Life]) -> Option<Interval> {
    let by_bytes: Vec<[f64; 2]> = lives.iter().map(|life| late(life)).collect();
    let by_connection: Vec<[f64; 2]> = by_bytes.iter().map(|one| [one[0] / one[1], 1.0]).collect();
    let bytes = jackknife::interval(&by_bytes, jackknife::ratio)?;
    let each = jackknife::interval(&by_connection, jackknife::ratio)?;
    Some(Interval {
        value: bytes.value,
        low: bytes.low.min(each.low),
        high: bytes.high.max(each.high),
    })
}

fn unclear(hull: &Interval) -> String {
    let Interval { value, low, high } = hull;
    format!(
        "whether growth goes on cannot be told: {value:.2} of steady growth in the last quarter \
         of the calls, between {low:.2} and {high:.2}"
    )
}

/// When in their lives connections grew, each connection with the same weight.
struct Timing {
    /// Mean place of growth: 0 at the first call, 1 at the last.
    centre: f64,
    /// Mean steps by connection.
    steps: f64,
    /// Steps in all, such that unequal ones count for less (Kish).
    effective: f64,
}

impl Timing {
    fn of(lives: &[&Life]) -> Self {
        let (mut places, mut weights, mut squares, mut steps) = (0.0, 0.0, 0.0, 0.0);
        for life in lives {
            for (calls, bytes) in life.held.rises() {
                let weight = bytes / life.held.most();
                places += weight * (calls - 0.5).max(0.0) / life.calls;
                weights += weight;
                squares += weight * weight;
                steps += 1.0;
            }
        }
        Self {
            centre: places / weights,
            steps: steps / lives.len() as f64,
            effective: weights * weights / squares,
        }
    }

    /// Steps of a rise fall anywhere in a life. If few are seen, none of them in the last quarter
    /// is chance; a plateau has them at the beginning.
    fn early(&self) -> bool {
        let error = (1.0 / 12.0 / self.effective).sqrt();
        0.5 - self.centre >= EARLY * error
    }
}

/// Compares connections with each other. A plateau shows in the half with the most calls; what
/// rises in all of them may still have one beyond so few calls.
fn compare(mut lives: Vec<&Life>) -> Finding {
    lives.sort_by(|one, other| other.calls.total_cmp(&one.calls));
    let top = most_calls(&lives);
    if top.len() < COMPARED || spread(top) < SPREAD {
        return Finding::none(format!(
            "connections have too few calls (median {}) to tell whether memory follows calls or \
             connections",
            median(lives.iter().map(|life| life.calls))
        ));
    }
    let (Some(all), Some(most)) = (elasticity(&lives), elasticity(top)) else {
        return Finding::none("connections are too uneven to compare".into());
    };
    let rise = if most.high <= PLATEAU && all.high <= RISING {
        Ok(Rise::Plateau)
    } else if all.low >= RISING {
        let reason = "memory follows calls, but connections make too few of them to tell whether \
                      there is a plateau";
        Err(reason.into())
    } else {
        Err("memory follows neither calls nor connections clearly".into())
    };
    Finding {
        rise,
        late_growth: Some(most),
    }
}

/// The 90th percentile of calls over the 10th; `lives` has the most calls first.
fn spread(lives: &[&Life]) -> f64 {
    let at = |share: f64| lives[((lives.len() - 1) as f64 * share).round() as usize].calls;
    at(0.1) / at(0.9).max(1.0)
}

/// Of what connections hold with their calls: 1 if proportional, 0 if the same whatever the calls.
fn elasticity(lives: &[&Life]) -> Option<Interval> {
    let products = |life: &&Life| {
        let (calls, bytes) = (life.calls, life.held.most());
        [1.0, calls, bytes, calls * bytes, calls * calls]
    };
    let rows: Vec<[f64; 5]> = lives.iter().map(products).collect();
    jackknife::interval(&rows, |[n, x, y, xy, xx]| {
        let spread = xx - x * x / n;
        let slope = (xy - x * y / n) / spread;
        (spread > 0.0 && *y > 0.0).then(|| slope * x / y)
    })
}
