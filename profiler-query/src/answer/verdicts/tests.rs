use std::sync::Arc;

use pbjson_types::Timestamp;
use profiler_proto::v1::{self, VerdictState};
use tonic::Code;

use super::*;
use crate::{
    answer::NotChosen,
    model::{ContainerFacts, TargetInfo},
    testing::info,
};

fn container(id: &str, state: VerdictState) -> v1::Verdict {
    let target = v1::Target {
        container_id: id.to_owned(),
        container_kind: "docker".to_owned(),
        cgroup: format!("/docker/{id}"),
        process_name: "node".to_owned(),
        ..v1::Target::default()
    };
    verdict(target, state)
}

fn process(pid: u32, state: VerdictState) -> v1::Verdict {
    let target = v1::Target {
        pid,
        process_name: "make".to_owned(),
        container_kind: "host".to_owned(),
        cgroup: "/user".to_owned(),
        ..v1::Target::default()
    };
    verdict(target, state)
}

fn verdict(target: v1::Target, state: VerdictState) -> v1::Verdict {
    v1::Verdict {
        target: Some(target),
        state: state.into(),
        points: vec![v1::ResidentPoint::default()],
        ..v1::Verdict::default()
    }
}

/// A process inside of the container.
fn worker(pid: u32, id: &str) -> TargetInfo {
    TargetInfo {
        container: Arc::new(ContainerFacts {
            id: id.to_owned(),
            kind: "docker".to_owned(),
            root: format!("/docker/{id}"),
            cgroup: format!("/docker/{id}/inner"),
            ..ContainerFacts::default()
        }),
        ..info(pid, "worker")
    }
}

fn names(response: &v1::ListVerdictsResponse) -> Vec<String> {
    let targets = response
        .verdicts
        .iter()
        .filter_map(|one| one.target.as_ref());
    let name = |target: &v1::Target| match target.pid {
        0 => target.container_id.clone(),
        pid => pid.to_string(),
    };
    targets.map(name).collect()
}

fn ask(request: &v1::ListVerdictsRequest, verdicts: Vec<v1::Verdict>) -> v1::ListVerdictsResponse {
    let question = ListVerdicts::new(request).expect("a question");
    question.answer(verdicts, &[]).expect("an answer")
}

fn all() -> Vec<v1::Verdict> {
    vec![
        container("steady", VerdictState::Steady),
        process(7, VerdictState::Growing),
        container("masked", VerdictState::RestartMaskedLeak),
        container("young", VerdictState::WarmingUp),
        container("unclear", VerdictState::Undetermined),
        container("leaking", VerdictState::Leaking),
        container("sawtooth", VerdictState::SawtoothLeak),
    ]
}

#[test]
fn the_worst_comes_first() {
    let response = ask(&v1::ListVerdictsRequest::default(), all());
    assert_eq!(
        names(&response),
        [
            "masked", "sawtooth", "leaking", "7", "unclear", "young", "steady"
        ]
    );
    assert_eq!(response.total, 7);
}

#[test]
fn a_state_that_is_not_known_comes_before_what_is_known_not_to_grow() {
    let mut verdicts = all();
    let mut newer = container("newer", VerdictState::Steady);
    newer.state = 99;
    verdicts.push(newer);
    let response = ask(&v1::ListVerdictsRequest::default(), verdicts);
    assert_eq!(
        names(&response)[3..],
        ["7", "newer", "unclear", "young", "steady"]
    );
}

#[test]
fn processes_whose_cgroup_could_not_be_read_are_judged_one_by_one() {
    let unread = |pid| {
        let target = v1::Target {
            pid,
            process_name: "make".to_owned(),
            ..v1::Target::default()
        };
        verdict(target, VerdictState::Steady)
    };
    let request = v1::ListVerdictsRequest {
        selector: Some(v1::Selector {
            pids: vec![7],
            ..v1::Selector::default()
        }),
        ..v1::ListVerdictsRequest::default()
    };
    let processes = [info(7, "make"), info(8, "make")].map(|info| TargetInfo {
        container: Arc::default(),
        ..info
    });
    let question = ListVerdicts::new(&request).expect("a question");
    let response = question
        .answer(vec![unread(7), unread(8)], &[&processes[0], &processes[1]])
        .expect("an answer");
    assert_eq!(names(&response), ["7"]);
    let containers_only = v1::ListVerdictsRequest {
        containers_only: true,
        ..v1::ListVerdictsRequest::default()
    };
    assert_eq!(ask(&containers_only, vec![unread(7)]).total, 0);
}

#[test]
fn within_a_state_the_nearest_limit_and_then_the_steepest_slope_come_first() {
    let leaking = |id, time, slope| v1::Verdict {
        time_to_limit_seconds: time,
        slope_bytes_per_hour: slope,
        ..container(id, VerdictState::Leaking)
    };
    let verdicts = vec![
        leaking("flat", None, 1.0),
        leaking("steep", None, 9.0),
        leaking("late", Some(500.0), 90.0),
        leaking("soon", Some(5.0), 0.5),
    ];
    let response = ask(&v1::ListVerdictsRequest::default(), verdicts);
    assert_eq!(names(&response), ["soon", "late", "steep", "flat"]);
}

#[test]
fn the_limit_cuts_and_the_total_does_not() {
    let request = v1::ListVerdictsRequest {
        limit: 2,
        ..v1::ListVerdictsRequest::default()
    };
    let response = ask(&request, all());
    assert_eq!(names(&response), ["masked", "sawtooth"]);
    assert_eq!(response.total, 7);
}

#[test]
fn states_and_containers_alone_can_be_asked_for() {
    let request = v1::ListVerdictsRequest {
        states: vec![VerdictState::Growing.into(), VerdictState::Leaking.into()],
        ..v1::ListVerdictsRequest::default()
    };
    assert_eq!(names(&ask(&request, all())), ["leaking", "7"]);
    let request = v1::ListVerdictsRequest {
        containers_only: true,
        ..request
    };
    assert_eq!(names(&ask(&request, all())), ["leaking"]);
}

#[test]
fn points_are_sent_on_request() {
    for with_points in [false, true] {
        let request = v1::ListVerdictsRequest {
            with_points,
            ..v1::ListVerdictsRequest::default()
        };
        let response = ask(&request, all());
        let has_points = |verdict: &v1::Verdict| verdict.points.is_empty() != with_points;
        assert!(response.verdicts.iter().all(has_points));
    }
}

#[test]
fn a_pid_in_a_container_chooses_the_container() {
    let request = |pid| v1::ListVerdictsRequest {
        selector: Some(v1::Selector {
            pids: vec![pid],
            ..v1::Selector::default()
        }),
        ..v1::ListVerdictsRequest::default()
    };
    let worker = worker(41, "leaking");
    let ask = |pid| {
        let question = ListVerdicts::new(&request(pid)).expect("a question");
        question.answer(all(), &[&worker])
    };
    assert_eq!(names(&ask(41).expect("the container")), ["leaking"]);
    assert_eq!(names(&ask(7).expect("the process")), ["7"]);
    assert!(matches!(ask(8), Err(NotChosen::Pid(8))));
}

#[test]
fn a_container_that_is_not_there_is_refused_beside_one_that_is() {
    let request = v1::ListVerdictsRequest {
        selector: Some(v1::Selector {
            containers: vec!["leak".to_owned(), "gone".to_owned()],
            ..v1::Selector::default()
        }),
        ..v1::ListVerdictsRequest::default()
    };
    let question = ListVerdicts::new(&request).expect("a question");
    let worker = worker(41, "leaking");
    let refused = question.answer(all(), &[&worker]).expect_err("a refusal");
    assert_eq!(tonic::Status::from(refused).code(), Code::NotFound);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_name_of_the_field() {
    let list = |limit, states| {
        ListVerdicts::new(&v1::ListVerdictsRequest {
            limit,
            states,
            ..v1::ListVerdictsRequest::default()
        })
        .expect_err("a refusal")
    };
    assert!(list(1_001, vec![]).message().starts_with("limit:"));
    assert!(list(1, vec![99]).message().starts_with("states:"));
    assert!(list(1, vec![0]).message().starts_with("states:"));
    let kills = ListOomKills::new(&v1::ListOomKillsRequest {
        from: Some(at(2)),
        to: Some(at(1)),
        ..v1::ListOomKillsRequest::default()
    });
    assert!(kills.expect_err("a refusal").message().starts_with("from"));
    let resident = |by: v1::SeriesBy, points| {
        ListResident::new(&v1::ListResidentRequest {
            by: by.into(),
            points,
            ..v1::ListResidentRequest::default()
        })
    };
    assert!(resident(v1::SeriesBy::Node, 0).is_err());
    assert!(resident(v1::SeriesBy::Process, 5).is_err());
    assert!(resident(v1::SeriesBy::Container, 2_001).is_err());
    assert!(resident(v1::SeriesBy::Process, 0).is_ok());
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

#[test]
fn kills_of_the_time_asked_for_come_latest_first() {
    let kill = |seconds, pid| v1::OomKill {
        time: Some(at(seconds)),
        pid,
        ..v1::OomKill::default()
    };
    let kills = vec![kill(1, 1), kill(3, 3), kill(2, 2), kill(4, 4)];
    let question = ListOomKills::new(&v1::ListOomKillsRequest {
        from: Some(at(2)),
        to: Some(at(4)),
        limit: 2,
        ..v1::ListOomKillsRequest::default()
    });
    let response = question.expect("a question").answer(kills, &[], 6);
    let pids: Vec<u32> = response.kills.iter().map(|kill| kill.pid).collect();
    assert_eq!(
        (pids, response.total, response.forgotten),
        (vec![4, 3], 3, 6)
    );
}

#[test]
fn who_watches_a_state_hears_of_what_leaves_it() {
    let question = WatchVerdicts::new(&v1::WatchVerdictsRequest {
        states: vec![VerdictState::Leaking.into()],
        ..v1::WatchVerdictsRequest::default()
    });
    let question = question.expect("a question");
    let scope = Scope::new(&question.filter, &[]);
    let change = |from: VerdictState, to| v1::VerdictChange {
        from: from.into(),
        verdict: Some(container("a", to)),
        time: None,
    };
    let hears = |from, to| question.takes(&scope, &change(from, to));
    assert!(hears(VerdictState::Growing, VerdictState::Leaking));
    assert!(hears(VerdictState::Leaking, VerdictState::Undetermined));
    assert!(!hears(VerdictState::Growing, VerdictState::Steady));
}

#[test]
fn fewer_points_keep_extremes_and_time() {
    let point = |second: i64, bytes: u64| v1::ResidentPoint {
        time: Some(at(second)),
        seconds: 1.0,
        min_bytes: bytes,
        max_bytes: bytes + 1,
        open_connections: bytes as f64,
        ..v1::ResidentPoint::default()
    };
    let points: Vec<_> = (1..=5).map(|n| point(n, n as u64 * 10)).collect();
    let fewer = fewer(points, 2);
    assert_eq!(fewer.len(), 2);
    assert_eq!((fewer[0].min_bytes, fewer[0].max_bytes), (10, 31));
    assert_eq!((fewer[0].seconds, fewer[0].time), (3.0, Some(at(3))));
    assert!((fewer[1].open_connections - 45.0).abs() < 1e-9);
}

#[test]
fn the_largest_series_comes_first_and_points_are_those_of_the_time_asked_for() {
    let series = |id: &str, anon_bytes, swap_bytes| v1::ResidentSeries {
        target: container(id, VerdictState::Steady).target,
        now: Some(v1::Resident {
            anon_bytes,
            swap_bytes,
            ..v1::Resident::default()
        }),
        points: (1..=9)
            .map(|second| v1::ResidentPoint {
                time: Some(at(second)),
                ..v1::ResidentPoint::default()
            })
            .collect(),
    };
    let question = ListResident::new(&v1::ListResidentRequest {
        points: 100,
        from: Some(at(3)),
        to: Some(at(5)),
        ..v1::ListResidentRequest::default()
    });
    let all = vec![series("less", 5, 0), series("more", 1, 9)];
    let response = question
        .expect("a question")
        .answer(all, &[])
        .expect("an answer");
    let id = |n: usize| {
        response.series[n]
            .target
            .as_ref()
            .map(|one| one.container_id.as_str())
    };
    assert_eq!((id(0), id(1)), (Some("more"), Some("less")));
    assert_eq!(response.series[0].points.len(), 3);
}
