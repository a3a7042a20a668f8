//! Growth of several nodes.

use profiler_proto::v1::{self, GroupBy, query_server::Query as _};
use profiler_query::{
    answer::{Question, Selection, Shape, Targets, account},
    model::{Growth, OwnerKey},
};
use tonic::{Code, Request};

use crate::fixture::{Agent, MIB, Table, World, at, merged, timestamp};

/// Equal pids and stacks on both.
fn first(node: u64) -> Table {
    Table::default()
        .process(1, 100, "docker-web")
        .stack(1, (10 + node) * MIB, MIB)
        .stack(2, 5 * MIB, 0)
        .row(OwnerKey::PreExisting, 7 * MIB, 0)
        .connection(77, 3 * MIB)
        .process(2, 200, "host")
        .stack(1, 2 * MIB, 2 * MIB)
}

fn second(node: u64) -> Table {
    Table::default()
        .process(1, 100, "docker-web")
        .stack(1, (30 + node) * MIB, 4 * MIB)
        .stack(2, 5 * MIB, 0)
        .row(OwnerKey::PreExisting, 7 * MIB, MIB)
        .connection(77, 9 * MIB)
        .process(3, 300, "docker-db")
        .stack(9, 6 * MIB, MIB)
}

async fn two_nodes() -> World {
    let world = World::new();
    for (number, node) in [(1, "a"), (2, "b")] {
        let mut agent = Agent::new(node, number, 1, 0);
        agent.send(&world, &first(number.into()).0, 10, true).await;
        agent
            .send(&world, &second(number.into()).0, 20, false)
            .await;
    }
    world
}

/// Without what numbers stacks: an answer's own on one side, their contents' on the other.
fn unnumbered(rows: &[v1::GrowthRow]) -> Vec<v1::GrowthRow> {
    let rows = rows.iter().map(|row| v1::GrowthRow {
        stack_id: 0,
        ..row.clone()
    });
    rows.collect()
}

fn by(by: GroupBy) -> v1::TopRequest {
    v1::TopRequest {
        by: by.into(),
        include_unattributed: true,
        ..v1::TopRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_one_table_with_all_nodes() {
    let world = two_nodes().await;
    let service = world.service(25);
    let (one, two) = (second(1), second(2));
    let (table, names) = merged(&[("a", &one.0), ("b", &two.0)], 20);
    let growth = Growth::since_start(&table);
    for group in [
        GroupBy::Stack,
        GroupBy::Process,
        GroupBy::Container,
        GroupBy::Node,
        GroupBy::Function,
    ] {
        let answer = service
            .top(Request::new(by(group)))
            .await
            .expect("an answer");
        let answer = answer.into_inner();
        let shape = Shape::new(group.into(), 0, 0, true, false).expect("a shape");
        let expected = shape.rows(&growth, &Selection::All, &names, &());
        assert_eq!(
            unnumbered(&answer.rows),
            unnumbered(&expected.rows),
            "{group:?}"
        );
        assert_eq!(answer.total_rows, expected.total);
        let snapshot = answer.snapshot.expect("a moment");
        assert_eq!((snapshot.time, snapshot.since), (at(20), at(0)));
        let whole = profiler_query::answer::Whole::default();
        let expected = account(&table, &Selection::All, &whole, true);
        assert_eq!(answer.accounting, Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_stacks_of_all_nodes_have_one_number() {
    let world = two_nodes().await;
    let answer = world
        .service(25)
        .top(Request::new(by(GroupBy::Stack)))
        .await;
    let rows = answer.expect("an answer").into_inner().rows;
    let numbers = |leaf: &str| {
        let rows = rows.iter().filter(|row| {
            let named = row.frames.first();
            named.is_some_and(|frame| frame.function == leaf)
        });
        rows.map(|row| (row.node.clone(), row.stack_id))
            .collect::<Vec<_>>()
    };
    let same = numbers("leaf_1");
    assert_eq!(same.len(), 2);
    assert_ne!(same[0].0, same[1].0);
    assert!(same[0].1 != 0 && same[0].1 == same[1].1);
    assert_ne!(numbers("leaf_2")[0].1, same[0].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_is_that_of_the_two_tables() {
    let world = two_nodes().await;
    let request = v1::DiffRequest {
        from: at(10),
        to: at(20),
        include_unattributed: true,
        ..v1::DiffRequest::default()
    };
    let answer = world.service(25).diff(Request::new(request)).await;
    let answer = answer.expect("an answer").into_inner();
    let (old, new) = ([first(1), first(2)], [second(1), second(2)]);
    let (before, mut names) = merged(&[("a", &old[0].0), ("b", &old[1].0)], 10);
    let (after, more) = merged(&[("a", &new[0].0), ("b", &new[1].0)], 20);
    names.0.extend(more.0);
    let growth = Growth::between(&before, &after, &Default::default());
    let shape = Shape::new(0, 0, 0, true, true).expect("a shape");
    let expected = shape.rows(&growth, &Selection::All, &names, &());
    assert_eq!(unnumbered(&answer.rows), unnumbered(&expected.rows));
    assert_eq!((answer.from, answer.to), (at(10), at(20)));
    assert!(answer.accounting.expect("accounting").losses.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_give_what_one_answer_does_and_stand_for_one_moment() {
    let world = World::new();
    let table = |more: u64| {
        let table = (0..50).map(|stack| (stack, u64::from(stack % 9) + more));
        let empty = Table::default().process(1, 100, "host");
        table.fold(empty, |table, (stack, mib)| {
            table.stack(stack, mib * MIB, 0)
        })
    };
    let mut agent = Agent::new("a", 1, 1, 0);
    agent.send(&world, &table(1).0, 10, true).await;
    let whole = world
        .service(12)
        .top(Request::new(by(GroupBy::Stack)))
        .await;
    let whole = whole.expect("an answer").into_inner();
    assert_eq!(whole.rows.len(), 50);

    let mut request = v1::TopRequest {
        limit: 5,
        ..by(GroupBy::Stack)
    };
    let mut rows = Vec::new();
    for page in 0..10 {
        // What comes while the pages are turned changes nothing.
        let seconds = 20 + page * 10;
        agent
            .send(&world, &table(seconds).0, seconds, page % 3 == 0)
            .await;
        let service = world.service(match page {
            0 => 12,
            _ => seconds,
        });
        let answer = service.top(Request::new(request.clone())).await;
        let answer = answer.expect("a page").into_inner();
        assert_eq!((answer.rows.len(), answer.total_rows), (5, 50));
        assert_eq!(answer.next_page_token.is_empty(), page == 9);
        request.page_token = answer.next_page_token;
        rows.extend(answer.rows);
    }
    assert_eq!(rows, whole.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_selector_chooses_nodes_before_they_are_read() {
    let world = two_nodes().await;
    let request = v1::TopRequest {
        selector: Some(v1::Selector {
            nodes: vec!["b".to_owned()],
            labels: vec!["zone=zone-2".to_owned()],
            ..v1::Selector::default()
        }),
        ..by(GroupBy::Process)
    };
    let answer = world.service(25).top(Request::new(request)).await;
    let rows = answer.expect("an answer").into_inner().rows;
    assert!(rows.len() == 2 && rows.iter().all(|row| row.node == "b"));

    let unknown = v1::TopRequest {
        selector: Some(v1::Selector {
            nodes: vec!["c".to_owned()],
            ..v1::Selector::default()
        }),
        ..by(GroupBy::Process)
    };
    let refused = world.service(25).top(Request::new(unknown)).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_two_nodes_have_wants_the_node() {
    let world = two_nodes().await;
    let mut request = v1::TopRequest {
        connection: 77,
        ..by(GroupBy::Process)
    };
    let service = world.service(25);
    let refused = service.top(Request::new(request.clone())).await;
    assert_eq!(
        refused.expect_err("a refusal").code(),
        Code::InvalidArgument
    );
    request.selector = Some(v1::Selector {
        nodes: vec!["a".to_owned()],
        ..v1::Selector::default()
    });
    let answer = service.top(Request::new(request)).await.expect("an answer");
    let rows = answer.into_inner().rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].committed_live_bytes, 9 * MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_before_anything_was_kept_is_refused_with_what_is() {
    let world = two_nodes().await;
    let request = v1::TopRequest {
        at: at(5),
        ..by(GroupBy::Stack)
    };
    let refused = world.service(25).top(Request::new(request.clone())).await;
    let refused = refused.expect_err("a refusal");
    assert_eq!(refused.code(), Code::OutOfRange);
    assert_eq!(
        refused.message(),
        "at: 2023-11-14T22:13:25Z is outside of what is kept, which is from \
         2023-11-14T22:13:30Z to 2023-11-14T22:13:40Z"
    );
    let refused = World::new().service(25).top(Request::new(request)).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::OutOfRange);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_has_an_empty_answer_about_now() {
    let world = World::new();
    let answer = world
        .service(25)
        .top(Request::new(by(GroupBy::Stack)))
        .await;
    let answer = answer.expect("an answer").into_inner();
    assert!(answer.rows.is_empty() && answer.total_rows == 0);
    assert_eq!(answer.snapshot.expect("a moment").time, at(25));
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_of_all_nodes_come_in_pages() {
    let world = two_nodes().await;
    let service = world.service(25);
    let (one, two) = (second(1), second(2));
    let (table, _) = merged(&[("a", &one.0), ("b", &two.0)], 20);
    let clocks = profiler_query::answer::Clocks::wall(table.time);
    let all = Targets::new(v1::ListTargetsRequest {
        include_exited: true,
        ..v1::ListTargetsRequest::default()
    });
    let expected = all
        .expect("a question")
        .answer(&table, &Selection::All, clocks, &[]);
    let mut request = v1::ListTargetsRequest {
        include_exited: true,
        limit: 3,
        ..v1::ListTargetsRequest::default()
    };
    let mut targets = Vec::new();
    loop {
        let answer = service.list_targets(Request::new(request.clone())).await;
        let answer = answer.expect("a page").into_inner();
        assert_eq!(answer.total, expected.total);
        targets.extend(answer.targets);
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(targets, expected.targets);
    assert_eq!(targets.len(), 4);
    let started = targets[0].started.expect("a start");
    assert!(started.seconds < timestamp(crate::fixture::BEGIN).seconds);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_targets_are_compared_by_what_their_stacks_are() {
    let world = two_nodes().await;
    let node = |node: &str| {
        Some(v1::Selector {
            nodes: vec![node.to_owned()],
            ..v1::Selector::default()
        })
    };
    let (one, two) = (second(1), second(2));
    let (now, names) = merged(&[("a", &one.0), ("b", &two.0)], 20);
    let (three, four) = (first(1), first(2));
    let (then, mut all) = merged(&[("a", &three.0), ("b", &four.0)], 10);
    all.0.extend(names.0);
    for (from, before) in [(None, None), (at(20), None), (at(10), Some(&then))] {
        for by in [GroupBy::Stack, GroupBy::Function] {
            let request = v1::DiffRequest {
                selector: node("b"),
                against: node("a"),
                by: by.into(),
                from,
                include_unattributed: true,
                ..v1::DiffRequest::default()
            };
            let question = Question::diff(request.clone()).expect("a question");
            let expected = question.answer(before, &now, &Default::default(), &all, &());
            let expected = expected.expect("an answer");
            let answer = world.service(25).diff(Request::new(request)).await;
            let answer = answer.expect("an answer").into_inner();
            assert_eq!(answer.rows, expected.rows.rows, "{by:?} {from:?}");
            assert!(answer.rows.iter().any(|row| row.live_delta_bytes != 0));
            assert_eq!(answer.total_rows, expected.rows.total);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_makes_sense_or_is_refused() {
    let world = two_nodes().await;
    let service = world.service(25);
    let code = async |request| {
        service
            .top(Request::new(request))
            .await
            .err()
            .map(|e| e.code())
    };
    let backwards = v1::TopRequest {
        since: at(20),
        at: at(10),
        ..by(GroupBy::Stack)
    };
    assert_eq!(code(backwards).await, Some(Code::InvalidArgument));
    let future = v1::TopRequest {
        at: at(60),
        ..by(GroupBy::Stack)
    };
    assert_eq!(code(future).await, Some(Code::OutOfRange));
    let first = v1::TopRequest {
        limit: 1,
        ..by(GroupBy::Stack)
    };
    let page = service.top(Request::new(first)).await.expect("a page");
    let other = v1::TopRequest {
        limit: 2,
        page_token: page.into_inner().next_page_token,
        ..by(GroupBy::Stack)
    };
    assert_eq!(code(other).await, Some(Code::InvalidArgument));
    assert_eq!(code(by(GroupBy::Stack)).await, None);
    let diff = service.diff(Request::new(v1::DiffRequest::default())).await;
    assert_eq!(diff.expect_err("a refusal").code(), Code::InvalidArgument);
}
