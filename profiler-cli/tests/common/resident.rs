//! Canned resident figures: what a process is called says how it behaves.

use std::time::Duration;

use profiler_proto::v1::{
    ListResidentRequest, ListResidentResponse, Resident, ResidentPoint, ResidentSeries, Target,
};

use super::{MIB, OLDEST, at};

/// `since`: how long the server has been there.
pub(super) fn list(request: &ListResidentRequest, since: Duration) -> ListResidentResponse {
    let selector = request.selector.clone().unwrap_or_default();
    let name = selector.processes.first().cloned().unwrap_or_default();
    let gone = name == "gone" && since > Duration::from_secs(2);
    if gone || name == "none" {
        return ListResidentResponse::default();
    }
    let grown = match name.as_str() {
        "<b>leak</b>" | "leak" => (since.as_secs_f64() * 10.0 * MIB as f64) as u64,
        _ => 0,
    };
    let killed = name == "killed" && since > Duration::from_secs(2);
    let nanos = since.as_nanos() as i64;
    let now = Resident {
        time: Some(pbjson_types::Timestamp {
            seconds: OLDEST + nanos / 1_000_000_000,
            nanos: (nanos % 1_000_000_000) as i32,
        }),
        anon_bytes: 64 * MIB + grown,
        events_oom_kill: Some(u64::from(killed)),
        ..Resident::default()
    };
    ListResidentResponse {
        series: vec![ResidentSeries {
            target: Some(Target {
                pid: if matches!(&*name, "new" | "worse") {
                    4712
                } else {
                    4711
                },
                process_name: name.clone(),
                started: at(OLDEST),
                ..Target::default()
            }),
            now: Some(now),
            points: points(request.points, &name),
        }],
        total: 1,
    }
}

fn points(most: u32, name: &str) -> Vec<ResidentPoint> {
    let per_minute = if name == "worse" { MIB } else { 0 };
    let point = |minute: u32| ResidentPoint {
        time: at(OLDEST + 60 * i64::from(minute)),
        seconds: 60.0,
        min_bytes: 64 * MIB + per_minute * u64::from(minute),
        ..ResidentPoint::default()
    };
    (1..=most.min(60)).map(point).collect()
}
