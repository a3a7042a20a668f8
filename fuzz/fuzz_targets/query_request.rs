//! Questions of `profiler.v1.Query`, as they come over the wire, asked of a small table. A question
//! is answered or refused with a reason; pages follow each other to the end.
#![no_main]

use std::{collections::HashMap, sync::Arc};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use profiler_proto::v1;
use profiler_query::{
    answer::{
        Answer, Clocks, NameStacks, NamedStack, Question, Series, Targets,
        connections::{Listing, Messages},
    },
    ids::{BootTime, ProcessHandle, StackId},
    model::{
        BehalfKey, ContainerFacts, Growth, NodeFacts, OwnerKey, ProcessEntry, Row, RowKey,
        Snapshot, TargetInfo, TargetState, Totals,
    },
};
use prost::Message as _;

const PROCESSES: u32 = 12;
const NOW: BootTime = BootTime(2_000_000_000);

#[derive(Arbitrary, Debug)]
enum Input {
    Top(Vec<u8>),
    Diff(Vec<u8>),
    Targets(Vec<u8>),
    Series(Vec<u8>),
    Connections(Vec<u8>),
}

struct Names;

impl NameStacks for Names {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        let frame = |stack: u32, depth: u32| v1::Frame {
            function: format!("f{}", stack * depth % 5),
            ..v1::Frame::default()
        };
        let named = |stack: &StackId| {
            (stack.0 % 7 != 6).then(|| NamedStack {
                frames: (1..4).map(|depth| frame(stack.0, depth)).collect(),
                truncated: stack.0 % 2 == 0,
            })
        };
        stacks.iter().map(named).collect()
    }
}

fn snapshot(time: u64) -> Snapshot {
    let owners = |process: u32| {
        [
            OwnerKey::Stack(StackId(process)),
            OwnerKey::Stack(StackId(process + 1)),
            OwnerKey::PreExisting,
            OwnerKey::Behalf(BehalfKey::Nobody),
            OwnerKey::Behalf(BehalfKey::Folded),
        ]
    };
    let row = |process: u32| Row {
        allocated: u64::from(process + 1) * time,
        freed: u64::from(process) * time / 2,
        events: 1,
        oldest: BootTime(1),
        newest: BootTime(time),
        ..Row::default()
    };
    let rows = (0..PROCESSES).flat_map(|process| {
        owners(process).map(|owner| {
            let process_key = ProcessHandle(process);
            (
                RowKey {
                    process: process_key,
                    owner,
                },
                row(process),
            )
        })
    });
    Snapshot {
        time: BootTime(time),
        rows: rows.collect(),
        processes: (0..PROCESSES).map(|process| entry(process, time)).collect(),
    }
}

fn entry(process: u32, time: u64) -> ProcessEntry {
    let node = NodeFacts {
        name: format!("n{}", process % 3),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
    };
    let id = format!("{process:064x}");
    ProcessEntry {
        handle: ProcessHandle(process),
        info: Arc::new(TargetInfo {
            pid: process + 1,
            namespace_pid: 1,
            name: format!("p{}", process % 4),
            executable: "/bin/p".into(),
            container: Arc::new(ContainerFacts {
                root: format!("/c/{id}"),
                cgroup: format!("/c/{id}"),
                name: id.clone(),
                id,
                ..ContainerFacts::default()
            }),
            node: Arc::new(node),
            started: BootTime(1),
            state: TargetState::Observed,
            exited: None,
        }),
        totals: Totals {
            allocated: time,
            committed: time,
            ..Totals::default()
        },
    }
}

fn answer(question: &Question) -> Option<Answer> {
    let begin = question
        .begin
        .time
        .as_ref()
        .map(|_| snapshot(1_000_000_000));
    let end = snapshot(NOW.0);
    question
        .check_order(begin.as_ref().map(|begin| begin.time), end.time)
        .ok()?;
    question
        .answer(begin.as_ref(), &end, &HashMap::new(), &Names, &())
        .ok()
}

/// Pages add up to what the first one said, if nothing else is asked meanwhile.
fn pages(mut ask: impl FnMut(&str) -> Option<(usize, u32, String)>) {
    let Some((mut sent, total, mut token)) = ask("") else {
        return;
    };
    for _ in 0..total {
        if token.is_empty() {
            assert_eq!(sent, total as usize);
            return;
        }
        let (more, same, next) = ask(&token).expect("a token from an answer is taken");
        assert_eq!(same, total);
        assert!(more > 0);
        sent += more;
        token = next;
    }
    assert!(token.is_empty());
}

fn growth(question: impl Fn(&str) -> Option<Question>) {
    pages(|token| {
        let question = question(token)?;
        let answer = answer(&question)?;
        let sent = answer.rows.rows.len();
        let next = question.page.next(sent, answer.rows.total, &[]);
        Some((sent, answer.rows.total, next))
    });
}

fuzz_target!(|input: Input| match input {
    Input::Top(bytes) => {
        let Ok(request) = v1::TopRequest::decode(&*bytes) else {
            return;
        };
        let _ = Question::top(request.clone());
        growth(|token| {
            let page_token = token.to_owned();
            Question::top(v1::TopRequest {
                page_token,
                ..request.clone()
            })
            .ok()
        });
    }
    Input::Diff(bytes) => {
        let Ok(request) = v1::DiffRequest::decode(&*bytes) else {
            return;
        };
        let _ = Question::diff(request.clone());
        growth(|token| {
            let page_token = token.to_owned();
            Question::diff(v1::DiffRequest {
                page_token,
                ..request.clone()
            })
            .ok()
        });
    }
    Input::Targets(bytes) => {
        let Ok(request) = v1::ListTargetsRequest::decode(&*bytes) else {
            return;
        };
        let end = snapshot(NOW.0);
        if let Ok(targets) = Targets::new(request)
            && let Ok(selection) = targets.filter.choose(end.targets())
        {
            let answer = targets.answer(&end, &selection, Clocks::wall(NOW), &[]);
            assert!(answer.targets.len() <= answer.total as usize);
        }
    }
    Input::Series(bytes) => {
        let Ok(request) = v1::ListSeriesRequest::decode(&*bytes) else {
            return;
        };
        let Ok(series) = Series::new(request) else {
            return;
        };
        let mut gathered = series.gather();
        for time in 1..4 {
            if gathered.add(&snapshot(time * 1_000_000_000)).is_err() {
                return;
            }
        }
        if let Ok(answer) = gathered.finish(Clocks::wall(NOW)) {
            assert!(answer.series.len() <= answer.total as usize);
        }
    }
    Input::Connections(bytes) => {
        let Ok(request) = v1::ListConnectionsRequest::decode(&*bytes) else {
            return;
        };
        let Ok(listing) = Listing::new(request) else {
            return;
        };
        let mut messages = Messages::default();
        for node in ["n0", "n1"] {
            messages.add(
                node,
                connections(),
                |process| Some(ProcessHandle(process)),
                |_| None,
            );
        }
        let growth = Growth::since_start(&snapshot(NOW.0));
        if let Ok(selection) = profiler_query::answer::Filter::new(None).and_then(|filter| {
            filter
                .choose(growth.targets())
                .map_err(|_| tonic::Status::internal(""))
        }) {
            let answer = messages.answer(&listing, &growth, &selection, &[]);
            assert!(answer.connections.len() + answer.groups.len() <= answer.total as usize);
        }
    }
});

fn connections() -> v1::ConnectionsPart {
    let connection = |cookie: u64| v1::Connection {
        cookie,
        local: "10.0.0.1:8080".to_owned(),
        peer: format!("10.0.0.{cookie}:4000"),
        kind: v1::ConnectionKind::Tcp.into(),
        role: v1::ConnectionRole::Server.into(),
        received_calls: cookie,
        committed_live_bytes: cookie * 4096 % 3,
        connections: 1,
        ..v1::Connection::default()
    };
    v1::ConnectionsPart {
        connections: (1..6).map(connection).collect(),
        process: vec![1, 2, 3, 4, 0],
        ..v1::ConnectionsPart::default()
    }
}
