use profiler_proto::v1::{self, GroupBy};
use tonic::Code;

use super::{
    answers::recorded,
    fake::{Served, functions, wall},
};

fn named(process: &str) -> Option<v1::Selector> {
    Some(v1::Selector {
        processes: vec![process.to_owned()],
        ..v1::Selector::default()
    })
}

#[tokio::test]
async fn pages_of_growth_make_up_the_whole() {
    let mut served = Served::new(recorded()).await;
    let whole = v1::TopRequest {
        at: wall(520),
        include_unattributed: true,
        ..v1::TopRequest::default()
    };
    let answer = served.client.top(whole.clone()).await;
    let want = answer.expect("an answer").into_inner();
    assert_eq!(want.next_page_token, "");
    let (mut got, mut token) = (Vec::new(), String::new());
    loop {
        let request = v1::TopRequest {
            limit: 2,
            page_token: token,
            ..whole.clone()
        };
        let page = served.client.top(request).await;
        let page = page.expect("a page").into_inner();
        assert_eq!(page.total_rows, want.total_rows);
        got.extend(page.rows);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(got, want.rows);
    served.stop().await;
}

#[tokio::test]
async fn a_token_of_another_question_is_refused() {
    let mut served = Served::new(recorded()).await;
    let first = v1::TopRequest {
        limit: 1,
        ..v1::TopRequest::default()
    };
    let page = served.client.top(first.clone()).await;
    let page_token = page.expect("a page").into_inner().next_page_token;
    let request = v1::TopRequest {
        by: GroupBy::Process.into(),
        page_token: page_token.clone(),
        ..first
    };
    let refused = served.client.top(request).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("page_token:"));
    let request = v1::ListTargetsRequest {
        limit: 1,
        page_token,
        ..v1::ListTargetsRequest::default()
    };
    let refused = served.client.list_targets(request).await;
    assert_eq!(
        refused.expect_err("a refusal").code(),
        Code::InvalidArgument
    );
    served.stop().await;
}

#[tokio::test]
async fn targets_of_the_past_are_paged() {
    let mut served = Served::new(recorded()).await;
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListTargetsRequest {
            at: wall(505),
            limit: 1,
            page_token,
            ..v1::ListTargetsRequest::default()
        };
        let page = served.client.list_targets(request).await;
        let page = page.expect("a page").into_inner();
        assert_eq!(page.snapshot.expect("a snapshot").time, wall(500));
        names.extend(page.targets.into_iter().map(|target| target.process_name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        names,
        ["node", "redis-server", "sh"],
        "it had not ended then"
    );
    served.stop().await;
}

#[tokio::test]
async fn one_process_is_compared_with_another() {
    let mut served = Served::new(recorded()).await;
    let request = v1::DiffRequest {
        selector: named("node"),
        against: named("redis-server"),
        by: GroupBy::Function.into(),
        ..v1::DiffRequest::default()
    };
    let answer = served.client.diff(request.clone()).await;
    let answer = answer.expect("an answer").into_inner();
    assert_eq!((answer.from, answer.to), (wall(1000), wall(1000)));
    let first = &answer.rows[0];
    assert_eq!(first.live_delta_bytes as u64, first.committed_live_bytes);
    let last = answer.rows.last().expect("a row");
    assert_eq!(last.committed_live_bytes, 0, "what the other has alone");
    assert!(last.live_delta_bytes < 0 && matches!(functions(last)[..], ["brk" | "malloc"]));

    let against_its_past = v1::DiffRequest {
        against: named("node"),
        from: wall(500),
        ..request.clone()
    };
    let answer = served.client.diff(against_its_past).await;
    let answer = answer.expect("an answer").into_inner();
    assert_eq!((answer.from, answer.to), (wall(500), wall(1000)));

    let by_process = v1::DiffRequest {
        by: GroupBy::Process.into(),
        ..request
    };
    let refused = served.client.diff(by_process).await;
    assert_eq!(
        refused.expect_err("a refusal").code(),
        Code::InvalidArgument
    );
    served.stop().await;
}
