use std::collections::HashMap;

use profiler_proto::v1::{self, GroupBy};
use proptest::prelude::*;

use crate::{
    answer::{Filter, Question, connections::Messages},
    ids::{BootTime, Cookie, StackId},
    model::{BehalfKey, OwnerKey, Snapshot},
    testing::{FakeNames, entry, info, on_node, row, stack},
};

const NAMES: FakeNames = FakeNames(&[
    (
        1,
        &["/a/libc.so:malloc", "/app/v1/node:grow", "/app/v1/node+16"],
    ),
    (
        2,
        &["/b/libc.so:malloc", "/app/v2/node:grow", "/app/v2/node+16"],
    ),
    (
        3,
        &["/a/libc.so:malloc", "/app/v1/node:grow", "/app/v1/node+32"],
    ),
    (4, &["/a/libc.so:mmap"]),
]);

/// Version 1 on node a, version 2 on node b.
fn fleet() -> Snapshot {
    Snapshot {
        time: BootTime(1_000),
        rows: vec![
            stack(1, 1, 100),
            stack(1, 3, 7),
            stack(2, 1, 1),
            stack(3, 2, 40),
            stack(3, 4, 5),
            row(1, OwnerKey::PreExisting, 30),
            row(3, OwnerKey::PreExisting, 50),
            stack(3, 99, 2),
        ],
        processes: vec![
            entry(1, on_node(info(7, "node"), "a", &[]), 137),
            entry(2, on_node(info(8, "node"), "a", &[]), 1),
            entry(3, on_node(info(7, "node"), "b", &[]), 97),
        ],
    }
}

fn of_node(name: &str) -> Option<v1::Selector> {
    Some(v1::Selector {
        nodes: vec![name.to_owned()],
        ..v1::Selector::default()
    })
}

fn ask(question: &Question, snapshot: &Snapshot) -> (Vec<v1::GrowthRow>, u32) {
    let known = Messages::default();
    let answer = question.answer(None, snapshot, &HashMap::new(), &NAMES, &known);
    let rows = answer.expect("an answer").rows;
    (rows.rows, rows.total)
}

fn top(request: v1::TopRequest) -> Vec<v1::GrowthRow> {
    ask(&Question::top(request).expect("a question"), &fleet()).0
}

#[test]
fn equal_cgroups_of_two_nodes_are_two_containers() {
    for by in [GroupBy::Container, GroupBy::Node] {
        let rows = top(v1::TopRequest {
            by: by.into(),
            ..v1::TopRequest::default()
        });
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (&*row.node, row.committed_live_bytes))
            .collect();
        assert_eq!(rows, [("a", 138), ("b", 97)]);
    }
}

#[test]
fn two_targets_are_compared_by_what_their_stacks_say() {
    let request = v1::DiffRequest {
        selector: of_node("a"),
        against: of_node("b"),
        include_unattributed: true,
        ..v1::DiffRequest::default()
    };
    let question = Question::diff(request).expect("a question");
    let (rows, total) = ask(&question, &fleet());
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let leaf = row.frames.first().map_or("", |frame| &frame.function);
            (
                leaf,
                row.committed_live_bytes,
                row.live_delta_bytes,
                row.pid,
            )
        })
        .collect();
    let want = [
        ("malloc", 101, 61, 0),
        ("malloc", 7, 7, 0),
        ("", 0, -2, 0),
        ("mmap", 0, -5, 0),
        ("", 30, -20, 0),
    ];
    assert_eq!(
        (rows, total),
        (want.to_vec(), 5),
        "versions are matched, places in them are not"
    );
}

#[test]
fn two_targets_are_compared_by_function() {
    let request = v1::DiffRequest {
        selector: of_node("a"),
        against: of_node("b"),
        by: GroupBy::Function.into(),
        ..v1::DiffRequest::default()
    };
    let question = Question::diff(request).expect("a question");
    let (rows, _) = ask(&question, &fleet());
    let find = |name: &str| {
        let row = rows.iter().find(|row| row.frames[0].function == name);
        row.map(|row| {
            (
                row.committed_live_bytes,
                row.live_delta_bytes,
                row.self_live_bytes,
            )
        })
    };
    assert_eq!(find("malloc"), Some((108, 68, 108)));
    assert_eq!(find("grow"), Some((108, 68, 0)));
    assert_eq!(find("mmap"), Some((0, -5, 0)));
    assert_eq!(rows.len(), 5, "two places without a name");
}

#[test]
fn what_two_targets_have_not_in_common_is_refused() {
    let comparing = v1::DiffRequest {
        against: of_node("b"),
        ..v1::DiffRequest::default()
    };
    for by in [
        GroupBy::Process,
        GroupBy::Container,
        GroupBy::Node,
        GroupBy::Connection,
    ] {
        let request = v1::DiffRequest {
            by: by.into(),
            ..comparing.clone()
        };
        let refused = Question::diff(request).expect_err("a refusal");
        assert!(refused.message().contains("by stack or by function"));
    }
    let request = v1::DiffRequest {
        connection: 5,
        ..comparing
    };
    let refused = Question::diff(request).expect_err("a refusal");
    assert!(refused.message().starts_with("connection:"));
    let refused = Question::diff(v1::DiffRequest::default()).expect_err("a refusal");
    assert!(refused.message().starts_with("from:"));
}

#[test]
fn a_cookie_of_two_nodes_needs_the_node() {
    let owner = OwnerKey::Behalf(BehalfKey::Connection(Cookie(5)));
    let mut snapshot = fleet();
    snapshot.rows.push(row(1, owner, 10));
    snapshot.rows.push(row(3, owner, 20));
    snapshot
        .rows
        .push(row(3, OwnerKey::OnConnection(Cookie(5), StackId(4)), 20));
    let request = v1::TopRequest {
        connection: 5,
        ..v1::TopRequest::default()
    };
    let question = Question::top(request.clone()).expect("a question");
    let known = Messages::default();
    let answer = question.answer(None, &snapshot, &HashMap::new(), &NAMES, &known);
    let refused = tonic::Status::from(answer.expect_err("a refusal"));
    assert!(refused.message().contains("Choose the node"), "{refused}");
    let request = v1::TopRequest {
        selector: of_node("b"),
        ..request
    };
    let (rows, _) = ask(&Question::top(request).expect("a question"), &snapshot);
    assert_eq!((rows.len(), rows[0].committed_live_bytes), (1, 20));
}

#[test]
fn a_node_that_is_not_there_is_an_error() {
    let filter = Filter::new(of_node("c").as_ref()).expect("a filter");
    let refused = filter.choose(fleet().targets()).expect_err("a refusal");
    assert!(
        tonic::Status::from(refused)
            .message()
            .contains("node named \"c\"")
    );
}

proptest! {
    #[test]
    fn all_pages_together_are_the_whole_list(
        rows in prop::collection::btree_map((1..4_u32, 1..5_u32), 0..6_u64, 0..12),
        by in 0..=6_i32,
        order in 0..=4_i32,
        limit in 1..5_u32,
        against in any::<bool>(),
    ) {
        let rows = rows.into_iter();
        let snapshot = Snapshot {
            rows: rows.map(|((process, number), live)| stack(process, number, live)).collect(),
            ..fleet()
        };
        let request = v1::DiffRequest {
            by,
            order,
            against: against.then(|| of_node("b")).flatten(),
            from: Some(pbjson_types::Timestamp::default()),
            include_unattributed: true,
            ..v1::DiffRequest::default()
        };
        let Ok(whole) = Question::diff(request.clone()) else {
            return Ok(());
        };
        let (want, want_total) = ask(&whole, &snapshot);
        let (mut got, mut token) = (Vec::new(), String::new());
        loop {
            let request = v1::DiffRequest { limit, page_token: token, ..request.clone() };
            let question = Question::diff(request).expect("a question");
            let (page, total) = ask(&question, &snapshot);
            prop_assert!(page.len() <= limit as usize);
            prop_assert_eq!(total, want_total);
            token = question.page.next(page.len(), total, &[snapshot.time]);
            got.extend(page);
            if token.is_empty() {
                break;
            }
        }
        prop_assert_eq!(got, want);
    }
}
