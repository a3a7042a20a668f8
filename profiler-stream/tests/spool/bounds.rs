//! Bounds of files, of the spool and of records.

use std::time::Duration;

use profiler_stream::spool::{Cause, Cursor, Settings};
use tempfile::tempdir;

use crate::common::{
    FIRST, SECOND, at, batch, batch_in, drain, fill, now, numbers, open, report, run, small,
};

#[test]
fn a_file_ends_by_its_size_and_by_its_age() {
    let folder = tempdir().unwrap();
    let by_size = Settings {
        file_bytes: 1000,
        ..Settings::default()
    };
    let spool = open(folder.path(), by_size);
    fill(&mut spool.writer(&run(FIRST)).unwrap(), 1..=11);
    assert_eq!(spool.status().files, 3);
    drop(spool);
    let by_age = Settings {
        file_age: Duration::ZERO,
        ..Settings::default()
    };
    let spool = open(folder.path(), by_age);
    fill(&mut spool.writer(&run(SECOND)).unwrap(), 1..=2);
    assert_eq!(spool.status().files, 5);
}

#[test]
fn the_oldest_file_goes_first_and_what_it_had_to_send_is_counted() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), small());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, [1]);
    spool.ack(at(FIRST), 1);
    fill(&mut writer, 2..=40);
    let report = report(folder.path(), FIRST);
    let first = report.pending[0];
    assert!(first > 20);
    assert_eq!(report.dropped, [(2..=first - 1, Cause::Full)]);
    assert_eq!(report.pending, (first..=40).collect::<Vec<_>>());
    let status = spool.status();
    assert!(status.bytes <= small().bytes_max);
    assert_eq!(status.dropped, [(Cause::Full, first - 2)].into());
    drop((writer, spool));
    let again = open(folder.path(), small()).status();
    assert_eq!(
        (again.dropped, again.kept, again.acked),
        (status.dropped, 40, 1)
    );
}

#[test]
fn what_is_too_old_goes() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    let old = batch_in(-25 * 3600, 1);
    writer.append_batch(&old).unwrap();
    assert_eq!(spool.status().oldest, Some(now() - 25 * 3600));
    writer.end_file();
    fill(&mut writer, [2]);
    assert_eq!(
        spool.status().pending,
        2,
        "by a clock that jumped forward nothing is older than what was just written"
    );
    drop((writer, spool));
    let spool = open(folder.path(), Settings::default());
    assert_eq!(report(folder.path(), FIRST).dropped, [(1..=1, Cause::Old)]);
    assert_eq!(spool.status().pending, 1);
}

fn settled() -> Settings {
    Settings {
        settling: Duration::ZERO,
        ..Settings::default()
    }
}

#[test]
fn what_is_ahead_of_a_clock_that_was_set_right_goes() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    writer.append_batch(&batch_in(3600, 1)).unwrap();
    writer.append_batch(&batch_in(300, 2)).unwrap();
    writer.end_file();
    writer.append_batch(&batch_in(900, 3)).unwrap();
    assert_eq!(spool.status().pending, 3, "the clock may not be set yet");
    drop((writer, spool));
    let spool = open(folder.path(), settled());
    assert_eq!(numbers(&drain(&spool, &mut Cursor::default())), [2]);
    let expected = [(1..=1, Cause::Ahead), (3..=3, Cause::Ahead)];
    assert_eq!(report(folder.path(), FIRST).dropped, expected);
}

#[test]
fn what_is_ahead_is_not_sent_and_the_next_batch_begins_a_file() {
    let folder = tempdir().unwrap();
    let settings = Settings {
        settling: Duration::from_millis(50),
        ..Settings::default()
    };
    let spool = open(folder.path(), settings);
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    writer.append_batch(&batch_in(3600, 1)).unwrap();
    assert!(!writer.begins_file());
    std::thread::sleep(settings.settling);
    let mut cursor = Cursor::default();
    assert!(numbers(&drain(&spool, &mut cursor)).is_empty());
    assert_eq!(spool.status().dropped, [(Cause::Ahead, 1)].into());
    fill(&mut writer, [2]);
    assert_eq!(numbers(&drain(&spool, &mut cursor)), [2]);
}

#[test]
fn definitions_of_a_first_batch_do_not_fill_a_file() {
    let folder = tempdir().unwrap();
    let settings = Settings {
        file_bytes: 1000,
        ..Settings::default()
    };
    let spool = open(folder.path(), settings);
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    assert!(writer.begins_file());
    writer.append_definitions(vec![7; 2000]);
    writer.append_batch(&batch(1, true, 300)).unwrap();
    fill(&mut writer, 2..=3);
    assert_eq!(spool.status().files, 1);
}

#[test]
fn a_batch_that_no_record_can_hold_is_counted_and_the_next_begins_a_file() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, [1]);
    assert!(!writer.begins_file());
    let large = batch(2, false, 40 << 20);
    assert_eq!(writer.append_batch(&large), Err(Cause::TooLarge));
    let unread = writer.append_batch(&batch(3, false, 10));
    assert_eq!(
        unread,
        Err(Cause::Disk),
        "nothing could read a difference from what is not there"
    );
    assert!(writer.begins_file());
    fill(&mut writer, [4]);
    let report = report(folder.path(), FIRST);
    assert_eq!(
        report.dropped,
        [(2..=2, Cause::TooLarge), (3..=3, Cause::Disk)]
    );
    assert_eq!(report.pending, [1, 4]);
}
