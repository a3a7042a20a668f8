use std::sync::{Arc, Mutex};

use profiler_proto::v1::{self, query_server::Query as _};
use tokio::{sync::mpsc, task::JoinSet};
use tonic::{Code, Request, Status};

use super::fake::{FakeNames, Pipeline, Served, board, wall};
use crate::export::{Ask, Clock, QueryService, Sources};

async fn top(served: &mut Served, request: v1::TopRequest) -> Status {
    served.client.top(request).await.expect_err("a refusal")
}

fn selecting(selector: v1::Selector) -> v1::TopRequest {
    v1::TopRequest {
        selector: Some(selector),
        ..v1::TopRequest::default()
    }
}

fn kept() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.keep(500);
    pipeline.keep(510);
    pipeline
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mut served = Served::new(Pipeline::new()).await;
    for (pid, why) in [
        (4_999_999, "no such process"),
        (std::process::id(), "this agent"),
        (1, "it runs"),
    ] {
        let selector = v1::Selector {
            pids: vec![pid],
            ..v1::Selector::default()
        };
        let status = top(&mut served, selecting(selector)).await;
        assert_eq!(status.code(), Code::NotFound);
        let message = status.message();
        assert!(
            message.contains(why) && message.contains(&pid.to_string()),
            "{message}"
        );
    }
    let request = v1::ListRangesRequest {
        pid: 4_999_999,
        with_frames: false,
    };
    let status = served
        .client
        .list_ranges(request)
        .await
        .expect_err("a refusal");
    assert_eq!(status.code(), Code::NotFound);
    let selector = v1::Selector {
        containers: vec!["ffffffff".to_owned()],
        ..v1::Selector::default()
    };
    let status = top(&mut served, selecting(selector)).await;
    assert_eq!(status.code(), Code::NotFound);
    served.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_an_invalid_argument() {
    let mut served = Served::new(kept()).await;
    let requests = [
        v1::TopRequest {
            limit: 10_001,
            ..v1::TopRequest::default()
        },
        v1::TopRequest {
            by: 99,
            ..v1::TopRequest::default()
        },
        v1::TopRequest {
            order: 99,
            ..v1::TopRequest::default()
        },
        v1::TopRequest {
            since: wall(510),
            at: wall(500),
            ..v1::TopRequest::default()
        },
        v1::TopRequest {
            at: Some(pbjson_types::Timestamp {
                seconds: 0,
                nanos: -1,
            }),
            ..v1::TopRequest::default()
        },
        selecting(v1::Selector {
            containers: vec!["abc".to_owned()],
            ..v1::Selector::default()
        }),
        selecting(v1::Selector {
            pods: vec!["default/web".to_owned()],
            ..v1::Selector::default()
        }),
    ];
    for request in requests {
        let status = top(&mut served, request.clone()).await;
        assert_eq!(
            status.code(),
            Code::InvalidArgument,
            "{request:?}: {status}"
        );
    }
    let request = v1::DiffRequest::default();
    let status = served.client.diff(request).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("from:"));
    let request = v1::ListSeriesRequest {
        points: 2_001,
        ..v1::ListSeriesRequest::default()
    };
    let status = served.client.list_series(request).await;
    let status = status.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    served.stop().await;
}

#[tokio::test]
async fn times_outside_of_what_is_kept_are_told_the_range() {
    let mut served = Served::new(kept()).await;
    for time in [0, 499, 1001] {
        let request = v1::TopRequest {
            at: wall(time),
            ..v1::TopRequest::default()
        };
        let status = top(&mut served, request).await;
        assert_eq!(status.code(), Code::OutOfRange);
        let message = status.message();
        // 500 s and 510 s after 2023-11-14T22:13:20Z.
        let range = message.contains("22:21:40") && message.contains("22:21:50");
        assert!(range && message.starts_with("at:"), "{message}");
    }
    served.stop().await;

    let mut served = Served::new(Pipeline::new()).await;
    let request = v1::DiffRequest {
        from: wall(500),
        ..v1::DiffRequest::default()
    };
    let status = served.client.diff(request).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("no snapshot is kept yet"));
    served.stop().await;
}

#[tokio::test]
async fn a_question_that_is_too_long_is_refused() {
    let mut served = Served::new(Pipeline::new()).await;
    let selector = v1::Selector {
        processes: vec!["x".repeat(2 << 20)],
        ..v1::Selector::default()
    };
    let status = top(&mut served, selecting(selector)).await;
    assert_eq!(status.code(), Code::OutOfRange);
    served.stop().await;
}

/// A service whose pipeline never answers.
fn deaf() -> (QueryService, mpsc::Receiver<Ask>) {
    let (asks, questions) = mpsc::channel(1);
    let service = QueryService::new(Sources {
        asks,
        history: Arc::new(Mutex::default()),
        names: Arc::new(FakeNames),
        clock: Clock::System,
        node: Arc::default(),
        verdicts: board(Clock::System),
    });
    (service, questions)
}

async fn status(service: QueryService) -> Code {
    let request = Request::new(v1::GetStatusRequest {});
    service
        .get_status(request)
        .await
        .expect_err("a refusal")
        .code()
}

#[tokio::test]
async fn a_pipeline_that_has_ended_is_unavailable() {
    let (service, questions) = deaf();
    drop(questions);
    assert_eq!(status(service).await, Code::Unavailable);
}

#[tokio::test]
async fn too_many_questions_at_once_are_refused_and_not_queued() {
    let (service, _questions) = deaf();
    let mut asked = JoinSet::new();
    for _ in 0..40 {
        asked.spawn(status(service.clone()));
    }
    for _ in 0..8 {
        let refused = asked
            .join_next()
            .await
            .expect("a question")
            .expect("no panic");
        assert_eq!(refused, Code::ResourceExhausted);
    }
    assert_eq!(asked.len(), 32);
    asked.abort_all();
}
