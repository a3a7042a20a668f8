//! The readings of one target.

use std::time::Duration;

use profiler_analysis::verdict::{GateOutcome, Judgement, Load, Rules, Sample, Series, State};
use profiler_formats::time::nanos;
use profiler_proto::v1::{Resident, Target};

use super::{Plan, points::Points};
use crate::render::verdict::words::named;

/// Readings that tell how often there are new ones.
const EARLY: usize = 4;
/// A pause this many times as long as usual is a gap.
const GAP: u32 = 4;
/// Answers without a target, and the time, before it is taken for gone.
const GONE: u32 = 3;
const AWAY: Duration = Duration::from_secs(60);
/// The gate that counts floors.
const TREND: &str = "trend";

/// What makes it the same target in two answers. Times are no part of it: an agent makes them from two
/// clocks anew each time. A pid that is used again is a restart, which [`Watched::read`] sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    node: String,
    pid: u32,
    place: [String; 3],
}

/// What one target has in common with the one that takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role([String; 3]);

impl Role {
    pub(super) fn of(target: &Target) -> Self {
        let (node, name) = match (&*target.workload, &*target.unit, target.pid) {
            // A pod may come back on another node.
            (workload, _, _) if !workload.is_empty() => ("", workload),
            (_, unit, _) if !unit.is_empty() => (&*target.node, unit),
            (_, _, 0) => (&*target.node, &*target.image),
            _ => (&*target.node, &*target.process_name),
        };
        Self([node, &target.namespace, name].map(str::to_owned))
    }
}

impl Key {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            node: target.node.clone(),
            pid: target.pid,
            place: [
                target.container_id.clone(),
                target.cgroup.clone(),
                target.unit.clone(),
            ],
        }
    }

    /// Whether a victim of the OOM killer was this process, or a process in this container or cgroup.
    pub(super) fn is_of(&self, victim: &Target, pid: u32) -> bool {
        let victim = Self::of(victim);
        // Pids are a node's own.
        if victim.node != self.node {
            return false;
        }
        let [id, cgroup, unit] = &self.place;
        match self.pid {
            0 if id.is_empty() && unit.is_empty() => {
                let below = victim.place[1].strip_prefix(&**cgroup);
                !cgroup.is_empty() && below.is_some_and(|it| it.is_empty() || it.starts_with('/'))
            }
            0 => victim.place[0] == *id && victim.place[2] == *unit,
            own => own == pid || own == victim.pid,
        }
    }
}

/// One target.
pub(crate) struct Watched {
    pub(super) key: Key,
    pub(crate) name: String,
    pub(crate) readings: u64,
    pub(crate) bytes: u64,
    pub(super) limit: Option<u64>,
    pub(super) points: Points,
    pub(crate) judgement: Judgement,
    /// The least of the first readings that are judged.
    pub(super) floor: u64,
    pub(super) role: Role,
    /// Answers in a row without it, and when the first of them came.
    pub(super) missing: u32,
    missing_since: Duration,
    /// It went, and another one with its role came after that.
    pub(super) replaced: bool,
    /// It began again in place.
    pub(super) restarted: bool,
    /// OOM kills that were seen.
    pub(super) killed: bool,
    /// Passes in a row that spoke for a failure.
    pub(super) against: u32,
    /// Of the time that is judged.
    pub(super) gaps: Duration,
    events: [Option<u64>; 4],
    /// Time of its first reading, by its node's clock.
    pub(super) first: u64,
    last: (u64, Duration),
    cadence: Duration,
    early: Vec<Sample>,
    judged: Option<Judged>,
}

/// A series that is long enough to be looked at.
struct Judged {
    series: Series,
    rules: Rules,
    /// When it was looked at last.
    at: Duration,
}

impl Watched {
    pub(super) fn new(target: &Target, plan: &Plan) -> Self {
        Self {
            key: Key::of(target),
            name: named(Some(target)),
            readings: 0,
            bytes: 0,
            limit: None,
            points: Points::over(plan.duration),
            judgement: Judgement::default(),
            floor: u64::MAX,
            role: Role::of(target),
            missing: 0,
            missing_since: Duration::ZERO,
            replaced: false,
            restarted: false,
            killed: false,
            against: 0,
            gaps: Duration::ZERO,
            events: [None; 4],
            first: 0,
            last: (0, Duration::ZERO),
            cadence: plan.interval,
            early: Vec::new(),
            judged: None,
        }
    }

    /// Takes in a reading. One that was there before, since the endpoint has no newer, is passed over.
    pub(super) fn read(&mut self, target: &Target, now: &Resident, at: Duration, plan: &Plan) {
        self.missing = 0;
        self.replaced = false;
        let sample = sample(now);
        if sample.time <= self.last.0 {
            return;
        }
        self.count_events(target, now);
        if self.readings == 0 {
            self.first = sample.time;
        }
        if self.readings > 0 && at > plan.warmup {
            self.pause(at);
        }
        self.last = (sample.time, at);
        self.readings += 1;
        self.bytes = sample.bytes;
        self.limit = sample.limit;
        let limit = sample.limit.unwrap_or(0);
        self.points.push(at, sample.bytes, limit);
        if at >= plan.warmup {
            self.take(sample, at, plan);
        }
    }

    /// A kill is one more than before. The kernel's counters fall only where a new cgroup has taken
    /// the old one's place; and a process that is younger than the last reading has another one's pid,
    /// as a container whose oldest process is has none left of those before.
    fn count_events(&mut self, target: &Target, now: &Resident) {
        let counted = [
            now.events_oom_kill,
            now.events_oom,
            now.events_max,
            now.events_high,
        ];
        let fell = self
            .events
            .iter()
            .zip(&counted)
            .any(|pair| matches!(pair, (Some(before), Some(now)) if now < before));
        let started = u64::try_from(nanos(target.started.as_ref())).unwrap_or(0);
        self.restarted |= fell || (self.readings > 0 && started > self.last.0);
        if let (Some(before), Some(now)) = (self.events[0], counted[0]) {
            self.killed |= now > if fell { 0 } else { before };
        }
        for (known, now) in self.events.iter_mut().zip(counted) {
            *known = now.or(*known);
        }
    }

    /// Counts an answer without it.
    pub(super) fn miss(&mut self, at: Duration) {
        if self.missing == 0 {
            self.missing_since = at;
        }
        self.missing += 1;
    }

    /// Whether it has been away for so long that it does not come back. Who is started again may need
    /// a minute, and so may the word of a kill.
    pub(super) fn is_gone(&self, at: Duration, interval: Duration) -> bool {
        let wait = AWAY.max(interval * GONE).max(self.cadence * GONE);
        self.missing >= GONE && at.saturating_sub(self.missing_since) >= wait
    }

    /// Whether its last reading is older than a gap.
    pub(super) fn is_stale(&self, at: Duration) -> bool {
        at.saturating_sub(self.last.1) > self.cadence * GAP
    }

    /// Counts the pause since the last reading if it is a gap.
    pub(super) fn pause(&mut self, at: Duration) {
        if self.is_stale(at) {
            self.gaps += at.saturating_sub(self.last.1);
        }
    }

    fn take(&mut self, sample: Sample, at: Duration, plan: &Plan) {
        if let Some(judged) = &mut self.judged {
            judged.series.push(sample);
            return;
        }
        self.floor = self.floor.min(sample.bytes);
        self.early.push(sample);
        if self.early.len() < EARLY {
            return;
        }
        self.cadence = usual(&self.early).max(plan.interval);
        let rules = Rules {
            window: plan.window.max(self.cadence * 2),
        };
        let mut series = Series::new(self.early[0].time, &rules);
        for sample in self.early.drain(..) {
            series.push(sample);
        }
        self.judged = Some(Judged { series, rules, at });
    }

    /// Judges it if a window has passed since it was judged last, or in any case if `now`. Returns
    /// whether it did.
    pub(super) fn judge(&mut self, at: Duration, now: bool) -> bool {
        let Some(judged) = &mut self.judged else {
            return false;
        };
        if !now && at < judged.at + judged.rules.window {
            return false;
        }
        judged.at = at;
        self.judgement = judged.series.judge(&judged.rules);
        true
    }

    /// Whether its floors are enough for a band of its slope.
    pub(super) fn has_trend(&self) -> bool {
        let mut gates = self.judgement.gates.iter();
        gates.any(|gate| gate.name == TREND && gate.outcome != GateOutcome::NotJudged)
    }

    /// Whether there is enough to say anything.
    pub(super) fn is_judged(&self) -> bool {
        self.judged.is_some() && self.judgement.state != State::WarmingUp
    }
}

/// The median time between readings.
fn usual(samples: &[Sample]) -> Duration {
    let pairs = samples.windows(2);
    let mut pauses: Vec<u64> = pairs.map(|pair| pair[1].time - pair[0].time).collect();
    pauses.sort_unstable();
    Duration::from_nanos(pauses.get(pauses.len() / 2).copied().unwrap_or(0))
}

fn sample(now: &Resident) -> Sample {
    Sample {
        time: u64::try_from(nanos(now.time.as_ref())).unwrap_or(0),
        bytes: now.anon_bytes.saturating_add(now.swap_bytes),
        limit: now.limit_bytes.filter(|limit| *limit > 0),
        load: Load {
            received_bytes: now.received_bytes,
            received_calls: now.received_calls,
            open_connections: now.open_connections,
        },
    }
}
