use super::*;
use crate::{
    model::{ContainerFacts, Totals},
    testing::{entry, info, on_node},
};

const MINUTE: u64 = 60_000_000_000;

/// A process of a container.
fn inside(pid: u32, name: &str, container: &str) -> TargetInfo {
    TargetInfo {
        container: Arc::new(ContainerFacts {
            id: container.to_owned(),
            name: container.to_owned(),
            root: format!("/docker/{container}"),
            cgroup: format!("/docker/{container}/inner"),
            ..ContainerFacts::default()
        }),
        ..on_node(info(pid, name), "a", &[])
    }
}

fn at(minute: u64, processes: Vec<ProcessEntry>) -> Snapshot {
    Snapshot {
        time: BootTime(minute * MINUTE),
        processes,
        ..Snapshot::default()
    }
}

fn ask(request: v1::ListSeriesRequest, snapshots: &[Snapshot]) -> v1::ListSeriesResponse {
    let question = Series::new(request).expect("a question");
    let mut gathered = question.gather();
    for snapshot in snapshots {
        gathered.add(snapshot).expect("room");
    }
    let clocks = Clocks::wall(BootTime(0));
    gathered.finish(clocks).expect("an answer")
}

fn by(by: SeriesBy) -> v1::ListSeriesRequest {
    v1::ListSeriesRequest {
        by: by.into(),
        ..v1::ListSeriesRequest::default()
    }
}

fn live(series: &v1::Series) -> Vec<u64> {
    let points = series.points.iter();
    points.map(|point| point.committed_live_bytes).collect()
}

#[test]
fn a_container_that_is_restarted_has_one_series_after_the_other() {
    let one = |pid, handle, live| entry(handle, inside(pid, "node", "c1"), live);
    let snapshots = [
        at(0, vec![one(7, 1, 100)]),
        at(1, vec![one(7, 1, 200)]),
        // The same process with another program.
        at(2, vec![one(7, 2, 300)]),
        at(3, vec![one(8, 3, 10)]),
        at(4, vec![one(8, 3, 20), one(9, 4, 5)]),
        at(5, vec![one(9, 4, 6)]),
    ];
    let answer = ask(by(SeriesBy::Container), &snapshots);
    assert_eq!(answer.total, 2);
    let [first, second] = &answer.series[..] else {
        panic!("two series")
    };
    assert_eq!(live(first), [100, 200, 300]);
    assert!((first.live_slope_bytes_per_hour - 6000.0).abs() < 1e-6);
    assert!(!first.alive && second.alive);
    assert_eq!(live(second), [10, 25, 6]);
    let target = second.target.as_ref().expect("a target");
    assert_eq!((target.pid, &*target.process_name), (0, ""));
    assert_eq!((&*target.cgroup, &*target.node), ("/docker/c1", "a"));
    assert_eq!(second.points[1].processes, 2);
    let given_back = second.points.last().expect("a point").committed_freed_bytes;
    assert_eq!(given_back, 20, "what went with its process");
    assert_eq!(first.first.map(|time| time.seconds), Some(0));
    assert_eq!(second.first.map(|time| time.seconds), Some(180));
}

#[test]
fn each_process_has_its_own_and_a_node_has_all() {
    let mut ended = entry(2, inside(8, "sh", "c1"), 0);
    Arc::make_mut(&mut ended.info).exited = Some(BootTime(90));
    let group = entry(3, inside(0, "sh", "c1"), 0);
    let snapshots = [
        at(
            0,
            vec![
                entry(1, inside(7, "node", "c1"), 100),
                entry(2, inside(8, "sh", "c1"), 50),
            ],
        ),
        at(1, vec![entry(1, inside(7, "node", "c1"), 100), ended]),
        at(2, vec![entry(1, inside(7, "node", "c1"), 100), group]),
    ];
    let processes = ask(by(SeriesBy::Process), &snapshots);
    let rows: Vec<_> = processes
        .series
        .iter()
        .map(|one| {
            (
                one.target.as_ref().map_or(0, |target| target.pid),
                one.alive,
                live(one),
            )
        })
        .collect();
    assert_eq!(rows, [(7, true, vec![100, 100, 100]), (8, false, vec![50])]);
    let nodes = ask(by(SeriesBy::Node), &snapshots);
    assert_eq!(nodes.total, 1);
    assert_eq!(live(&nodes.series[0]), [150, 100, 100]);
    let target = nodes.series[0].target.as_ref().expect("a target");
    assert_eq!((&*target.node, &*target.container_id), ("a", ""));
}

#[test]
fn demand_does_not_fall_when_memory_does() {
    let process = |allocated, freed| ProcessEntry {
        totals: Totals {
            allocated,
            freed,
            ..Totals::default()
        },
        ..entry(1, inside(7, "node", "c1"), 0)
    };
    let snapshots = [
        at(0, vec![process(100, 0)]),
        at(1, vec![process(160, 100)]),
        at(2, vec![process(170, 165)]),
    ];
    let answer = ask(by(SeriesBy::Container), &snapshots);
    let points: Vec<_> = answer.series[0]
        .points
        .iter()
        .map(|point| (point.committed_allocated_bytes, point.committed_freed_bytes))
        .collect();
    assert_eq!(points, [(0, 0), (60, 100), (70, 165)]);
    assert_eq!(live(&answer.series[0]), [100, 60, 5]);
}

#[test]
fn only_what_is_chosen_is_gathered_and_what_never_was_is_an_error() {
    let snapshots = [at(
        0,
        vec![
            entry(1, inside(7, "node", "c123"), 100),
            entry(2, inside(8, "redis", "c456"), 50),
        ],
    )];
    let chosen = |selector| v1::ListSeriesRequest {
        selector: Some(selector),
        limit: 1,
        ..by(SeriesBy::Container)
    };
    let redis = v1::Selector {
        processes: vec!["redis".to_owned()],
        ..v1::Selector::default()
    };
    let answer = ask(chosen(redis), &snapshots);
    assert_eq!((answer.total, live(&answer.series[0])), (1, vec![50]));
    let unknown = v1::Selector {
        pids: vec![99],
        ..v1::Selector::default()
    };
    let question = Series::new(chosen(unknown)).expect("a question");
    let mut gathered = question.gather();
    gathered.add(&snapshots[0]).expect("room");
    let refused = gathered.finish(Clocks::wall(BootTime(0)));
    assert!(matches!(refused, Err(NotChosen::Pid(99))));
}

#[test]
fn too_much_is_refused() {
    for request in [
        v1::ListSeriesRequest {
            points: 2_001,
            ..Default::default()
        },
        v1::ListSeriesRequest {
            limit: 1_001,
            ..Default::default()
        },
        v1::ListSeriesRequest {
            by: 9,
            ..Default::default()
        },
    ] {
        assert!(Series::new(request).is_err());
    }
    let question = Series::new(by(SeriesBy::Process)).expect("a question");
    let mut gathered = question.gather();
    let processes: Vec<_> = (1..1_001)
        .map(|pid| entry(pid, info(pid, "x"), 1))
        .collect();
    let refused = (0..600).find_map(|minute| gathered.add(&at(minute, processes.clone())).err());
    let refused = refused.expect("a refusal");
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
}

#[test]
fn what_ran_on_a_node_that_fell_silent_has_not_ended() {
    let on = |node: &str, pid| on_node(info(pid, "node"), node, &[]);
    let snapshots = [
        at(
            0,
            vec![
                entry(1, on("a", 1), 10),
                entry(2, on("b", 2), 10),
                entry(3, on("a", 3), 10),
            ],
        ),
        at(1, vec![entry(1, on("a", 1), 10)]),
    ];
    let answer = ask(by(SeriesBy::Process), &snapshots);
    let targets = answer.series.iter().filter_map(|one| one.target.as_ref());
    let mut states: Vec<_> = targets.map(|one| (one.pid, one.state())).collect();
    states.sort_by_key(|(pid, _)| *pid);
    use v1::TargetState::{Exited, Observed};
    assert_eq!(states, [(1, Observed), (2, Observed), (3, Exited)]);
}
