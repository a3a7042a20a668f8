//! A spool's folder that says anything: it is opened, sent and written on, and what it says of each
//! run stays of one piece.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use profiler_proto::v1;
use profiler_proto::v1::agent_message::Kind as Message;
use profiler_stream::spool::{Cursor, Settings, Spool, inspect};
use prost::Message as _;

#[derive(Arbitrary, Debug)]
enum Piece {
    Raw(Vec<u8>),
    Header,
    Run(u8),
    Definitions(Vec<u8>),
    Batch { sequence: u8, seconds: i64 },
    Far(u64),
    Record(u8, Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Input {
    files: Vec<(u8, Vec<Piece>)>,
    journal: Vec<Piece>,
    acks: Vec<(u8, u64)>,
    refusals: Vec<(u8, u8)>,
    /// While it is sent, bytes of the first file change.
    change: Option<(u16, u8)>,
}

fn record(bytes: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&[kind]);
    checksum.update(payload);
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(checksum.finalize().to_le_bytes());
    bytes.push(kind);
    bytes.extend(payload);
}

fn batch(sequence: u64, seconds: i64) -> v1::Batch {
    v1::Batch {
        sequence,
        time: Some(pbjson_types::Timestamp { seconds, nanos: 0 }),
        whole: true,
        ..Default::default()
    }
}

fn run(id: u8) -> v1::Run {
    v1::Run {
        run_id: vec![id; 16],
        ..Default::default()
    }
}

fn bytes(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Raw(raw) => bytes.extend(raw),
            Piece::Header => bytes.extend(b"memspool\x01\0\0\0"),
            Piece::Run(id) => record(&mut bytes, 1, &run(id % 3).encode_to_vec()),
            Piece::Definitions(payload) => record(&mut bytes, 2, payload),
            Piece::Batch { sequence, seconds } => {
                let batch = batch((*sequence).into(), *seconds);
                record(&mut bytes, 3, &batch.encode_to_vec());
            }
            Piece::Far(sequence) => {
                record(&mut bytes, 3, &batch(*sequence, i64::MAX).encode_to_vec());
            }
            Piece::Record(kind, payload) => record(&mut bytes, kind % 6, payload),
        }
    }
    bytes
}

/// No number is pending and dropped, and none is after the last.
fn check(folder: &Path) {
    for report in inspect(folder).expect("a folder") {
        assert!(report.pending.is_sorted_by(|one, next| one < next));
        for sequence in &report.pending {
            assert!(*sequence > report.acked && *sequence <= report.last);
            let mut dropped = report.dropped.iter();
            assert!(
                !dropped.any(|(range, _)| range.contains(sequence)),
                "{report:?}"
            );
        }
    }
}

/// Returns how many batches came.
fn drain(spool: &Spool) -> u64 {
    let mut cursor = Cursor::default();
    let mut batches = 0;
    let mut of = None;
    while let Some(message) = spool.next(&mut cursor) {
        match message {
            Message::Run(run) => of = Some(run),
            Message::Definitions(_) => assert!(of.is_some()),
            Message::Batch(_) => {
                assert!(of.is_some());
                batches += 1;
            }
            Message::Hello(_) => panic!("the spool says hello"),
        }
    }
    batches
}

fn settings() -> Settings {
    Settings {
        bytes_max: 4096,
        file_bytes: 512,
        ..Settings::default()
    }
}

fuzz_target!(|input: Input| {
    let folder = tempfile::tempdir_in("/dev/shm").expect("memory");
    let folder = folder.path();
    let name = |number: &u8| folder.join(format!("{:016x}.spool", number % 4));
    for (number, pieces) in &input.files {
        fs::write(name(number), bytes(pieces)).expect("memory");
    }
    fs::write(folder.join("progress"), bytes(&input.journal)).expect("memory");
    check(folder);

    let spool = Arc::new(Spool::open(folder, settings()).expect("a folder"));
    check(folder);
    if let (Some((at, byte)), Some((number, _))) = (input.change, input.files.first())
        && let Ok(mut bytes) = fs::read(name(number))
        && let Some(place) = bytes.get_mut(usize::from(at))
    {
        *place = byte;
        fs::write(name(number), bytes).expect("memory");
    }
    let pending = drain(&spool);
    assert_eq!(spool.status().pending, pending);
    let mut writer = spool.writer(&run(7)).expect("16 bytes");
    for (sequence, (id, up_to)) in (1..).zip(&input.acks) {
        writer.begins_file();
        writer.append_definitions(vec![1; 100]);
        writer
            .append_batch(&batch(sequence, i64::MAX))
            .expect("room");
        spool.ack([id % 3; 16], *up_to);
    }
    for (id, sequence) in &input.refusals {
        spool.refused([id % 3; 16], (*sequence).into());
    }
    assert!(spool.status().bytes <= settings().bytes_max);
    assert_eq!(spool.status().pending, drain(&spool));
});
