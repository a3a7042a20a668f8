//! All targets of a soak, and what is said of them.

use std::time::Duration;

use pbjson_types::Timestamp;
use profiler_analysis::verdict::State;
use profiler_formats::time::nanos;
use profiler_proto::v1::{ListOomKillsResponse, ListResidentResponse, Target};
use serde::Serialize;

use super::{
    Plan,
    watched::{Key, Role, Watched},
};
use crate::{
    args::MOST_TARGETS,
    failure::Failure,
    render::verdict::words::{named, signed},
    text::clean,
};

/// Passes in a row that make a failure certain.
const CERTAIN: u32 = 2;
/// Gaps over a larger share of the judged time leave too little to say anything.
const MOST_GAPS: f64 = 0.25;
/// Nothing is to be said of how fast it grows.
const UNBOUNDED: &str = "too few floors for a band of its slope: soak longer";
/// Notes of one soak.
const MOST_NOTES: usize = 200;

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Pass,
    Undecided,
    Fail,
}

/// What is said of one target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) reason: String,
    /// More time would not change it.
    pub(crate) certain: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Note {
    /// Seconds since the soak began.
    pub(crate) seconds: f64,
    pub(crate) text: String,
}

/// A soak that goes on.
pub(crate) struct Soak {
    pub(super) plan: Plan,
    pub(super) targets: Vec<Watched>,
    pub(super) notes: Vec<Note>,
    /// Targets of the last answer that came after the first one.
    newcomers: Vec<Key>,
    away: bool,
    closed: bool,
}

impl Soak {
    /// With what is there at first; fails where nothing is.
    pub(crate) fn begin(plan: Plan, first: &ListResidentResponse) -> Result<Self, Failure> {
        if first.series.is_empty() {
            return Err(Failure::with_hint(
                "no target matches",
                "`profiler targets` lists what is observed",
            ));
        }
        if first.total > MOST_TARGETS {
            return Err(Failure::with_hint(
                format!(
                    "{} targets match, and {MOST_TARGETS} are the most",
                    first.total
                ),
                "narrow the selection",
            ));
        }
        let targets = first.series.iter().filter_map(|one| one.target.as_ref());
        let mut soak = Self {
            targets: targets.map(|target| Watched::new(target, &plan)).collect(),
            plan,
            notes: Vec::new(),
            newcomers: Vec::new(),
            away: false,
            closed: false,
        };
        soak.answer(first, Duration::ZERO);
        Ok(soak)
    }

    /// Takes in an answer, `at` since the beginning.
    pub(crate) fn answer(&mut self, answer: &ListResidentResponse, at: Duration) {
        if std::mem::take(&mut self.away) {
            self.note(at, "the endpoint answers again");
        }
        // What does not fit into an answer is not gone.
        if u64::from(answer.total) <= answer.series.len() as u64 {
            for target in &mut self.targets {
                target.miss(at);
            }
        }
        let mut others = Vec::new();
        for one in &answer.series {
            let (Some(target), Some(now)) = (&one.target, &one.now) else {
                continue;
            };
            let key = Key::of(target);
            match self.targets.iter_mut().find(|known| known.key == key) {
                Some(known) => known.read(target, now, at, &self.plan),
                None => others.push((key, target)),
            }
        }
        self.newcomers
            .retain(|known| others.iter().any(|(key, _)| key == known));
        for (key, target) in others {
            self.newcomer(key, target, at);
        }
        for target in &mut self.targets {
            if target.judge(at, false) {
                let speaks = against(target, &self.plan).is_some();
                target.against = if speaks { target.against + 1 } else { 0 };
            }
        }
    }

    /// One that comes when another one with its role is away has taken its place.
    fn newcomer(&mut self, key: Key, target: &Target, at: Duration) {
        if self.newcomers.contains(&key) || self.newcomers.len() >= MOST_TARGETS as usize {
            return;
        }
        self.newcomers.push(key);
        let role = Role::of(target);
        let mut away = self.targets.iter_mut().filter(|one| one.missing > 0);
        if let Some(gone) = away.find(|one| !one.replaced && one.role == role) {
            gone.replaced = true;
        }
        let name = named(Some(target));
        self.note(at, &format!("{name} has come and is not watched"));
    }

    /// There was no answer.
    pub(crate) fn no_answer(&mut self, failure: &Failure, at: Duration) {
        if !self.away {
            self.note(at, &format!("no answer: {failure}"));
        }
        self.away = true;
    }

    /// Kills that were written down since the beginning.
    pub(crate) fn kills(&mut self, answer: &ListOomKillsResponse) {
        for kill in &answer.kills {
            let Some(victim) = &kill.target else { continue };
            let time = u64::try_from(nanos(kill.time.as_ref())).unwrap_or(0);
            for target in &mut self.targets {
                target.killed |= time >= target.first && target.key.is_of(victim, kill.pid);
            }
        }
    }

    /// The first reading of all, by the clock of its node: kills before it are not this soak's.
    pub(crate) fn first_reading(&self) -> Timestamp {
        let first = self.targets.iter().map(|one| one.first).min().unwrap_or(0);
        Timestamp {
            seconds: (first / 1_000_000_000) as i64,
            nanos: (first % 1_000_000_000) as i32,
        }
    }

    /// Whether something has happened that a kill could explain.
    pub(crate) fn misses(&self) -> bool {
        self.targets
            .iter()
            .any(|one| (one.missing > 0 || one.restarted) && !one.killed)
    }

    /// The finding that ends it early, if there is one: a failure that is certain, or that nothing is
    /// left to be watched.
    pub(crate) fn early_end(&self, at: Duration) -> Option<Finding> {
        let findings = || self.targets.iter().map(|one| self.finding(one, at));
        let failed = findings().find(|one| one.certain && one.outcome == Outcome::Fail);
        failed.or_else(|| {
            findings()
                .all(|one| one.certain)
                .then(|| findings().next())?
        })
    }

    /// Looks at everything once more, at the end.
    pub(crate) fn close(&mut self, at: Duration) {
        self.closed = true;
        for target in &mut self.targets {
            target.pause(at);
            target.judge(at, true);
        }
    }

    /// What is said of one target.
    pub(super) fn finding(&self, target: &Watched, at: Duration) -> Finding {
        let certain = |outcome, reason: String| Finding {
            outcome,
            reason,
            certain: true,
        };
        let name = &target.name;
        if target.killed {
            let reason = format!("{name}: the kernel killed a process of it for want of memory");
            return certain(Outcome::Fail, reason);
        }
        if target.restarted {
            return certain(Outcome::Fail, format!("{name} was restarted in place"));
        }
        if target.replaced {
            let reason = format!("{name} ended and another one took its place: it was restarted");
            return certain(Outcome::Fail, reason);
        }
        if target.is_gone(at, self.plan.interval) || (self.closed && target.missing > 0) {
            let reason = format!("{name} is no longer there, and no OOM kill of it was seen");
            return certain(Outcome::Undecided, reason);
        }
        let found = self.found(target, at);
        let unseen = self.closed && (self.away || target.is_stale(at));
        if unseen && found.outcome == Outcome::Pass {
            return Finding {
                outcome: Outcome::Undecided,
                reason: format!(
                    "{name}: there was no reading at the end; until then {}",
                    found.reason
                ),
                certain: false,
            };
        }
        found
    }

    /// What its readings say.
    fn found(&self, target: &Watched, at: Duration) -> Finding {
        let name = &target.name;
        let judged = at.saturating_sub(self.plan.warmup).as_secs_f64();
        let known = judged > 0.0 && target.gaps.as_secs_f64() <= MOST_GAPS * judged;
        if !target.is_judged() || !known {
            return Finding {
                outcome: Outcome::Undecided,
                reason: format!("{name}: too few readings ({})", target.readings),
                certain: false,
            };
        }
        let sure = target.against >= CERTAIN && at >= self.plan.earliest_end();
        match against(target, &self.plan) {
            Some(reason) => Finding {
                outcome: Outcome::Fail,
                reason: format!("{name}: {reason}"),
                certain: sure,
            },
            None => self.not_against(target),
        }
    }

    fn not_against(&self, target: &Watched) -> Finding {
        let slope = target.judgement.slope;
        let (outcome, reason) = match (self.plan.max_growth, target.judgement.state) {
            (Some(_), _) if !target.has_trend() => (Outcome::Undecided, UNBOUNDED.to_owned()),
            (Some(rate), _) => {
                let most = rate.of(target.floor as f64);
                let allowed = format!("and {} are allowed", signed(most));
                match slope.ends().1 {
                    Some(upper) if upper < most => (
                        Outcome::Pass,
                        format!("grows by at most {} per hour, {allowed}", signed(upper)),
                    ),
                    Some(upper) => (
                        Outcome::Undecided,
                        format!(
                            "may grow by {} per hour, {allowed}: soak longer",
                            signed(upper)
                        ),
                    ),
                    None => (Outcome::Undecided, UNBOUNDED.to_owned()),
                }
            }
            (None, State::Steady) => (Outcome::Pass, "steady".to_owned()),
            (None, State::Growing) => (
                Outcome::Undecided,
                format!(
                    "grows by {} per hour; whether that ends is not known",
                    signed(slope.value)
                ),
            ),
            (None, _) => (
                Outcome::Undecided,
                "neither growth nor its absence was shown: soak longer, or say with --max-growth \
                 what is allowed"
                    .to_owned(),
            ),
        };
        Finding {
            outcome,
            reason: format!("{}: {reason}", target.name),
            certain: false,
        }
    }

    /// The target to speak of: the one that is worst off.
    pub(crate) fn worst(&self, at: Duration) -> Option<&Watched> {
        let all = self.targets.iter();
        all.max_by_key(|one| self.finding(one, at).outcome)
    }

    fn note(&mut self, at: Duration, text: &str) {
        if self.notes.len() < MOST_NOTES {
            let text = clean(&text.replace('\n', " ")).into_owned();
            self.notes.push(Note {
                seconds: at.as_secs_f64(),
                text,
            });
        }
    }
}

/// Why it fails as it looks now.
fn against(target: &Watched, plan: &Plan) -> Option<String> {
    if !target.is_judged() {
        return None;
    }
    let judgement = &target.judgement;
    if let Some(rate) = plan.max_growth {
        let most = rate.of(target.floor as f64);
        let (lower, most_told) = (signed(judgement.slope.lower), signed(most));
        return (target.has_trend() && judgement.slope.lower > most)
            .then(|| format!("grows by at least {lower} per hour, and {most_told} are allowed"));
    }
    let slope = signed(judgement.slope.value);
    match judgement.state {
        State::Leaking => Some(format!("leaks {slope} per hour")),
        State::SawtoothLeak => Some(format!(
            "falls again and again, but less far each time: {slope} per hour"
        )),
        State::RestartMaskedLeak => Some("each of its lives grows until it is ended".to_owned()),
        State::WarmingUp | State::Steady | State::Growing | State::Undetermined => None,
    }
}
