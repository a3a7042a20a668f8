//! Verdicts and readings as answers carry them.

use profiler_analysis::verdict::{self as analysis, Band, Judgement, Lineage, PastLife};
use profiler_proto::v1;
use profiler_query::answer::{Clocks, target};

use super::{
    book::{Book, Entry},
    key::Key,
    lives::Life,
    words::{life_end, outcome, size, state},
};
use crate::{
    profile::Totals,
    resident::{Figures, Source},
};

const SECOND: f64 = 1e9;

impl Book {
    /// What is known of one series now, without points and reconciliation.
    pub(super) fn verdict(&self, key: &Key, clocks: Clocks) -> Option<v1::Verdict> {
        let entry = self.entries.get(key)?;
        let life = self.lives.get(key)?;
        let verdict = self.engine.verdict(key)?;
        let judgement = &verdict.judgement;
        let forecast = entry.forecast();
        let (slope_lower, slope_upper) = judgement.slope.ends();
        let target = self.target(key, entry, clocks);
        let wall = |time| Some(self.base.to_wall(time, clocks));
        let observed = entry.time.saturating_sub(life.first_look);
        Some(v1::Verdict {
            node: target.node.clone(),
            target: Some(target),
            state: state(judgement.state).into(),
            since: wall(verdict.since),
            time: wall(entry.time),
            observed_seconds: observed as f64 / SECOND,
            slope_bytes_per_hour: judgement.slope.value,
            slope_lower_bytes_per_hour: slope_lower,
            slope_upper_bytes_per_hour: slope_upper,
            floor_bytes: judgement.floor.max(0.0) as u64,
            anon_bytes: entry.figures.series_bytes(),
            limit_bytes: entry.figures.limit.as_ref().map_or(0, |limit| limit.bytes),
            time_to_limit_seconds: forecast.map(|one| one.seconds),
            time_to_limit_lower_seconds: forecast.map(|one| one.lower),
            time_to_limit_upper_seconds: forecast.and_then(|one| one.upper),
            bytes_per_request: judgement.bytes_per_call,
            gates: judgement.gates.iter().map(gate).collect(),
            evidence: evidence(judgement, entry),
            not_excluded: not_excluded(judgement, entry),
            resident: self.resident(key, clocks),
            reconciliation: None,
            lineage: Some(self.lineage(key, life, entry, clocks)),
            healthy: entry.healthy,
            health_reason: entry.health_reason.clone(),
            points: Vec::new(),
        })
    }

    /// A group has no pid; name and executable are those of its oldest process.
    pub(super) fn target(&self, key: &Key, entry: &Entry, clocks: Clocks) -> v1::Target {
        let one = target(&entry.main, &Totals::default(), clocks);
        match key {
            Key::Process { .. } => one,
            Key::Group(root) => v1::Target {
                pid: 0,
                namespace_pid: 0,
                cgroup: root.clone(),
                ..one
            },
        }
    }

    /// The last reading.
    pub(super) fn resident(&self, key: &Key, clocks: Clocks) -> Option<v1::Resident> {
        let entry = self.entries.get(key)?;
        let load = self.lives.get(key)?.load;
        let time = self.base.to_wall(entry.time, clocks);
        Some(entry.figures.to_wire(time, &load))
    }

    /// Oldest first.
    pub(super) fn points(&self, key: &Key, clocks: Clocks) -> Vec<v1::ResidentPoint> {
        let points = self.engine.series(key).map(analysis::Series::points);
        let points = points.unwrap_or_default().into_iter();
        let to_wire = |point: analysis::Point| v1::ResidentPoint {
            time: Some(self.base.to_wall(point.time, clocks)),
            seconds: point.length as f64 / SECOND,
            min_bytes: point.min,
            max_bytes: point.max,
            limit_bytes: point.limit,
            received_bytes_per_second: point.received_bytes_per_second,
            received_calls_per_second: point.received_calls_per_second,
            open_connections: point.open_connections,
        };
        points.map(to_wire).collect()
    }

    fn lineage(&self, key: &Key, life: &Life, entry: &Entry, clocks: Clocks) -> v1::Lineage {
        let none = Lineage::default();
        let past = self.engine.lineage(key).unwrap_or(&none);
        let before = past.lives.iter().map(|one| self.past_life(one, clocks));
        let now = self.running_life(key, life, entry, clocks);
        v1::Lineage {
            id: life.identity.id.clone(),
            basis: life.identity.basis.clone(),
            name: life.identity.name.clone(),
            lives: before.chain([now]).collect(),
            restarts: past.ended,
            oom_kills: past.oom_kills,
        }
    }

    fn past_life(&self, life: &PastLife, clocks: Clocks) -> v1::Life {
        v1::Life {
            started: Some(self.base.to_wall(life.start.began, clocks)),
            ended: Some(self.base.to_wall(life.ended, clocks)),
            end: life_end(life.end).into(),
            first_bytes: life.first,
            peak_bytes: life.peak,
            last_bytes: life.last,
            limit_bytes: life.limit,
            slope_bytes_per_hour: life.slope,
            container_id: life.start.label.clone(),
        }
    }

    fn running_life(&self, key: &Key, life: &Life, entry: &Entry, clocks: Clocks) -> v1::Life {
        let points = self.engine.series(key).map(analysis::Series::points);
        let points = points.unwrap_or_default();
        let last = entry.figures.series_bytes();
        let verdict = self.engine.verdict(key);
        v1::Life {
            started: Some(self.base.to_wall(life.start.began, clocks)),
            ended: None,
            end: v1::LifeEnd::Running.into(),
            first_bytes: points.first().map_or(last, |point| point.min),
            peak_bytes: points
                .iter()
                .map(|point| point.max)
                .max()
                .unwrap_or(0)
                .max(last),
            last_bytes: last,
            limit_bytes: entry.figures.limit.as_ref().map_or(0, |limit| limit.bytes),
            slope_bytes_per_hour: verdict.map_or(0.0, |one| one.judgement.slope.value),
            container_id: life.start.label.clone(),
        }
    }
}

fn gate(gate: &analysis::Gate) -> v1::Gate {
    v1::Gate {
        name: gate.name.clone(),
        outcome: outcome(gate.outcome).into(),
        figure: gate.figure,
        threshold: gate.threshold,
        unit: gate.unit.clone(),
        meaning: gate.meaning.clone(),
    }
}

fn not_excluded(judgement: &Judgement, entry: &Entry) -> Vec<String> {
    let Figures {
        source, processes, ..
    } = entry.figures;
    let is_sum = source == Source::Processes && processes > 1;
    let shared = format!(
        "its figures are the sum over {processes} processes, in which pages that they share since a \
         fork count once for each: that may be new processes"
    );
    let all = judgement.not_excluded.iter().cloned();
    all.chain(is_sum.then_some(shared)).collect()
}

fn band(slope: &Band) -> String {
    match slope.ends() {
        (Some(lower), Some(upper)) => {
            let (lower, upper) = (size(lower), size(upper));
            format!(" (99% of the time between {lower} and {upper})")
        }
        _ => ", of which too few windows tell the band".to_owned(),
    }
}

/// The kernel's own counters first, then what explains them.
fn evidence(judgement: &Judgement, entry: &Entry) -> Vec<v1::Evidence> {
    let slope = &judgement.slope;
    let floor = v1::Evidence {
        name: "floor".to_owned(),
        tier: v1::EvidenceTier::Unspecified.into(),
        text: format!(
            "the smallest readings of each window stand at {} and change by {} an hour{}",
            size(judgement.floor),
            size(slope.value),
            band(slope),
        ),
        figure: slope.value,
        unit: "bytes/h".to_owned(),
    };
    let per_call = judgement.bytes_per_call.map(|bytes| v1::Evidence {
        name: "bytes_per_request".to_owned(),
        tier: v1::EvidenceTier::Unspecified.into(),
        text: format!("it keeps {} for each call that it receives", size(bytes)),
        figure: bytes,
        unit: "bytes".to_owned(),
    });
    let rest = entry.evidence.iter().cloned();
    [floor].into_iter().chain(per_call).chain(rest).collect()
}
