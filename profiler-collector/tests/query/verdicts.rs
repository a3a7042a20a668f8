//! Verdicts, OOM kills and resident figures of a fleet.

use profiler_collector::store::Store as _;
use profiler_proto::v1::{self, VerdictState, query_server::Query as _};
use profiler_stream::encode::part;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};

use crate::fixture::{Agent, MIB, Table, World, at};

/// A container of the fixtures' tables, as an agent says it.
fn target(container: &str) -> v1::Target {
    v1::Target {
        node: "claimed".to_owned(),
        container_id: format!("{container}-0123456789abcdef"),
        container_kind: "docker".to_owned(),
        cgroup: format!("/{container}"),
        namespace: "shop".to_owned(),
        ..v1::Target::default()
    }
}

fn verdict(container: &str, state: VerdictState, slope: f64) -> v1::Verdict {
    v1::Verdict {
        node: "claimed".to_owned(),
        target: Some(target(container)),
        state: state.into(),
        slope_bytes_per_hour: slope,
        observed_seconds: 3_600.0,
        gates: vec![v1::Gate {
            name: "trend".to_owned(),
            ..v1::Gate::default()
        }],
        lineage: Some(v1::Lineage::default()),
        ..v1::Verdict::default()
    }
}

fn verdicts(verdicts: Vec<v1::Verdict>) -> v1::Part {
    part(v1::PartKind::Verdicts, &v1::VerdictsPart { verdicts })
}

fn readings(of: &[(&str, u64)], calls: u64) -> v1::Part {
    let of = of.iter().map(|(container, anon_bytes)| v1::ResidentOf {
        target: Some(target(container)),
        resident: Some(v1::Resident {
            anon_bytes: *anon_bytes,
            swap_bytes: MIB,
            limit_bytes: Some(64 * MIB),
            received_calls: calls,
            ..v1::Resident::default()
        }),
    });
    part(
        v1::PartKind::Resident,
        &v1::ResidentPart { of: of.collect() },
    )
}

fn table() -> Table {
    Table::default()
        .process(1, 100, "docker-web")
        .stack(1, MIB, 0)
        .process(2, 200, "docker-db")
        .stack(2, MIB, 0)
}

async fn send(world: &World, agent: &mut Agent, seconds: u64, extra: Vec<v1::Part>) {
    let write = agent.write(&table().0, seconds, true, extra);
    world.store.write(vec![write]).await.expect("written");
}

/// Two nodes with verdicts, one whose agent sends none, and one that fell silent.
async fn fleet() -> World {
    let world = World::new();
    let mut a = Agent::new("a", 1, 1, 0);
    for minute in 1..=10 {
        let state = match minute {
            ..5 => VerdictState::WarmingUp,
            _ => VerdictState::Leaking,
        };
        let found = verdicts(vec![
            verdict("docker-web", state, 5e6),
            verdict("docker-db", VerdictState::Steady, 0.0),
        ]);
        let of = [("docker-web", minute * MIB), ("docker-db", 50 * MIB)];
        let read = readings(&of, minute * 600);
        send(&world, &mut a, minute * 60, vec![found, read]).await;
    }
    let mut b = Agent::new("b", 2, 1, 0);
    let masked = verdict("docker-web", VerdictState::RestartMaskedLeak, 1e6);
    let read = readings(&[("docker-web", 7 * MIB)], 0);
    send(&world, &mut b, 590, vec![verdicts(vec![masked]), read]).await;
    send(&world, &mut Agent::new("old", 3, 1, 0), 590, Vec::new()).await;
    let gone = vec![verdicts(vec![verdict(
        "docker-web",
        VerdictState::Leaking,
        9e9,
    )])];
    send(&world, &mut Agent::new("silent", 4, 1, 0), 60, gone).await;
    world
}

async fn list(world: &World, request: v1::ListVerdictsRequest) -> v1::ListVerdictsResponse {
    let answer = world
        .service(605)
        .list_verdicts(Request::new(request))
        .await;
    answer.expect("an answer").into_inner()
}

/// Node, container and state of each.
fn shown(answer: &v1::ListVerdictsResponse) -> Vec<(&str, &str, VerdictState)> {
    let verdicts = answer.verdicts.iter();
    let shown = verdicts.map(|verdict| {
        let target = verdict.target.as_ref().expect("a target");
        assert_eq!(target.node, verdict.node);
        let name = target.container_id.rsplit_once('-').expect("a name").0;
        (verdict.node.as_str(), name, verdict.state())
    });
    shown.collect()
}

fn on(node: &str) -> Option<v1::Selector> {
    Some(v1::Selector {
        nodes: vec![node.to_owned()],
        ..v1::Selector::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_of_all_nodes_comes_first_with_what_is_missing() {
    let world = fleet().await;
    let answer = list(&world, v1::ListVerdictsRequest::default()).await;
    let expected = [
        ("b", "docker-web", VerdictState::RestartMaskedLeak),
        ("a", "docker-web", VerdictState::Leaking),
        ("a", "docker-db", VerdictState::Steady),
    ];
    assert_eq!(shown(&answer), expected);
    assert_eq!((answer.total, answer.time), (3, at(600)));
    let leak = &answer.verdicts[1];
    assert_eq!(leak.gates[0].name, "trend", "it comes in full");
    assert!(leak.lineage.is_some() && leak.points.is_empty());
    let labels = &leak.target.as_ref().expect("a target").labels;
    assert_eq!(labels["zone"], "zone-1", "with the labels of its node");

    let accounting = answer.accounting.expect("accounting");
    let losses: Vec<_> = accounting.losses.iter().collect();
    let told = |cause| losses.iter().find(|loss| loss.cause == cause).expect(cause);
    assert!(told("nodes_silent").meaning.ends_with("silent"));
    assert_eq!(told("verdicts_unknown").count, 1);
    assert_eq!(accounting.ledger_committed_bytes, 6 * MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_are_chosen_and_cut() {
    let world = fleet().await;
    let narrowed = v1::ListVerdictsRequest {
        selector: on("a"),
        states: vec![VerdictState::Leaking.into()],
        ..v1::ListVerdictsRequest::default()
    };
    let answer = list(&world, narrowed).await;
    assert_eq!(shown(&answer), [("a", "docker-web", VerdictState::Leaking)]);
    let accounting = answer.accounting.expect("accounting");
    assert_eq!(accounting.ledger_committed_bytes, 2 * MIB);

    let cut = v1::ListVerdictsRequest {
        limit: 1,
        ..v1::ListVerdictsRequest::default()
    };
    let answer = list(&world, cut).await;
    assert_eq!((answer.verdicts.len(), answer.total), (1, 3));

    // A process chooses the container that it is in.
    let by_process = v1::ListVerdictsRequest {
        selector: Some(v1::Selector {
            processes: vec!["app-200".to_owned()],
            ..v1::Selector::default()
        }),
        ..v1::ListVerdictsRequest::default()
    };
    let answer = list(&world, by_process).await;
    assert_eq!(shown(&answer), [("a", "docker-db", VerdictState::Steady)]);

    let service = world.service(605);
    let unknown = v1::ListVerdictsRequest {
        selector: Some(v1::Selector {
            containers: vec!["nothing".to_owned()],
            ..v1::Selector::default()
        }),
        ..v1::ListVerdictsRequest::default()
    };
    let refused = service.list_verdicts(Request::new(unknown)).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_of_then_are_what_was_said_then() {
    let world = fleet().await;
    let then = v1::ListVerdictsRequest {
        selector: on("a"),
        at: at(200),
        ..v1::ListVerdictsRequest::default()
    };
    let answer = list(&world, then).await;
    let expected = [
        ("a", "docker-web", VerdictState::WarmingUp),
        ("a", "docker-db", VerdictState::Steady),
    ];
    assert_eq!(shown(&answer), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_comes_with_its_series() {
    let world = fleet().await;
    let request = v1::ListVerdictsRequest {
        with_points: true,
        ..v1::ListVerdictsRequest::default()
    };
    let answer = list(&world, request).await;
    let points = &answer.verdicts[1].points;
    let sizes: Vec<u64> = points.iter().map(|point| point.max_bytes / MIB).collect();
    assert_eq!(sizes, (2..=11).collect::<Vec<u64>>(), "with swap");
    assert!(points.iter().all(|point| point.limit_bytes == 64 * MIB));
    assert_eq!((points[0].time, points[9].time), (at(60), at(600)));
    assert!((points[9].received_calls_per_second - 10.0).abs() < 1e-9);
    assert_eq!(answer.verdicts[0].points.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn resident_figures_are_those_of_the_last_batch_and_over_time() {
    let world = fleet().await;
    let service = world.service(605);
    let ask = async |request| service.list_resident(Request::new(request)).await;
    let now = v1::ListResidentRequest {
        limit: 2,
        ..v1::ListResidentRequest::default()
    };
    let answer = ask(now).await.expect("an answer").into_inner();
    let sizes = answer.series.iter().map(|one| {
        assert!(one.points.is_empty());
        one.now.as_ref().expect("a reading").anon_bytes / MIB
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [50, 10], "the largest first");
    assert_eq!(answer.total, 3);

    let over_time = v1::ListResidentRequest {
        selector: on("a"),
        from: at(100),
        to: at(400),
        points: 3,
        ..v1::ListResidentRequest::default()
    };
    let answer = ask(over_time).await.expect("an answer").into_inner();
    let web = &answer.series[1];
    let sizes: Vec<u64> = web.points.iter().map(|one| one.max_bytes / MIB).collect();
    assert_eq!(sizes, [4, 6, 7], "of each third the last");

    let by_process = v1::ListResidentRequest {
        by: v1::SeriesBy::Process.into(),
        ..v1::ListResidentRequest::default()
    };
    let refused = ask(by_process).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::Unimplemented);
}

fn kill(number: u64, seconds: u64, node: &str, container: &str) -> v1::Event {
    let kill = v1::OomKill {
        time: at(seconds),
        node: node.to_owned(),
        target: Some(v1::Target {
            node: node.to_owned(),
            ..target(container)
        }),
        pid: number as u32,
        ..v1::OomKill::default()
    };
    v1::Event {
        number,
        time: at(seconds),
        kind: Some(v1::event::Kind::OomKill(kill)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_are_listed_the_latest_first_and_longer_than_batches() {
    let world = fleet().await;
    let mut a = Agent::new("a", 1, 9, 0);
    let mut write = a.write(&table().0, 601, true, Vec::new());
    // Many at one moment, and more than are read at one time.
    let many = (1..=1_203).map(|number| kill(number, 100 + number / 600, "a", "docker-web"));
    write.events = many.chain([kill(2_000, 500, "a", "docker-db")]).collect();
    world.store.write(vec![write]).await.expect("written");
    let service = world.service(605);
    let ask = async |request| {
        let answer = service.list_oom_kills(Request::new(request)).await;
        answer.expect("an answer").into_inner()
    };
    let all = ask(v1::ListOomKillsRequest {
        limit: 1_000,
        ..v1::ListOomKillsRequest::default()
    })
    .await;
    assert_eq!((all.kills.len(), all.total), (1_000, 1_204));
    assert_eq!((all.kills[0].pid, all.kills[0].time), (2_000, at(500)));
    let times: Vec<_> = all
        .kills
        .iter()
        .map(|kill| kill.time.map(|time| time.seconds))
        .collect();
    assert!(times.is_sorted_by(|one, next| one >= next));

    let narrowed = ask(v1::ListOomKillsRequest {
        selector: Some(v1::Selector {
            containers: vec!["docker-db".to_owned()],
            ..v1::Selector::default()
        }),
        ..v1::ListOomKillsRequest::default()
    })
    .await;
    assert_eq!((narrowed.kills.len(), narrowed.total), (1, 1));
    let before = ask(v1::ListOomKillsRequest {
        to: at(99),
        ..v1::ListOomKillsRequest::default()
    })
    .await;
    assert_eq!(before.total, 0);
    let within = ask(v1::ListOomKillsRequest {
        from: at(101),
        to: at(102),
        ..v1::ListOomKillsRequest::default()
    })
    .await;
    assert_eq!((within.kills.len(), within.total), (50, 604));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_learns_first_what_holds() {
    let world = fleet().await;
    let request = v1::WatchVerdictsRequest {
        selector: on("a"),
        ..v1::WatchVerdictsRequest::default()
    };
    let service = world.service(605);
    let stream = service.watch_verdicts(Request::new(request));
    let stream = stream.await.expect("a stream").into_inner();
    let begin: Vec<_> = stream.take(2).collect().await;
    let states = begin.into_iter().map(|change| {
        let change = change.expect("a change");
        assert_eq!(change.from(), VerdictState::Unspecified);
        change.verdict.expect("a verdict").state()
    });
    assert_eq!(
        states.collect::<Vec<_>>(),
        [VerdictState::Leaking, VerdictState::Steady]
    );
}
