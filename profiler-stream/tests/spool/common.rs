//! Batches and runs for tests of the spool.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pbjson_types::Timestamp;
use profiler_proto::v1::{self, agent_message::Kind as Message};
use profiler_stream::spool::{Cursor, RunId, RunReport, Settings, Spool, Writer, inspect};

pub(crate) const FIRST: u8 = 1;
pub(crate) const SECOND: u8 = 2;

/// A run's id, by a number.
pub(crate) fn at(run: u8) -> RunId {
    [run; 16]
}

pub(crate) fn run(run: u8) -> v1::Run {
    v1::Run {
        run_id: at(run).to_vec(),
        node: "node-1".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs().try_into().unwrap()
}

/// Bytes that are of this batch alone.
pub(crate) fn payload(sequence: u64, bytes: usize) -> Vec<u8> {
    let numbers = (0..).map(|at: u64| (sequence * 31 + at) as u8);
    numbers.take(bytes).collect()
}

/// A batch whose moment is so many seconds from now.
pub(crate) fn batch_in(seconds: i64, sequence: u64) -> v1::Batch {
    let mut batch = batch(sequence, true, 300);
    batch.time.as_mut().unwrap().seconds += seconds;
    batch
}

pub(crate) fn batch(sequence: u64, whole: bool, bytes: usize) -> v1::Batch {
    v1::Batch {
        sequence,
        time: Some(Timestamp {
            seconds: now(),
            nanos: 0,
        }),
        boot_nanoseconds: sequence,
        whole,
        parts: vec![v1::Part {
            kind: 77,
            size: 0,
            data: payload(sequence, bytes),
        }],
    }
}

/// Room for about a dozen batches of 300 bytes.
pub(crate) fn small() -> Settings {
    Settings {
        bytes_max: 6000,
        file_bytes: 1000,
        age_max: Duration::from_secs(3600),
        file_age: Duration::from_secs(3600),
        ..Settings::default()
    }
}

pub(crate) fn open(folder: &Path, settings: Settings) -> Arc<Spool> {
    Arc::new(Spool::open(folder, settings).unwrap())
}

/// What a sender got, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Run(u8),
    Definitions,
    /// Of which run, and its number.
    Batch(u8, u64),
}

/// All that there is for now. Each batch has to be what was written.
pub(crate) fn drain(spool: &Spool, cursor: &mut Cursor) -> Vec<Got> {
    let mut of = 0;
    let mut got = Vec::new();
    while let Some(message) = spool.next(cursor) {
        got.push(match message {
            Message::Run(run) => {
                of = run.run_id[0];
                Got::Run(of)
            }
            Message::Definitions(_) => Got::Definitions,
            Message::Batch(batch) => {
                let data = &batch.parts[0].data;
                assert_eq!(data, &payload(batch.sequence, data.len()));
                Got::Batch(of, batch.sequence)
            }
            Message::Hello(_) => panic!("the sender says hello"),
        });
    }
    got
}

pub(crate) fn numbers(got: &[Got]) -> Vec<u64> {
    let batches = got.iter().filter_map(|got| match got {
        Got::Batch(_, sequence) => Some(*sequence),
        _ => None,
    });
    batches.collect()
}

pub(crate) fn report(folder: &Path, run: u8) -> RunReport {
    let reports = inspect(folder).unwrap();
    reports
        .into_iter()
        .find(|report| report.run_id == at(run))
        .unwrap()
}

pub(crate) fn fill(writer: &mut Writer, sequences: impl IntoIterator<Item = u64>) {
    for sequence in sequences {
        let whole = writer.begins_file();
        if whole {
            writer.append_definitions(b"definitions".to_vec());
        }
        writer.append_batch(&batch(sequence, whole, 300)).unwrap();
    }
}

pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|of| of == extension))
        .collect();
    files.sort();
    files
}
