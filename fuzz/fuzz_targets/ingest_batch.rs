//! Batches: as they come, and with parts that decompress. What a check lets through can be read.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use profiler_proto::v1;
use profiler_stream::decode::{Limits, RunState, check};
use profiler_stream::encode::part;
use prost::Message;

/// Columns as numbers that are small and nearly of one length.
#[derive(Arbitrary, Debug)]
struct Rows {
    rows: Vec<[u8; 10]>,
    gone: Vec<[u8; 4]>,
    processes: Vec<[u8; 3]>,
    gone_processes: Vec<u8>,
    longer: Option<u8>,
}

#[derive(Arbitrary, Debug)]
enum Input {
    /// A batch, and the same parts as what they decompress to.
    Bytes(Vec<u8>),
    Parts(bool, [Vec<u8>; 7]),
    /// Batches of one run, whole or not.
    Rows(Vec<(bool, Rows)>),
}

fn growth(rows: &Rows) -> v1::GrowthPart {
    let column = |at: usize| rows.rows.iter().map(|row| u64::from(row[at])).collect();
    let gone = |at: usize| rows.gone.iter().map(|row| u64::from(row[at])).collect();
    let mut part = v1::GrowthPart {
        process: rows.rows.iter().map(|row| u32::from(row[0])).collect(),
        owner: rows.rows.iter().map(|row| i32::from(row[1] % 14)).collect(),
        subject: column(2),
        stack: column(3),
        allocated: column(4),
        inherited: column(5),
        freed: column(6),
        events: column(7),
        oldest: column(8),
        newest: column(9),
        gone_process: rows.gone.iter().map(|row| u32::from(row[0])).collect(),
        gone_owner: rows.gone.iter().map(|row| i32::from(row[1] % 14)).collect(),
        gone_subject: gone(2),
        gone_stack: gone(3),
    };
    match rows.longer {
        Some(0..40) => part.freed.push(1),
        Some(40..80) => part.owner.push(1),
        Some(80..120) => part.gone_stack.push(1),
        _ => {}
    }
    part
}

fn targets(rows: &Rows) -> v1::TargetsPart {
    let facts = rows.processes.iter().filter(|process| process[1] < 200);
    let totals = rows.processes.iter().filter(|process| process[1] >= 100);
    let totals: Vec<_> = totals.collect();
    let figures: Vec<_> = totals.iter().map(|process| u64::from(process[2])).collect();
    v1::TargetsPart {
        facts: facts
            .map(|process| v1::ProcessFacts {
                process: process[0].into(),
                pid: process[2].into(),
                ..Default::default()
            })
            .collect(),
        totals: Some(v1::ProcessTotals {
            process: totals.iter().map(|process| process[0].into()).collect(),
            allocated: figures.clone(),
            inherited: figures.clone(),
            freed: figures.clone(),
            committed: figures.clone(),
            released: figures.clone(),
            operations: figures.clone(),
            lost: figures.clone(),
            mappings: figures.clone(),
            oldest: figures.clone(),
            newest: figures,
        }),
        gone: rows.gone_processes.iter().copied().map(u32::from).collect(),
    }
}

fn batch(whole: bool, parts: Vec<v1::Part>) -> v1::Batch {
    v1::Batch {
        sequence: 1,
        time: Some(Default::default()),
        boot_nanoseconds: 1,
        whole,
        parts,
    }
}

fn feed(state: &mut RunState, batch: &v1::Batch) {
    let is_sound = check(batch, &Limits::default()).is_ok();
    let applied = state.apply(batch.whole, &batch.parts);
    assert!(!(is_sound && batch.whole) || applied.is_ok(), "{applied:?}");
    assert!(state.rows().is_sorted_by(|one, next| one.0 < next.0));
    assert!(
        state
            .processes()
            .is_sorted_by(|one, next| one.handle < next.handle)
    );
    if is_sound {
        let handles: Vec<_> = state.processes().iter().map(|entry| entry.handle).collect();
        let mut rows = state.rows().iter();
        assert!(rows.all(|(key, _)| handles.contains(&key.process)));
    }
}

/// Bytes as if they were a message.
fn raw(kind: v1::PartKind, bytes: &[u8]) -> v1::Part {
    v1::Part {
        kind: kind.into(),
        size: bytes.len() as u32,
        data: zstd::bulk::compress(bytes, 1).expect("memory"),
    }
}

fuzz_target!(|input: Input| {
    let mut state = RunState::default();
    match input {
        Input::Bytes(bytes) => {
            if let Ok(batch) = v1::Batch::decode(&*bytes) {
                feed(&mut state, &batch);
            }
        }
        Input::Parts(whole, parts) => {
            let kinds = [
                v1::PartKind::Targets,
                v1::PartKind::Growth,
                v1::PartKind::Connections,
                v1::PartKind::Status,
                v1::PartKind::Resident,
                v1::PartKind::Verdicts,
                v1::PartKind::Events,
            ];
            let parts = kinds
                .iter()
                .zip(&parts)
                .map(|(kind, bytes)| raw(*kind, bytes));
            feed(&mut state, &batch(whole, parts.collect()));
        }
        Input::Rows(batches) => {
            for (whole, rows) in &batches {
                let parts = vec![
                    part(v1::PartKind::Targets, &targets(rows)),
                    part(v1::PartKind::Growth, &growth(rows)),
                ];
                feed(&mut state, &batch(*whole, parts));
            }
        }
    }
});
