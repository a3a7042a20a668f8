//! The sender on a spool on disk.

use std::{sync::Arc, time::Duration};

use profiler_proto::v1;
use tokio::time::{sleep, timeout};

use super::{
    backlog::{Memory, run_id},
    collector::{Behaviour, Collector},
    delivery::sender_of,
};
use crate::{
    sender::FromSpool,
    spool::{Settings, Spool, Writer},
};

fn run(number: u8) -> v1::Run {
    v1::Run {
        run_id: run_id(number),
        ..v1::Run::default()
    }
}

/// As [`Memory::add_file`], up to `last`.
fn write(writer: &mut Writer, sequences: std::ops::RangeInclusive<u64>, in_file: &mut u64) {
    for sequence in sequences {
        let whole = writer.begins_file();
        *in_file = if whole { 1 } else { *in_file + 1 };
        writer.append_definitions(vec![1; 40]);
        let batch = v1::Batch {
            sequence,
            boot_nanoseconds: *in_file,
            whole,
            ..v1::Batch::default()
        };
        writer.append_batch(&batch).unwrap();
    }
}

#[tokio::test]
async fn what_an_earlier_run_left_and_what_comes_is_sent_and_the_spool_is_empty_then() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        age_max: Duration::MAX,
        file_bytes: 1000,
        ..Settings::default()
    };
    let mut in_file = 0;
    let spool = Arc::new(Spool::open(folder.path(), settings).unwrap());
    write(&mut spool.writer(&run(1)).unwrap(), 1..=30, &mut in_file);
    drop(spool);

    let spool = Arc::new(Spool::open(folder.path(), settings).unwrap());
    let mut writer = spool.writer(&run(2)).unwrap();
    write(&mut writer, 1..=10, &mut in_file);
    let drops = (0..20).map(|n| Behaviour::Drop {
        after: n % 4,
        acked: n % 2 == 0,
    });
    let collector = Collector::new(&Memory::default(), drops.collect());
    let (address, _server) = collector.serve().await;
    let sending = tokio::spawn(sender_of(FromSpool::new(Arc::clone(&spool)), vec![address]).run());
    sleep(Duration::from_millis(20)).await;
    write(&mut writer, 11..=40, &mut in_file);
    let wait = async {
        while spool.status().pending > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), wait).await.unwrap();
    sending.abort();
    let seen = collector.seen();
    assert_eq!(seen.wrong, [] as [&str; 0]);
    assert_eq!(seen.stored.len(), 70);
    let status = spool.status();
    assert_eq!((status.acked, status.dropped.len()), (70, 0));
    writer.end_file();
    assert_eq!(spool.status().files, 0);
}
