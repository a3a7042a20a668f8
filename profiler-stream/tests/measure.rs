//! What batches cost. Prints; with optimization:
//! `cargo test --release -p profiler-stream --test measure -- --ignored --nocapture`

use std::{hint::black_box, sync::Arc, time::Duration};

use pbjson_types::Timestamp;
use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, Cookie, ProcessHandle, StackId},
    model::{
        BehalfKey, ContainerFacts, OwnerKey, ProcessEntry, Row, RowKey, Snapshot, TargetInfo,
        TargetState, Totals,
    },
};
use rustix::time::{ClockId, clock_gettime};

use profiler_stream::{
    decode::{Limits, RunState, check},
    define::{Dictionary, Reader},
    encode::Encoder,
};

const ROWS: u32 = 2_000;
const PROCESSES: u32 = 40;
const SECOND: u64 = 1_000_000_000;

/// As a node has it: half of the rows by stack, the rest by connection.
fn snapshot() -> Snapshot {
    let rows = (0..ROWS).map(|at| {
        let owner = if at % 2 == 0 {
            OwnerKey::Stack(StackId(at * 7))
        } else {
            OwnerKey::Behalf(BehalfKey::Connection(Cookie(u64::from(at) + 90_000)))
        };
        let key = RowKey {
            process: ProcessHandle(at % PROCESSES + 1),
            owner,
        };
        (key, grown(Row::default(), 3_600 * SECOND))
    });
    Snapshot {
        time: BootTime(7_200 * SECOND),
        rows: rows.collect(),
        processes: (1..=PROCESSES).map(process).collect(),
    }
}

fn grown(row: Row, now: u64) -> Row {
    let pages = fastrand::u64(1..5_000);
    Row {
        allocated: row.allocated + pages * 4096,
        freed: row.freed + fastrand::u64(0..pages) * 4096,
        events: row.events + fastrand::u64(1..40),
        oldest: BootTime(fastrand::u64(SECOND..now)),
        newest: BootTime(now - fastrand::u64(0..60 * SECOND)),
        ..row
    }
}

fn process(handle: u32) -> ProcessEntry {
    let id: String = (0..64).map(|_| fastrand::digit(16)).collect();
    let container = ContainerFacts {
        cgroup: format!("/kubepods/burstable/pod{id}/{id}"),
        root: format!("/kubepods/burstable/pod{id}/{id}"),
        name: id.clone(),
        kind: "containerd".to_owned(),
        id,
        ..ContainerFacts::default()
    };
    let info = TargetInfo {
        pid: handle + 1000,
        namespace_pid: 1,
        name: "node".to_owned(),
        executable: "/usr/local/bin/node".into(),
        container: Arc::new(container),
        node: Arc::default(),
        started: BootTime(5 * SECOND),
        state: TargetState::Observed,
        exited: None,
    };
    ProcessEntry {
        handle: ProcessHandle(handle),
        info: Arc::new(info),
        totals: totals(7_200 * SECOND),
    }
}

fn totals(now: u64) -> Totals {
    Totals {
        allocated: fastrand::u64(0..1 << 34),
        freed: fastrand::u64(0..1 << 32),
        committed: fastrand::u64(0..1 << 32),
        operations: fastrand::u64(0..1 << 24),
        mappings: fastrand::u64(0..2000),
        newest: BootTime(now),
        ..Totals::default()
    }
}

/// A tenth of the rows and all totals.
fn ten_seconds_later(mut snapshot: Snapshot) -> Snapshot {
    snapshot.time.0 += 10 * SECOND;
    let now = snapshot.time.0;
    for (_, row) in snapshot.rows.iter_mut().step_by(10) {
        *row = grown(*row, now);
    }
    for entry in &mut snapshot.processes {
        entry.totals = totals(now);
    }
    snapshot
}

fn bytes(batch: &v1::Batch) -> usize {
    batch.parts.iter().map(|part| part.data.len()).sum()
}

/// CPU time of this thread: others may be busy.
fn time<T>(what: &str, times: u32, mut work: impl FnMut() -> T) {
    let cpu = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let start = cpu();
    for _ in 0..times {
        black_box(work());
    }
    println!("{what}: {:?} each", (cpu() - start) / times);
}

#[test]
#[ignore = "prints figures, which mean something with optimization only"]
fn what_a_batch_costs() {
    fastrand::seed(7);
    let wall = Timestamp {
        seconds: 1_700_000_000,
        nanos: 0,
    };
    let mut encoder = Encoder::new();
    let first = snapshot();
    let mut whole = v1::Batch::default();
    time("encode, whole", 20, || {
        whole = encoder.batch(&first, wall, true, Vec::new());
    });
    let mut last = first;
    let mut differences = Vec::new();
    for _ in 0..5 {
        last = ten_seconds_later(last);
        differences.push(encoder.batch(&last, wall, false, Vec::new()));
    }
    println!("{ROWS} rows, {PROCESSES} processes, compressed bytes:");
    println!(
        "whole: {} {:?}",
        bytes(&whole),
        whole
            .parts
            .iter()
            .map(|part| (part.size, part.data.len()))
            .collect::<Vec<_>>()
    );
    println!("a tenth changed: {}", bytes(&differences[0]));
    println!(
        "a day at 10 s, whole each minute: {} MiB",
        ((bytes(&whole) + 5 * bytes(&differences[0])) * 1440) >> 20
    );

    time("check, whole", 100, || {
        check(&whole, &Limits::default()).unwrap()
    });
    let mut state = RunState::default();
    time("apply, whole", 100, || {
        state.apply(true, &whole.parts).unwrap();
    });
    time("100 whole and 500 differences", 5, || {
        for _ in 0..100 {
            let mut state = RunState::default();
            state.apply(true, &whole.parts).unwrap();
            for batch in &differences {
                state.apply(false, &batch.parts).unwrap();
            }
            black_box(state);
        }
    });
    time("snapshot", 100, || state.snapshot(BootTime(1)));
}

#[test]
#[ignore = "prints figures, which mean something with optimization only"]
fn what_definitions_cost() {
    let frame = |number: u64| v1::Frame {
        function: format!("namespace::Type{}::method_{number}", number % 97),
        file: format!("/build/src/module_{}.cc", number % 300),
        line: number as u32,
        module: "/usr/local/bin/node".to_owned(),
        build_id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        module_offset: number * 64,
        inlined: false,
        kind: 1,
    };
    let mut dictionary = Dictionary::new();
    let stacks: Vec<Vec<_>> = (0..u64::from(ROWS))
        .map(|_| {
            (0..30)
                .map(|at| frame(fastrand::u64(0..1 << (at / 2).min(13))))
                .collect()
        })
        .collect();
    let mut messages = Vec::new();
    time("define", 1, || {
        for (number, frames) in (1..).zip(&stacks) {
            assert!(dictionary.define(number, frames, false));
        }
        messages.extend(std::iter::from_fn(|| dictionary.take()));
    });
    let bytes: usize = messages.iter().map(Vec::len).sum();
    println!(
        "{ROWS} stacks of 30 frames: {bytes} bytes in {} messages",
        messages.len()
    );
    time("read", 10, || {
        let mut reader = Reader::new(profiler_stream::define::Limits::default());
        for message in &messages {
            reader.read(message).unwrap();
        }
        reader
    });
}
