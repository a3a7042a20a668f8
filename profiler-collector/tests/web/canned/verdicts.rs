//! Verdicts, kills and resident figures of the canned fleet. The last of the containers is on a node
//! whose agent sends none of them.

use profiler_proto::v1::{
    self, EvidenceTier, LifeEnd, VerdictState, gate::Outcome, reconciliation::Cause,
};
use tonic::{Response, Status};

use super::{CHECKOUT, CONTAINERS, HOSTILE, LIFE, MIB, at, live, now, row, seconds, target};

/// The container without verdicts.
const SILENT: usize = CONTAINERS - 1;

fn state(index: usize) -> VerdictState {
    use VerdictState::{
        Growing, Leaking, RestartMaskedLeak, SawtoothLeak, Steady, Undetermined, WarmingUp,
    };
    let worst = [
        RestartMaskedLeak,
        SawtoothLeak,
        Leaking,
        Growing,
        Undetermined,
        WarmingUp,
    ];
    worst.get(index).copied().unwrap_or(Steady)
}

fn points(index: usize, from: i64, to: i64, most: u32) -> Vec<v1::ResidentPoint> {
    let most = i64::from(most.max(2));
    let times = (0..most).map(|number| from + (to - from) * number / (most - 1));
    let point = |time| v1::ResidentPoint {
        time: at(time),
        seconds: 60.0,
        min_bytes: live(index, time),
        max_bytes: live(index, time) + MIB,
        limit_bytes: if index == 2 { 0 } else { 512 * MIB },
        ..v1::ResidentPoint::default()
    };
    times.map(point).collect()
}

fn verdict(index: usize, moment: i64, with_points: bool) -> v1::Verdict {
    let gate = |name: &str, outcome: Outcome, unit: &str| v1::Gate {
        name: name.into(),
        outcome: outcome.into(),
        figure: 3.21,
        threshold: 2.58,
        unit: unit.into(),
        meaning: format!("what {name} means"),
    };
    let evidence = |text: &str, tier: EvidenceTier| v1::Evidence {
        name: "top_stack".into(),
        tier: tier.into(),
        text: text.into(),
        ..v1::Evidence::default()
    };
    v1::Verdict {
        node: target(index).node,
        target: Some(target(index)),
        state: state(index).into(),
        since: at(moment - 7_200),
        time: at(moment),
        observed_seconds: 21_600.0,
        slope_bytes_per_hour: 271.0 * MIB as f64,
        slope_lower_bytes_per_hour: Some(260.0 * MIB as f64),
        slope_upper_bytes_per_hour: Some(282.0 * MIB as f64),
        floor_bytes: 80 * MIB,
        anon_bytes: live(index, moment),
        limit_bytes: if index == 2 { 0 } else { 512 * MIB },
        time_to_limit_seconds: (index != 2).then_some(5_400.0),
        time_to_limit_lower_seconds: (index != 2).then_some(3_600.0),
        time_to_limit_upper_seconds: None,
        bytes_per_request: Some(18_841.6),
        gates: vec![
            gate("trend", Outcome::Passed, ""),
            gate("size", Outcome::Failed, "bytes"),
            gate(HOSTILE, Outcome::NotJudged, HOSTILE),
        ],
        evidence: vec![
            evidence("the floor rose by 410 MiB", EvidenceTier::Unspecified),
            evidence(HOSTILE, EvidenceTier::C),
        ],
        not_excluded: vec!["a cache that still fills".into(), HOSTILE.into()],
        reconciliation: Some(v1::Reconciliation {
            kernel_anon_bytes: 412 * MIB,
            unattributed_share: 0.12,
            causes: vec![Cause {
                name: "not_touched".into(),
                bytes: 12 * MIB,
                meaning: HOSTILE.into(),
            }],
            ..v1::Reconciliation::default()
        }),
        lineage: Some(lineage(moment)),
        healthy: index > 4,
        health_reason: HOSTILE.into(),
        points: match with_points {
            true => points(index, moment - 21_600, moment, 60),
            false => Vec::new(),
        },
        ..v1::Verdict::default()
    }
}

/// Lives that end by a kill and otherwise, in turn.
fn lineage(moment: i64) -> v1::Lineage {
    let last = moment - moment.rem_euclid(LIFE);
    let life = |before: i64| v1::Life {
        started: at(last - before * LIFE),
        ended: (before > 0)
            .then(|| at(last - (before - 1) * LIFE - 15))
            .flatten(),
        end: match before {
            0 => LifeEnd::Running,
            before if before % 2 == 0 => LifeEnd::OomKilled,
            _ => LifeEnd::Ended,
        }
        .into(),
        first_bytes: 80 * MIB,
        peak_bytes: 490 * MIB,
        last_bytes: 490 * MIB,
        limit_bytes: 512 * MIB,
        slope_bytes_per_hour: 271.0 * MIB as f64,
        container_id: CHECKOUT.into(),
    };
    v1::Lineage {
        id: "0f".into(),
        basis: "image and workload".into(),
        name: HOSTILE.into(),
        lives: (0..4).rev().map(life).collect(),
        restarts: 3,
        oom_kills: 2,
    }
}

pub(super) fn list(
    request: &v1::ListVerdictsRequest,
    chosen: Vec<usize>,
) -> Result<Response<v1::ListVerdictsResponse>, Status> {
    if request.limit > 1_000 {
        return Err(Status::invalid_argument("too many verdicts"));
    }
    let moment = seconds(request.at.as_ref());
    let known: Vec<usize> = chosen
        .into_iter()
        .filter(|index| *index != SILENT)
        .collect();
    let shown = known.iter().take(request.limit as usize);
    Ok(Response::new(v1::ListVerdictsResponse {
        total: known.len() as u32,
        verdicts: shown
            .map(|index| verdict(*index, moment, request.with_points))
            .collect(),
        time: at(moment),
        accounting: Some(super::accounting()),
    }))
}

fn kill(number: i64, moment: i64) -> v1::OomKill {
    let hostile = number % 2 == 1;
    let name = if hostile { HOSTILE } else { "node" };
    v1::OomKill {
        time: at(moment),
        node: "node-a".into(),
        target: Some(target(0)),
        pid: 4_711,
        process_name: name.into(),
        constraint: if hostile { HOSTILE } else { "cgroup" }.into(),
        source: if hostile { HOSTILE } else { "mark_victim" }.into(),
        victim_anon_bytes: Some(490 * MIB),
        resident: Some(v1::Resident {
            time: at(moment - 10),
            anon_bytes: 490 * MIB,
            limit_bytes: Some(512 * MIB),
            ..v1::Resident::default()
        }),
        growth: match number {
            2 => Vec::new(),
            _ => (0..7)
                .map(|index| v1::GrowthRow {
                    live_delta_bytes: (7 - index as i64) * (MIB as i64),
                    ..row(index, moment)
                })
                .collect(),
        },
        growth_seconds: 600.0,
        lineage: "0f".into(),
        state_before: VerdictState::Growing.into(),
        points: points(0, moment - 600, moment, 60),
    }
}

/// The first container's: one each other of its lives.
pub(super) fn kills(
    request: &v1::ListOomKillsRequest,
    chosen: &[usize],
) -> Result<Response<v1::ListOomKillsResponse>, Status> {
    if request.limit > 1_000 {
        return Err(Status::invalid_argument("too many kills"));
    }
    let to = request.to.as_ref().map_or_else(now, |to| to.seconds);
    let from = request
        .from
        .as_ref()
        .map_or(to - 100 * LIFE, |from| from.seconds);
    let last = to - to.rem_euclid(2 * LIFE);
    let times = (0..80).map(|number| last - number * 2 * LIFE);
    let within: Vec<i64> = times.filter(|time| (from..=to).contains(time)).collect();
    let of = if chosen.contains(&0) {
        &within[..]
    } else {
        &[]
    };
    let shown = of.iter().zip(0..).take(request.limit as usize);
    Ok(Response::new(v1::ListOomKillsResponse {
        kills: shown.map(|(time, number)| kill(number, *time)).collect(),
        total: of.len() as u32,
        forgotten: 0,
    }))
}

pub(super) fn resident(
    request: &v1::ListResidentRequest,
    chosen: Vec<usize>,
) -> Result<Response<v1::ListResidentResponse>, Status> {
    let (from, to) = (seconds(request.from.as_ref()), seconds(request.to.as_ref()));
    let known: Vec<usize> = chosen
        .into_iter()
        .filter(|index| *index != SILENT)
        .collect();
    if known.is_empty() {
        return Err(Status::not_found("no such container"));
    }
    let series = known
        .iter()
        .take(request.limit as usize)
        .map(|index| v1::ResidentSeries {
            target: Some(target(*index)),
            now: Some(v1::Resident {
                anon_bytes: live(*index, to),
                ..v1::Resident::default()
            }),
            points: points(*index, from, to, request.points),
        });
    Ok(Response::new(v1::ListResidentResponse {
        series: series.collect(),
        total: known.len() as u32,
    }))
}
