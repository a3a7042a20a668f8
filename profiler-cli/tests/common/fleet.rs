//! Canned answers of a collector with two nodes.

use profiler_proto::v1::{
    GetStatusResponse, GrowthRow, ListNodesResponse, ListSeriesResponse, Loss, Node, NodeState,
    Series, SeriesPoint, Target,
};
use tonic::Status;

use super::{MIB, OLDEST, accounting, at};

pub(super) fn status() -> GetStatusResponse {
    GetStatusResponse {
        version: "0.1.0".into(),
        started: at(OLDEST),
        processes_observed: 2,
        containers: 2,
        history_bytes: 3 << 30,
        history_oldest: at(OLDEST),
        stacks: 40_000,
        accounting: Some(accounting()),
        notes: vec!["a collector with sqlite".into()],
        ..GetStatusResponse::default()
    }
}

pub(super) fn nodes() -> ListNodesResponse {
    let reporting = Node {
        node: "n1".into(),
        state: NodeState::Reporting.into(),
        agent_version: "0.1.0".into(),
        last_batch: at(OLDEST + 600),
        batches: 60,
        targets: 213,
        committed_bytes: 12 * MIB,
        ..Node::default()
    };
    let silent = Node {
        node: "n2".into(),
        state: NodeState::Silent.into(),
        batches_missing: 7,
        losses: vec![Loss {
            cause: "event_ring_full".into(),
            count: 12,
            ..Loss::default()
        }],
        ..reporting.clone()
    };
    ListNodesResponse {
        nodes: vec![reporting, silent],
    }
}

/// Two lives of one container: it was restarted after 5 minutes.
pub(super) fn series() -> ListSeriesResponse {
    ListSeriesResponse {
        series: vec![life(330, 600), life(0, 300)],
        total: 2,
        from: at(OLDEST),
        to: at(OLDEST + 600),
    }
}

fn life(first: i64, last: i64) -> Series {
    let point = |second: i64, live: u64| SeriesPoint {
        time: at(OLDEST + second),
        committed_bytes: live * MIB,
        committed_live_bytes: live * MIB,
        processes: 1,
        ..SeriesPoint::default()
    };
    Series {
        target: Some(Target {
            container_id: "ab".repeat(32),
            namespace: "shop".into(),
            pod: "cart-1".into(),
            node: "n1".into(),
            ..Target::default()
        }),
        first: at(OLDEST + first),
        last: at(OLDEST + last),
        alive: last == 600,
        points: vec![
            point(first, 10),
            point(i64::midpoint(first, last), 40),
            point(last, 80),
        ],
        live_slope_bytes_per_hour: 840.0 * 1_048_576.0,
    }
}

/// The same target on each node.
pub(super) fn spread(target: &Target) -> Vec<Target> {
    let on = |node: &str| Target {
        node: node.into(),
        namespace: "shop".into(),
        pod: "cart-1".into(),
        ..target.clone()
    };
    vec![on("n1"), on("n2")]
}

/// The rows by turns on each node.
pub(super) fn put_nodes(rows: &mut [GrowthRow]) {
    for (row, node) in rows.iter_mut().zip(["n1", "n2"].into_iter().cycle()) {
        row.node = node.into();
    }
}

/// There is a second page of two rows.
pub(super) fn next_page(limit: u32, token: &str) -> Result<String, Status> {
    match (limit, token) {
        (2, "") => Ok("second".into()),
        (_, "" | "second") => Ok(String::new()),
        _ => Err(Status::invalid_argument("no such page")),
    }
}
