use std::sync::atomic::Ordering;

use profiler_proto::v1::{self, FrameKind, GroupBy, OrderBy, OwnerKind};

use super::fake::{
    CONTAINER, ENDED, NODE, PAGE, Pipeline, REDIS, Served, UNIT, functions, stack, wall,
};
use crate::{connection::Behalf, ledger::Owner};

/// A recorded life of three processes, with snapshots at 500, 510 and 520 s.
pub(super) fn recorded() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.map(NODE, Owner::PreExisting, 150, 0x100, 10);
    pipeline.map(NODE, stack(1), 200, 0x200, 8);
    pipeline.map(REDIS, stack(3), 300, 0x100, 6);
    pipeline.map(ENDED, stack(2), 310, 0x100, 4);
    pipeline.keep(500);
    pipeline.map(NODE, stack(1), 505, 0x300, 16);
    pipeline.map(NODE, stack(2), 506, 0x400, 4);
    pipeline.unmap(NODE, 507, 0x200, 2);
    pipeline.exit(ENDED, 508);
    pipeline.keep(510);
    pipeline.map(
        REDIS,
        Owner::Unsampled {
            behalf: Behalf::NOBODY,
        },
        515,
        0x400,
        3,
    );
    pipeline.keep(520);
    pipeline.map(NODE, stack(2), 600, 0x500, 1);
    pipeline
}

fn figures(row: &v1::GrowthRow) -> (u64, u64, u64) {
    (
        row.committed_allocated_bytes / PAGE,
        row.committed_freed_bytes / PAGE,
        row.committed_live_bytes / PAGE,
    )
}

async fn top(served: &mut Served, request: v1::TopRequest) -> v1::TopResponse {
    served
        .client
        .top(request)
        .await
        .expect("an answer")
        .into_inner()
}

#[tokio::test]
async fn top_by_stack_names_the_largest_rows() {
    let mut served = Served::new(recorded()).await;
    let answer = top(&mut served, v1::TopRequest::default()).await;
    let rows: Vec<_> = answer
        .rows
        .iter()
        .map(|row| (row.pid % 10, figures(row)))
        .collect();
    let want = [
        (1, (24, 2, 22)),
        (2, (6, 0, 6)),
        (1, (5, 0, 5)),
        (3, (4, 4, 0)),
    ];
    assert_eq!((rows, answer.total_rows), (want.to_vec(), 4));

    let first = &answer.rows[0];
    assert_eq!(functions(first), ["mmap", "grow", "grow", "main"]);
    assert_eq!(
        (first.truncated, first.events, first.stack_id),
        (false, 2, 2)
    );
    assert_eq!(
        (first.owner(), first.tier()),
        (OwnerKind::Stack, v1::EvidenceTier::C)
    );
    assert_eq!(
        (first.process_name.as_str(), first.container_id.as_str()),
        ("node", CONTAINER)
    );
    let ages = (first.oldest_live_age_seconds, first.newest_live_age_seconds);
    assert_eq!(ages, (800.0, 495.0));
    assert_eq!(first.live_delta_bytes, 0, "only in a diff");

    let cut = &answer.rows[1];
    assert!(cut.truncated);
    assert_eq!(functions(cut), ["brk", "malloc", ""]);
    assert_eq!(cut.frames[2].kind(), FrameKind::Truncated);
    let snapshot = answer.snapshot.expect("a snapshot");
    assert_eq!((snapshot.time, snapshot.since), (wall(1000), wall(100)));
    served.stop().await;
}

#[tokio::test]
async fn every_answer_accounts_for_what_it_rests_on() {
    let mut served = Served::new(recorded()).await;
    let all = top(&mut served, v1::TopRequest::default()).await;
    let all = all.accounting.expect("an accounting");
    assert_eq!((all.events_seen, all.captures_seen), (77, 55));
    assert_eq!((all.stacks_complete, all.stacks_truncated), (50, 5));
    assert!(!all.losses[0].meaning.contains("until now"));
    assert_eq!(all.ledger_committed_bytes / PAGE, 46);
    assert_eq!(all.stack_committed_bytes / PAGE, 33);
    assert_eq!(all.unattributed_bytes / PAGE, 10);
    assert!((all.unattributed_share - 10.0 / 46.0).abs() < 1e-9);
    let losses: Vec<_> = all
        .losses
        .iter()
        .map(|loss| (loss.cause.as_str(), loss.count))
        .collect();
    assert_eq!(losses, [("capture_ring_full", 3), ("stack_table_full", 9)]);

    let request = v1::TopRequest {
        selector: Some(v1::Selector {
            processes: vec!["redis*".to_owned()],
            ..v1::Selector::default()
        }),
        ..v1::TopRequest::default()
    };
    let redis = top(&mut served, request)
        .await
        .accounting
        .expect("an accounting");
    assert_eq!((redis.events_seen, redis.captures_seen), (2, 1));
    assert_eq!(redis.ledger_committed_bytes / PAGE, 9);
    assert_eq!(redis.losses[0].cause, "operations_lost");
    assert_eq!(redis.losses[0].count, 2);
    assert!(redis.losses[1].meaning.contains("whole agent"));
    assert_eq!((redis.stacks_complete, redis.stacks_truncated), (0, 0));

    let past = v1::TopRequest {
        at: wall(510),
        ..v1::TopRequest::default()
    };
    let past = top(&mut served, past).await.accounting;
    let losses = past.expect("an accounting").losses;
    assert!(losses.iter().all(|loss| loss.meaning.contains("until now")));
    served.stop().await;
}

#[tokio::test]
async fn top_by_process_and_container_is_exact() {
    let mut served = Served::new(recorded()).await;
    let by = |by: GroupBy| v1::TopRequest {
        by: by.into(),
        ..v1::TopRequest::default()
    };
    let processes = top(&mut served, by(GroupBy::Process)).await;
    let rows: Vec<_> = processes
        .rows
        .iter()
        .map(|row| (row.pid % 10, figures(row)))
        .collect();
    let want = [(1, (39, 2, 37)), (2, (9, 0, 9)), (3, (4, 4, 0))];
    assert_eq!(rows, want);
    assert_eq!(processes.rows[0].owner(), OwnerKind::Aggregate);
    assert_eq!(processes.rows[0].events, 4);
    assert_eq!(processes.rows[0].oldest_live_age_seconds, 850.0);

    let containers = top(&mut served, by(GroupBy::Container)).await;
    let rows = containers.rows.iter();
    let rows: Vec<_> = rows
        .map(|row| (row.container_id.as_str(), row.pid, figures(row)))
        .collect();
    let want = [
        (CONTAINER, 0, (39, 2, 37)),
        (UNIT, 0, (9, 0, 9)),
        ("host", 0, (4, 4, 0)),
    ];
    assert_eq!(rows, want);
    for (name, pid) in [(CONTAINER, 1), (UNIT, 2), ("host", 3)] {
        let request = v1::TopRequest {
            selector: Some(v1::Selector {
                containers: vec![name.to_owned()],
                ..v1::Selector::default()
            }),
            ..by(GroupBy::Process)
        };
        let answer = top(&mut served, request).await;
        let pids: Vec<_> = answer.rows.iter().map(|row| row.pid % 10).collect();
        assert_eq!(pids, [pid], "the row of {name} names what it stands for");
    }
    served.stop().await;
}

#[tokio::test]
async fn top_by_function_counts_recursion_once() {
    let mut served = Served::new(recorded()).await;
    let request = v1::TopRequest {
        by: GroupBy::Function.into(),
        include_unattributed: true,
        ..v1::TopRequest::default()
    };
    let answer = top(&mut served, request).await;
    let rows: Vec<_> = answer
        .rows
        .iter()
        .map(|row| {
            let name = row
                .frames
                .first()
                .map_or("", |frame| frame.function.as_str());
            (
                name,
                row.committed_live_bytes / PAGE,
                row.self_live_bytes / PAGE,
            )
        })
        .collect();
    let find = |name: &str| {
        rows.iter()
            .find(|row| row.0 == name)
            .map(|row| (row.1, row.2))
    };
    assert_eq!(find("mmap"), Some((27, 27)));
    assert_eq!(find("main"), Some((27, 0)));
    assert_eq!(find("grow"), Some((22, 0)));
    assert_eq!(find("cache"), Some((5, 0)));
    assert_eq!(find("brk"), Some((6, 6)));
    assert_eq!(find(""), Some((10, 10)));
    assert_eq!(rows.len(), 7);
    let grow = answer
        .rows
        .iter()
        .find(|row| functions(row) == ["grow"])
        .expect("grow");
    assert_eq!((grow.pid, grow.frames[0].line), (4_000_001, 0));
    let main = answer
        .rows
        .iter()
        .find(|row| functions(row) == ["main"])
        .expect("main");
    assert_eq!(main.pid, 0, "two processes have it");
    served.stop().await;
}

#[tokio::test]
async fn the_past_is_answered_from_the_history() {
    let mut served = Served::new(recorded()).await;
    let request = v1::TopRequest {
        at: wall(505),
        include_unattributed: true,
        order: OrderBy::Allocated.into(),
        limit: 2,
        ..v1::TopRequest::default()
    };
    let answer = top(&mut served, request).await;
    assert_eq!(answer.snapshot.expect("a snapshot").time, wall(500));
    let rows: Vec<_> = answer
        .rows
        .iter()
        .map(|row| (row.owner(), figures(row)))
        .collect();
    let want = [
        (OwnerKind::PreExisting, (10, 0, 10)),
        (OwnerKind::Stack, (8, 0, 8)),
    ];
    assert_eq!((rows, answer.total_rows), (want.to_vec(), 4));
    served.stop().await;
}

#[tokio::test]
async fn a_time_read_off_an_answer_finds_its_snapshot_again() {
    let mut served = Served::new(recorded()).await;
    // The wall clock was slewed by a tenth of a second since.
    let request = v1::TopRequest {
        at: Some(pbjson_types::Timestamp {
            nanos: 900_000_000,
            ..wall(499).expect("a time")
        }),
        ..v1::TopRequest::default()
    };
    let answer = top(&mut served, request).await;
    assert_eq!(answer.snapshot.expect("a snapshot").time, wall(500));
    served.stop().await;
}

#[tokio::test]
async fn a_diff_tells_growth_between_two_moments() {
    let mut served = Served::new(recorded()).await;
    let request = v1::DiffRequest {
        from: wall(500),
        to: wall(519),
        ..v1::DiffRequest::default()
    };
    let answer = served
        .client
        .diff(request)
        .await
        .expect("an answer")
        .into_inner();
    assert_eq!((answer.from, answer.to), (wall(500), wall(510)));
    let rows = answer.rows.iter();
    let rows: Vec<_> = rows
        .map(|row| {
            (
                row.pid % 10,
                figures(row),
                row.live_delta_bytes / PAGE as i64,
            )
        })
        .collect();
    let want = [(1, (16, 2, 22), 14), (1, (4, 0, 4), 4), (3, (0, 4, 0), -4)];
    assert_eq!(rows, want, "redis's row did not change");

    let request = v1::TopRequest {
        since: wall(520),
        by: GroupBy::Process.into(),
        ..v1::TopRequest::default()
    };
    let answer = top(&mut served, request).await;
    let rows: Vec<_> = answer
        .rows
        .iter()
        .map(|row| (row.pid % 10, figures(row)))
        .collect();
    assert_eq!(rows, [(1, (1, 0, 37))]);
    assert_eq!(answer.rows[0].live_delta_bytes / PAGE as i64, 1);
    assert_eq!(answer.snapshot.expect("a snapshot").since, wall(520));
    served.stop().await;
}

#[tokio::test]
async fn targets_are_listed_largest_first() {
    let mut served = Served::new(recorded()).await;
    let request = v1::ListTargetsRequest::default();
    let answer = served
        .client
        .list_targets(request)
        .await
        .expect("an answer")
        .into_inner();
    let names: Vec<_> = answer
        .targets
        .iter()
        .map(|target| target.process_name.as_str())
        .collect();
    assert_eq!((names, answer.total), (vec!["node", "redis-server"], 2));
    let node = &answer.targets[0];
    assert_eq!(
        (
            node.committed_bytes / PAGE,
            node.operations,
            node.operations_lost
        ),
        (37, 6, 2)
    );
    assert_eq!((node.namespace_pid, node.pod_uid.as_str()), (1, "pod-1"));
    assert_eq!(node.state(), v1::TargetState::Observed);

    let request = v1::ListTargetsRequest {
        include_exited: true,
        selector: Some(v1::Selector {
            containers: vec!["host".to_owned()],
            ..v1::Selector::default()
        }),
        limit: 1,
        ..v1::ListTargetsRequest::default()
    };
    let answer = served
        .client
        .list_targets(request)
        .await
        .expect("an answer")
        .into_inner();
    assert_eq!((answer.targets.len(), answer.total), (1, 1));
    served.stop().await;
}

#[tokio::test]
async fn ranges_come_with_their_owners_and_names() {
    let mut served = Served::new(recorded()).await;
    let request = v1::ListRangesRequest {
        pid: 4_000_002,
        with_frames: true,
    };
    let answer = served
        .client
        .list_ranges(request)
        .await
        .expect("an answer")
        .into_inner();
    let ranges: Vec<_> = answer
        .ranges
        .iter()
        .map(|range| {
            (
                range.start / PAGE,
                range.end / PAGE,
                range.owner(),
                range.frames.len(),
            )
        })
        .collect();
    let want = [
        (0x100, 0x106, OwnerKind::Stack, 3),
        (0x400, 0x403, OwnerKind::Unsampled, 0),
    ];
    assert_eq!(ranges, want);
    assert!(answer.ranges[0].committed && !answer.ranges[0].released);
    assert_eq!(
        (answer.ranges[0].since, answer.ranges[0].stack_id),
        (wall(300), 4)
    );
    assert_eq!(
        answer.target.expect("the target").process_name,
        "redis-server"
    );
    served.stop().await;
}

#[tokio::test]
async fn the_status_tells_of_the_agent() {
    let mut served = Served::new(recorded()).await;
    let request = v1::GetStatusRequest {};
    let status = served
        .client
        .get_status(request)
        .await
        .expect("an answer")
        .into_inner();
    assert_eq!((status.started, status.containers), (wall(100), 1));
    assert_eq!(status.uptime.expect("an uptime").seconds, 900);
    assert!(status.agent_resident_bytes > 0 && !status.boot_id.is_empty());
    assert!(status.history_bytes > 0 && status.history_bytes < status.history_budget_bytes);
    assert_eq!(status.history_oldest, wall(500));
    served.stop().await;
}

#[tokio::test]
async fn questions_that_come_together_share_a_snapshot() {
    let served = Served::new(recorded()).await;
    let ask = || {
        let mut client = served.client.clone();
        tokio::spawn(async move {
            client
                .top(v1::TopRequest::default())
                .await
                .expect("an answer")
        })
    };
    let asked: Vec<_> = (0..8).map(|_| ask()).collect();
    for answer in asked {
        answer.await.expect("no panic");
    }
    assert!(served.asked.load(Ordering::Relaxed) < 4);
    served.stop().await;
}
