use profiler_proto::v1::{self, SeriesBy};
use tonic::Code;

use super::{
    answers::recorded,
    fake::{PAGE, Pipeline, Served, wall},
};

async fn series(
    served: &mut Served,
    request: v1::ListSeriesRequest,
) -> Result<v1::ListSeriesResponse, tonic::Status> {
    let answer = served.client.list_series(request).await;
    answer.map(tonic::Response::into_inner)
}

fn points(one: &v1::Series) -> Vec<(Option<pbjson_types::Timestamp>, u64)> {
    let points = one.points.iter();
    points
        .map(|point| (point.time, point.committed_live_bytes / PAGE))
        .collect()
}

#[tokio::test]
async fn series_go_from_the_history_to_now() {
    let mut served = Served::new(recorded()).await;
    let answer = series(&mut served, v1::ListSeriesRequest::default()).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.from, answer.to), (wall(500), wall(1000)));
    let find = |kind: &str| {
        let mut all = answer.series.iter();
        let is_it = |one: &&v1::Series| {
            let target = one.target.as_ref();
            target.is_some_and(|target| target.container_kind == kind)
        };
        all.find(is_it).expect("a series")
    };
    let node = points(find("docker"));
    assert_eq!(
        node,
        [
            (wall(500), 18),
            (wall(510), 36),
            (wall(520), 36),
            (wall(1000), 37)
        ]
    );
    assert!(find("docker").alive && find("docker").live_slope_bytes_per_hour > 0.0);
    assert_eq!(points(find("systemd")).len(), 4);
    let host = find("host");
    assert_eq!((points(host), host.alive), (vec![(wall(500), 4)], false));
    served.stop().await;
}

#[tokio::test]
async fn a_part_of_the_time_has_its_own_points() {
    let mut served = Served::new(recorded()).await;
    let request = v1::ListSeriesRequest {
        by: SeriesBy::Process.into(),
        from: wall(505),
        to: wall(525),
        points: 1,
        limit: 1,
        ..v1::ListSeriesRequest::default()
    };
    let answer = series(&mut served, request).await.expect("an answer");
    assert_eq!((answer.from, answer.to), (wall(520), wall(520)));
    assert_eq!((answer.series.len(), answer.total), (1, 2));
    for (from, to, code) in [
        (None, wall(499), Code::OutOfRange),
        (None, wall(1010), Code::OutOfRange),
        (wall(1010), None, Code::OutOfRange),
        (wall(520), wall(510), Code::InvalidArgument),
    ] {
        let request = v1::ListSeriesRequest {
            from,
            to,
            ..v1::ListSeriesRequest::default()
        };
        let refused = series(&mut served, request).await.expect_err("a refusal");
        assert_eq!(refused.code(), code, "{refused}");
    }
    served.stop().await;
}

#[tokio::test]
async fn without_a_past_a_series_is_what_is_now() {
    let mut served = Served::new(Pipeline::new()).await;
    let answer = series(&mut served, v1::ListSeriesRequest::default()).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.from, answer.to), (wall(1000), wall(1000)));
    assert!(answer.series.iter().all(|one| one.points.len() == 1));
    served.stop().await;
}

#[tokio::test]
async fn an_agent_answers_for_its_own_node() {
    let mut served = Served::new(recorded()).await;
    let answer = served.client.list_nodes(v1::ListNodesRequest::default());
    let answer = answer.await.expect("an answer").into_inner();
    let [node] = &answer.nodes[..] else {
        panic!("one node")
    };
    assert_eq!(node.state(), v1::NodeState::Reporting);
    assert_eq!((node.targets, node.committed_bytes / PAGE), (2, 46));
    assert_eq!((node.batches, node.runs), (3, 1));
    assert_eq!((node.first_batch, node.last_batch), (wall(500), wall(1000)));
    let losses: Vec<_> = node.losses.iter().map(|loss| loss.count).collect();
    assert_eq!(losses, [3, 9]);
    let other = v1::ListNodesRequest {
        selector: Some(v1::Selector {
            nodes: vec!["another".to_owned()],
            ..v1::Selector::default()
        }),
    };
    let answer = served.client.list_nodes(other).await;
    assert!(answer.expect("an answer").into_inner().nodes.is_empty());
    served.stop().await;
}
