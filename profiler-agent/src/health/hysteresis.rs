//! From readings and verdicts to healthy or not, without flapping.

use std::time::Duration;

use profiler_analysis::verdict::{GateOutcome, Judgement, State};

use super::Health;

/// A series that grows is well again below the share less this.
const SHARE_BELOW: f64 = 0.05;
/// And with a forecast beyond so many lead times.
const LEADS_BEYOND: f64 = 2.0;
/// For so many readings in a row.
const CALM_READINGS: u32 = 3;
/// One reading proves nothing: so many in a row do.
const ILL_READINGS: u32 = 3;
/// And so many while it may still be starting.
const ILL_READINGS_YOUNG: u32 = 12;
/// A forecast of a limit that is filled by others too counts from this share on.
const SHARE_TO_BLAME: f64 = 0.5;
/// Intervals after which a reading says nothing any more.
const FRESH_INTERVALS: u32 = 3;

/// Thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthRules {
    /// Share of the limit above which growth is unhealthy.
    pub share: f64,
    /// A forecast that is nearer is unhealthy.
    pub lead: Duration,
    /// Between two readings. What is older than three of them is not known.
    pub interval: Duration,
}

impl Default for HealthRules {
    fn default() -> Self {
        Self {
            share: 0.8,
            lead: Duration::from_secs(30 * 60),
            interval: Duration::from_secs(10),
        }
    }
}

/// One reading with what is said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthReading {
    /// When, in nanoseconds of the clock of [`Probe::health`].
    pub time: u64,
    /// The verdict.
    pub state: State,
    /// What the readings of this life alone say.
    pub growth: Growth,
    /// Anonymous memory with swap.
    pub bytes: u64,
    /// What it can have.
    pub limit: Option<u64>,
    /// What it could have if nobody else filled the limits around it.
    pub limit_alone: Option<u64>,
    /// The forecast.
    pub time_to_limit_seconds: Option<f64>,
}

/// What the readings of one life say, whatever others of its lineage did: those may be anybody's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Growth {
    /// Its own floors rise, by more than a little.
    pub rises: bool,
    /// It is old enough to be judged.
    pub old_enough: bool,
    /// The far end of the forecast; none: it may never come.
    pub latest_seconds: Option<f64>,
}

impl Growth {
    /// From the gates that look at one life alone.
    pub fn of(judgement: &Judgement) -> Self {
        let passed = |name: &str| {
            let mut gates = judgement.gates.iter();
            gates.any(|gate| gate.name == name && gate.outcome == GateOutcome::Passed)
        };
        Self {
            rises: passed("trend") && passed("size"),
            old_enough: passed("age"),
            latest_seconds: judgement.forecast.and_then(|forecast| forecast.upper),
        }
    }
}

impl HealthReading {
    fn grows(&self) -> bool {
        match self.state {
            State::Growing | State::Leaking | State::SawtoothLeak => true,
            State::RestartMaskedLeak => self.growth.rises,
            State::WarmingUp | State::Steady | State::Undetermined => false,
        }
    }

    /// Of the limit, as far as it fills that itself; none without one.
    fn share(&self) -> Option<f64> {
        let limit = self.limit_alone.or(self.limit)?;
        Some(self.bytes as f64 / limit.max(1) as f64)
    }

    /// It is to blame if the limit comes near: nobody else is below that limit, or it holds most of it.
    fn is_to_blame(&self) -> bool {
        self.limit_alone
            .is_none_or(|alone| Some(alone) == self.limit)
            || self.share().is_some_and(|share| share >= SHARE_TO_BLAME)
    }

    fn ill(&self, rules: &HealthRules) -> Option<String> {
        if !self.grows() {
            return None;
        }
        let high = self.share().filter(|&share| share > rules.share);
        let lead = rules.lead.as_secs_f64();
        if !self.growth.old_enough {
            // Many programs fill up while they start and then stop: only both together count.
            high?;
            self.growth
                .latest_seconds
                .filter(|&seconds| seconds < lead)?;
        }
        let near = self.time_to_limit_seconds.filter(|&seconds| seconds < lead);
        if let Some(seconds) = near.filter(|_| self.is_to_blame()) {
            return Some(format!(
                "at this rate memory reaches its limit in {}, sooner than {}",
                minutes(seconds),
                minutes(lead)
            ));
        }
        high.map(|share| {
            format!(
                "memory grows at {:.0}% of its limit, above {:.0}%",
                share * 100.0,
                rules.share * 100.0
            )
        })
    }

    /// It does not grow, or is clearly below what makes it ill.
    fn is_calm(&self, rules: &HealthRules) -> bool {
        if !self.grows() {
            return true;
        }
        let below = self
            .share()
            .is_none_or(|share| share < rules.share - SHARE_BELOW);
        let far = LEADS_BEYOND * rules.lead.as_secs_f64();
        let near = self.time_to_limit_seconds.filter(|&seconds| seconds <= far);
        below && (near.is_none() || !self.is_to_blame())
    }

    /// Why it is still said to be ill after `calm` readings that were not.
    fn still(&self, calm: u32) -> String {
        let share = self.share().unwrap_or(0.0) * 100.0;
        format!(
            "memory stands at {share:.0}% of its limit and was found to grow; calm for {calm} of \
             {CALM_READINGS} readings"
        )
    }
}

fn minutes(seconds: f64) -> String {
    format!("{:.0} min", (seconds / 60.0).max(0.0))
}

/// The health of one life of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probe {
    last: Option<HealthReading>,
    /// Why it is ill; none: it is not.
    ill: Option<String>,
    /// Calm readings in a row.
    calm: u32,
    /// Ill readings in a row.
    ill_readings: u32,
}

impl Probe {
    /// Takes in a reading. True if that changed the answer.
    pub fn observe(&mut self, rules: &HealthRules, reading: HealthReading) -> bool {
        let before = self.ill.is_some();
        self.calm = match reading.is_calm(rules) {
            true => self.calm.saturating_add(1),
            false => 0,
        };
        let reason = reading.ill(rules);
        self.ill_readings = match reason {
            Some(_) => self.ill_readings.saturating_add(1),
            None => 0,
        };
        let needed = match reading.growth.old_enough {
            true => ILL_READINGS,
            false => ILL_READINGS_YOUNG,
        };
        self.ill = match reason {
            Some(reason) if before || self.ill_readings >= needed => Some(reason),
            Some(_) => None,
            None if self.calm >= CALM_READINGS => None,
            None => before.then(|| reading.still(self.calm)),
        };
        self.last = Some(reading);
        before != self.ill.is_some()
    }

    /// What a probe is told at `now` (nanoseconds). Healthy if the last reading is too old.
    pub fn health(&self, rules: &HealthRules, now: u64) -> Health {
        let fresh = (rules.interval * FRESH_INTERVALS).as_nanos();
        let age = |reading: &HealthReading| u128::from(now.saturating_sub(reading.time));
        let Some(last) = self.last.filter(|last| age(last) <= fresh) else {
            return Health {
                healthy: true,
                state: "unknown".to_owned(),
                reason: "unknown: there is no reading of the last three intervals".to_owned(),
                time_to_limit_seconds: None,
            };
        };
        let reason = self.ill.as_deref();
        Health {
            healthy: reason.is_none(),
            state: state_name(last.state).to_owned(),
            reason: reason
                .unwrap_or("memory does not grow, or its limit is not near")
                .to_owned(),
            time_to_limit_seconds: last.time_to_limit_seconds,
        }
    }
}

/// The stable name of a verdict.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::WarmingUp => "warming-up",
        State::Steady => "steady",
        State::Growing => "growing",
        State::Leaking => "leaking",
        State::SawtoothLeak => "sawtooth-leak",
        State::RestartMaskedLeak => "restart-masked-leak",
        State::Undetermined => "undetermined",
    }
}
