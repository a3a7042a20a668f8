//! Memory over time.

use profiler_collector::{fleet::CostLimits, store::Store as _};
use profiler_proto::v1::{self, SeriesBy, query_server::Query as _};
use tonic::{Code, Request};

use crate::fixture::{Agent, MIB, Table, World, at};

fn web(handle: u32, pid: u32, mib: u64) -> Table {
    Table::default()
        .process(handle, pid, "docker-web")
        .stack(1, mib * MIB, 0)
}

/// Half an hour: the container is replaced after 15 minutes on node a, where the agent is restarted
/// after 20; node b grows slowly.
async fn half_an_hour() -> World {
    let world = World::new();
    let mut old = Agent::new("a", 1, 1, 0);
    let mut new = Agent::new("a", 1, 2, 1190);
    let mut slow = Agent::new("b", 2, 1, 0);
    let mut writes = Vec::new();
    for minute in 0..30_u64 {
        let seconds = minute * 60 + 10;
        let life = minute % 15;
        let (handle, pid) = if minute < 15 { (1, 100) } else { (2, 200) };
        let agent = if minute < 20 { &mut old } else { &mut new };
        writes.push(agent.write(
            &web(handle, pid, 10 + 10 * life).0,
            seconds,
            true,
            Vec::new(),
        ));
        writes.push(slow.write(&web(1, 100, 50 + minute).0, seconds + 5, true, Vec::new()));
    }
    world.store.write(writes).await.expect("written");
    world
}

async fn ask(world: &World, request: v1::ListSeriesRequest) -> v1::ListSeriesResponse {
    let answer = world.service(1800).list_series(Request::new(request)).await;
    answer.expect("an answer").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_replaced_is_one_series_after_the_other() {
    let world = half_an_hour().await;
    let answer = ask(
        &world,
        v1::ListSeriesRequest {
            points: 30,
            ..v1::ListSeriesRequest::default()
        },
    )
    .await;
    assert_eq!(answer.total, 3);
    let series: Vec<_> = answer
        .series
        .iter()
        .map(|one| {
            let node = one.target.as_ref().expect("a target").node.clone();
            let slope = one.live_slope_bytes_per_hour / MIB as f64;
            (node, slope.round() as u64, one.alive, one.points.len())
        })
        .collect();
    let own = |node: &str, slope, alive, points| (node.to_owned(), slope, alive, points);
    assert_eq!(series[2], own("b", 60, true, 30));
    assert!(
        series[..2].contains(&own("a", 600, false, 15)),
        "{series:?}"
    );
    assert!(series[..2].contains(&own("a", 600, true, 15)), "{series:?}");
    let points = &answer.series[2].points;
    let live: Vec<u64> = points
        .iter()
        .map(|point| point.committed_live_bytes / MIB)
        .collect();
    assert_eq!(live, (50..80).collect::<Vec<_>>());
    assert!((answer.from, answer.to) == (at(15), at(29 * 60 + 15)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_goes_on_when_its_agent_is_restarted() {
    let world = half_an_hour().await;
    let answer = ask(
        &world,
        v1::ListSeriesRequest {
            selector: Some(v1::Selector {
                nodes: vec!["a".to_owned()],
                ..v1::Selector::default()
            }),
            by: SeriesBy::Process.into(),
            points: 30,
            ..v1::ListSeriesRequest::default()
        },
    )
    .await;
    let lives: Vec<_> = answer
        .series
        .iter()
        .map(|one| {
            (
                one.target.as_ref().map_or(0, |target| target.pid),
                one.points.len(),
            )
        })
        .collect();
    assert_eq!(lives.len(), 2);
    assert!(
        lives.contains(&(100, 15)) && lives.contains(&(200, 15)),
        "{lives:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_points_are_evenly_spread() {
    let world = half_an_hour().await;
    let answer = ask(
        &world,
        v1::ListSeriesRequest {
            by: SeriesBy::Node.into(),
            from: at(600),
            to: at(1200),
            points: 5,
            ..v1::ListSeriesRequest::default()
        },
    )
    .await;
    assert_eq!(answer.series.len(), 2);
    for one in &answer.series {
        assert_eq!(one.points.len(), 5);
        assert!(one.alive);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_batches_are_refused_before_they_are_read() {
    let world = half_an_hour().await;
    let limits = CostLimits {
        batches: 59,
        ..CostLimits::default()
    };
    let service = world.service_within(1800, limits);
    let request = v1::ListSeriesRequest::default();
    let refused = service.list_series(Request::new(request.clone())).await;
    assert_eq!(
        refused.expect_err("a refusal").code(),
        Code::ResourceExhausted
    );
    let fewer = v1::ListSeriesRequest {
        points: 10,
        ..request
    };
    service
        .list_series(Request::new(fewer))
        .await
        .expect("an answer");
}
