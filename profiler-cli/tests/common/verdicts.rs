//! Canned verdicts and kills.

use profiler_proto::v1::{
    Evidence, EvidenceTier, Gate, Life, LifeEnd, Lineage, ListOomKillsRequest,
    ListOomKillsResponse, ListVerdictsRequest, ListVerdictsResponse, Loss, OomKill, Reconciliation,
    ResidentPoint, Target, Verdict, VerdictChange, VerdictState, gate::Outcome,
};

use super::{MIB, OLDEST, accounting, at, row};

fn points() -> Vec<ResidentPoint> {
    let point = |minute: u32| ResidentPoint {
        time: at(OLDEST + 60 * i64::from(minute)),
        seconds: 60.0,
        min_bytes: 8 * u64::from(minute) * MIB,
        max_bytes: 8 * u64::from(minute) * MIB,
        limit_bytes: 64 * MIB,
        ..ResidentPoint::default()
    };
    (1..=6).map(point).collect()
}

fn leak() -> Verdict {
    Verdict {
        node: "node-1".into(),
        target: Some(Target {
            container_id: "ab".repeat(32),
            ..Target::default()
        }),
        state: VerdictState::Leaking.into(),
        since: at(OLDEST + 300),
        observed_seconds: 360.0,
        slope_bytes_per_hour: 480.0 * MIB as f64,
        slope_lower_bytes_per_hour: Some(470.0 * MIB as f64),
        slope_upper_bytes_per_hour: Some(490.0 * MIB as f64),
        floor_bytes: 48 * MIB,
        anon_bytes: 48 * MIB,
        limit_bytes: 64 * MIB,
        time_to_limit_seconds: Some(120.0),
        time_to_limit_lower_seconds: Some(100.0),
        gates: vec![Gate {
            name: "trend".into(),
            outcome: Outcome::Passed.into(),
            figure: 7.5,
            threshold: 2.58,
            unit: "sigma".into(),
            meaning: "its floors rise\x1b[2J".into(),
        }],
        evidence: vec![Evidence {
            name: "top_stack".into(),
            tier: EvidenceTier::C.into(),
            text: "cache_put demanded 40.0 MiB".into(),
            ..Evidence::default()
        }],
        not_excluded: vec!["a cache that has not filled yet".into()],
        reconciliation: Some(Reconciliation {
            kernel_anon_bytes: 48 * MIB,
            unattributed_share: 0.125,
            ..Reconciliation::default()
        }),
        lineage: Some(Lineage {
            id: "77".into(),
            basis: "image and workload".into(),
            name: "cart".into(),
            lives: vec![Life {
                started: at(OLDEST - 600),
                ended: at(OLDEST),
                end: LifeEnd::OomKilled.into(),
                last_bytes: 64 * MIB,
                ..Life::default()
            }],
            restarts: 1,
            oom_kills: 1,
        }),
        health_reason: "75% of the limit, and it grows".into(),
        points: points(),
        ..Verdict::default()
    }
}

fn other(state: VerdictState) -> Verdict {
    Verdict {
        target: Some(Target {
            pid: 4711,
            process_name: "app".into(),
            ..Target::default()
        }),
        state: state.into(),
        healthy: true,
        ..Verdict::default()
    }
}

/// A leak, unless a process is chosen: then what its name says.
pub(super) fn list(request: &ListVerdictsRequest) -> ListVerdictsResponse {
    let selector = request.selector.clone().unwrap_or_default();
    let verdicts = match selector.processes.first().map(String::as_str) {
        Some("steady") => vec![other(VerdictState::Steady)],
        Some("unsure") => vec![
            other(VerdictState::Undetermined),
            other(VerdictState::Steady),
        ],
        Some("none") => Vec::new(),
        Some("silent" | "many") => vec![other(VerdictState::Steady)],
        _ if !selector.containers.is_empty() => vec![leak()],
        _ => vec![leak(), other(VerdictState::Steady)],
    };
    let chosen = selector.processes.first().map_or("", String::as_str);
    let mut accounting = accounting();
    if chosen == "silent" {
        accounting.losses.push(Loss {
            cause: "nodes_silent".into(),
            count: 9,
            ..Loss::default()
        });
    }
    ListVerdictsResponse {
        total: if chosen == "many" {
            1_001
        } else {
            verdicts.len() as u32
        },
        verdicts,
        time: at(OLDEST + 360),
        accounting: Some(accounting),
    }
}

pub(super) fn changes() -> impl Iterator<Item = VerdictChange> + Send {
    let change = VerdictChange {
        time: at(OLDEST),
        from: VerdictState::Growing.into(),
        verdict: Some(leak()),
    };
    std::iter::once(change)
}

/// One kill, but of what is gone.
pub(super) fn kills(request: &ListOomKillsRequest) -> ListOomKillsResponse {
    let selector = request.selector.clone().unwrap_or_default();
    if selector.processes == ["gone"] {
        return ListOomKillsResponse::default();
    }
    let kill = OomKill {
        time: at(OLDEST),
        pid: 4711,
        process_name: "app".into(),
        target: leak().target,
        constraint: "cgroup".into(),
        source: "mark_victim".into(),
        victim_anon_bytes: Some(60 * MIB),
        growth: vec![row(6 * MIB, "cache_put")],
        growth_seconds: 300.0,
        state_before: VerdictState::Leaking.into(),
        points: points(),
        ..OomKill::default()
    };
    ListOomKillsResponse {
        kills: vec![kill],
        total: 1,
        forgotten: 3,
    }
}
