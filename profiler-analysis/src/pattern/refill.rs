//! The refill test: whether later connections made the process grow again before it came to its
//! old high-water mark.
//!
//! If close frees inside the allocator, connections make the process grow up to the largest sum
//! of what those open at one time hold, `reused`. If it does not, up to the sum over all of them,
//! `kept`. Where the growth that was seen lies between the two is the ratio: 0 is free, 1 is not.
//! What one demands is known of those for which nothing was free. They are few where connections
//! close one after the other; whether memory stays is asked of [`again`](super::again) first.

use super::again::{AGREE, APART, Again, LATER, agreeing};
use super::life::Life;
use super::open::{Course, most_at_once};
use super::release::Release;
use super::rise::{self, Finding, Rise};
use super::{Interval, jackknife};

/// Free up to this ratio.
const FREE: f64 = 0.1;
/// Not free from this ratio on.
const KEPT: f64 = 0.85;
/// The share of later connections that may have had memory of other classes, for "free".
const FOREIGN: f64 = 0.2;
/// Connections for which nothing was free, for "free": they alone tell about rise then.
const UNBENT: usize = 8;
/// The share of what was left that later connections open at one time have to have taken, for
/// "free" to speak of all of it.
const TAKEN: f64 = 0.8;

/// The answer to both questions: memory that was free bends curves, so they hang together.
pub(super) struct Refill {
    pub(super) answer: Result<(Rise, Release), String>,
    pub(super) ratio: Option<f64>,
    pub(super) late_growth: Option<Interval>,
}

/// Compares later connections with early ones. Where that does not say "not free", the growth of
/// the process is asked. `all` is the rise of all connections: how they rise if nothing was free.
pub(super) fn test(lives: &[Life], all: &Finding) -> Refill {
    let rise = all.rise.as_ref().ok();
    let again = rise.and_then(|rise| Some((*rise, Again::of(lives, *rise)?)));
    match again {
        Some((rise, again)) if again.stays() => Refill {
            answer: Ok((rise, Release::Stays)),
            ratio: Some(again.value),
            late_growth: all.late_growth,
        },
        again => by_growth(lives, all, again.is_some_and(|(_, again)| again.denies())),
    }
}

/// Supposes that memory stays, unless that is `denied`, then that it was free, and answers if the
/// figures agree with one of them.
fn by_growth(lives: &[Life], all: &Finding, denied: bool) -> Refill {
    let clean: Vec<&Life> = lives.iter().filter(|life| life.clean).collect();
    let later = lives.iter().filter(|life| life.later).count();
    if clean.is_empty() || later < LATER {
        return Refill::none(missing(&clean));
    }
    let unbent = rise::find(&clean);
    let begun: Vec<&Life> = lives.iter().filter(|life| !life.found).collect();
    let suppose = |finding: &Finding, alike: &[&Life], side: f64| {
        let rise = *finding.rise.as_ref().ok()?;
        let demand = Demand::by(&clean, alike, rise);
        Some((rise, Growth::of(lives, |calls| demand.of(calls, side))))
    };
    let stays = suppose(all, &begun, 1.0);
    let free = suppose(&unbent, &clean, -1.0);
    let free = free.filter(|(_, growth)| growth.is_free() && !strangers(lives));
    match (&stays, free) {
        (Some((rise, growth)), None) if growth.stays() && !denied => {
            growth.says(*rise, Release::Stays, all.late_growth)
        }
        (Some((_, growth)), Some(_)) if growth.stays() => Refill::none(UNCLEAR),
        (_, Some(_)) if clean.len() < UNBENT => Refill::none(FEW),
        (_, Some((rise, growth))) => growth.says(rise, Release::Released, unbent.late_growth),
        (Some((_, growth)), None) => Refill {
            ratio: Some(growth.ratio),
            ..Refill::none(UNCLEAR)
        },
        (None, None) => Refill {
            answer: Err(all.rise.clone().err().unwrap_or_default()),
            ..Refill::none(UNCLEAR)
        },
    }
}

const UNCLEAR: &str = "committed memory stays, but the allocator may keep what was freed; whether \
                       later connections took it cannot be told from how the process grew";

const FEW: &str = "committed memory stays, and later connections took it again; too few \
                   connections came while nothing was free to tell how one grows";

fn missing(clean: &[&Life]) -> &'static str {
    if clean.is_empty() {
        "committed memory stays, but the allocator may keep what was freed; no connection came \
         while nothing was free to tell what one demands"
    } else {
        "committed memory stays, but the allocator may keep what was freed; no connection has \
         opened since that would tell"
    }
}

impl Refill {
    fn none(reason: &str) -> Self {
        Self {
            answer: Err(reason.into()),
            ratio: None,
            late_growth: None,
        }
    }
}

/// Growth of the process that was seen, between that of the two suppositions.
struct Growth {
    /// 0 is that of "free", 1 of "not free".
    ratio: f64,
    /// How far those two lie apart, as a share of the larger.
    apart: f64,
    /// The share of later connections that demanded something of their own.
    agreeing: f64,
    /// The share of what was left that later connections open at one time took.
    taken: f64,
}

impl Growth {
    fn of(lives: &[Life], demand: impl Fn(f64) -> f64) -> Self {
        let needs: Vec<f64> = lives.iter().map(|life| need(life, &demand)).collect();
        let kept: f64 = needs.iter().sum();
        let seen: f64 = lives.iter().map(|life| life.held.most()).sum();
        let reused = most_at_once(lives, &needs, Course::AtOnce, |_| true);
        let later = most_at_once(lives, &needs, Course::AtOnce, |life| life.later);
        let ratio = ((seen - reused) / (kept - reused).max(1.0)).max(0.0);
        Self {
            ratio,
            apart: (kept - reused) / kept.max(1.0),
            agreeing: agreeing(lives, &needs, |life| life.later),
            taken: later / reused.max(1.0) * (1.0 - ratio),
        }
    }

    fn stays(&self) -> bool {
        self.apart >= APART && self.ratio >= KEPT && self.agreeing >= AGREE
    }

    fn is_free(&self) -> bool {
        self.apart >= APART && self.ratio <= FREE && self.taken >= TAKEN
    }

    fn says(&self, rise: Rise, release: Release, late_growth: Option<Interval>) -> Refill {
        Refill {
            answer: Ok((rise, release)),
            ratio: Some(self.ratio),
            late_growth,
        }
    }
}

/// Connections of other classes may have left what later ones took.
fn strangers(lives: &[Life]) -> bool {
    let later = || lives.iter().filter(|life| life.later);
    let foreign = later().filter(|life| life.foreign).count();
    foreign as f64 > FOREIGN * later().count() as f64
}

/// What a connection demands, by those for which nothing was free.
struct Demand {
    fixed: f64,
    by_call: f64,
    /// Its standard error, as a share.
    error: f64,
}

impl Demand {
    /// `alike` are those whose memory shows how connections differ from each other.
    fn by(clean: &[&Life], alike: &[&Life], rise: Rise) -> Self {
        let calls = |life: &Life| match rise {
            Rise::Plateau => 1.0,
            Rise::Rising => life.calls,
        };
        let row = |life: &&Life| [life.held.most(), calls(life)];
        let held: f64 = clean.iter().map(|life| life.held.most()).sum();
        let mean = held / clean.iter().map(|life| calls(life)).sum::<f64>().max(1.0);
        let rows: Vec<[f64; 2]> = alike.iter().map(row).collect();
        let interval = jackknife::interval(&rows, jackknife::ratio);
        let error = interval.filter(|it| it.value > 0.0).map_or(1.0, |it| {
            let scale = (alike.len() as f64 / clean.len() as f64).sqrt();
            scale * (it.high - it.low) / (4.0 * it.value)
        });
        let (fixed, by_call) = match rise {
            Rise::Plateau => (mean, 0.0),
            Rise::Rising => (0.0, mean),
        };
        Self {
            fixed,
            by_call,
            error: error.min(1.0),
        }
    }

    /// Of so many calls; `side` standard errors away, so that chance in the demand of a few does
    /// not pass for an answer.
    fn of(&self, calls: f64, side: f64) -> f64 {
        (self.fixed + self.by_call * calls) * (1.0 + side * self.error)
    }
}

/// What is known of it, or can be expected.
fn need(life: &Life, demand: impl Fn(f64) -> f64) -> f64 {
    if life.clean || life.found {
        return life.held.most();
    }
    demand(life.calls)
}
