//! Runs, batches and stacks for tests of stores.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pbjson_types::Timestamp;
use profiler_proto::v1;

use crate::store::{
    FrameHash, RunFacts, RunId, StackContent, StackHash, Store, StoredBatch, WallTime, Write,
    Written,
};

/// All parts of all kinds.
pub const EVERYTHING: [v1::PartKind; 1] = [v1::PartKind::Unspecified];

/// The run with this number.
pub fn run(number: u8) -> RunId {
    RunId([number; 16])
}

/// A moment, in seconds from the beginning of 2025.
pub fn at(seconds: i64) -> WallTime {
    WallTime((1_735_689_600 + seconds) * 1_000_000_000)
}

/// Now, to the second.
///
/// # Panics
/// If the clock stands before 1970.
pub fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.expect("after 1970").as_secs();
    WallTime(i64::try_from(seconds).expect("before 2262") * 1_000_000_000)
}

/// Facts of a run on the node with this name, which began at `at(0)`.
pub fn facts(node: &str) -> RunFacts {
    RunFacts {
        agent_id: vec![7; 16],
        node: node.into(),
        boot_id: "5ac2b6d5-boot".into(),
        agent_version: "0.1.0".into(),
        kernel: "6.12.1".into(),
        started: at(0),
        labels: BTreeMap::from([("zone".into(), "eu-1".into())]),
        interval: Duration::from_secs(10),
    }
}

/// Nothing but the run.
pub fn write(run: RunId) -> Write {
    Write {
        run,
        facts: facts("node-1"),
        frames: Vec::new(),
        stacks: Vec::new(),
        numbers: Vec::new(),
        batch: None,
        events: Vec::new(),
    }
}

/// A write of events alone.
pub fn with_events(run: RunId, events: Vec<v1::Event>) -> Write {
    Write {
        events,
        ..write(run)
    }
}

/// A kill of a process of this name.
pub fn kill(number: u64, time: WallTime, name: &str) -> v1::Event {
    let kill = v1::OomKill {
        time: Some(timestamp(time)),
        process_name: name.into(),
        ..v1::OomKill::default()
    };
    v1::Event {
        number,
        time: Some(timestamp(time)),
        kind: Some(v1::event::Kind::OomKill(kill)),
    }
}

/// A verdict that changed.
pub fn change(number: u64, time: WallTime) -> v1::Event {
    let change = v1::VerdictChange {
        time: Some(timestamp(time)),
        from: v1::VerdictState::Growing.into(),
        verdict: Some(v1::Verdict::default()),
    };
    v1::Event {
        number,
        time: Some(timestamp(time)),
        kind: Some(v1::event::Kind::VerdictChange(change)),
    }
}

fn timestamp(time: WallTime) -> Timestamp {
    Timestamp {
        seconds: time.0.div_euclid(1_000_000_000),
        nanos: time.0.rem_euclid(1_000_000_000) as i32,
    }
}

/// A write of one batch.
pub fn batch(run: RunId, sequence: u64, time: WallTime, whole: bool) -> Write {
    let mut parts = vec![part(v1::PartKind::Targets, &targets(sequence))];
    parts.push(part(v1::PartKind::Growth, &v1::GrowthPart::default()));
    if whole {
        parts.push(part(v1::PartKind::Status, &v1::StatusPart::default()));
    }
    Write {
        batch: Some(v1::Batch {
            sequence,
            time: Some(timestamp(time)),
            boot_nanoseconds: sequence * 10_000_000_000,
            whole,
            parts,
        }),
        ..write(run)
    }
}

/// Something that differs from batch to batch.
fn targets(sequence: u64) -> v1::TargetsPart {
    v1::TargetsPart {
        totals: Some(v1::ProcessTotals {
            process: vec![1],
            allocated: vec![sequence],
            ..v1::ProcessTotals::default()
        }),
        ..v1::TargetsPart::default()
    }
}

/// A part as agents make it.
///
/// # Panics
/// If the message cannot be compressed.
pub fn part(kind: v1::PartKind, message: &impl prost::Message) -> v1::Part {
    let message = message.encode_to_vec();
    v1::Part {
        kind: kind.into(),
        size: u32::try_from(message.len()).expect("a small message"),
        data: zstd::bulk::compress(&message, 3).expect("compression into memory"),
    }
}

/// A write of the stack with this number, made of `depth` frames, with its frames.
pub fn stack(run: RunId, number: u64, depth: u64) -> Write {
    let frames: Vec<_> = (0..depth)
        .map(|place| frame(number * 1000 + place))
        .collect();
    let content = StackContent {
        frames: frames.iter().map(|(hash, _)| *hash).collect(),
        truncated: number.is_multiple_of(2),
    };
    Write {
        frames,
        stacks: vec![(stack_hash(number), content)],
        numbers: vec![(number, stack_hash(number))],
        ..write(run)
    }
}

/// The hash of `stack`.
pub fn stack_hash(number: u64) -> StackHash {
    // Spread over all 64 bits, as real hashes are.
    StackHash(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A frame, and its hash.
pub fn frame(number: u64) -> (FrameHash, v1::Frame) {
    let frame = v1::Frame {
        function: format!("function_{number}"),
        file: "server.c".into(),
        line: 12,
        ..v1::Frame::default()
    };
    (FrameHash(number.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)), frame)
}

/// Writes each as a call of its own.
///
/// # Panics
/// If one is refused.
pub async fn write_all(store: &dyn Store, writes: impl IntoIterator<Item = Write>) -> Written {
    let mut all = Written::default();
    for write in writes {
        let written = store.write(vec![write]).await.expect("it is written");
        all.stored += written.stored;
        all.repeated += written.repeated;
    }
    all
}

/// Sequence numbers of the state of each run at `at`.
///
/// # Panics
/// If the store refuses.
pub async fn state(store: &dyn Store, runs: &[RunId], at: WallTime) -> Vec<Vec<u64>> {
    let states = store.states(runs, at, WallTime(0), &EVERYTHING).await;
    let states = states.expect("states");
    states.iter().map(|state| sequences(state)).collect()
}

/// Sequence numbers of batches.
pub fn sequences(batches: &[StoredBatch]) -> Vec<u64> {
    batches.iter().map(|batch| batch.sequence).collect()
}
