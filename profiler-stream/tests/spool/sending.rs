//! What a sender gets, and what becomes of it.

use std::sync::Arc;

use profiler_proto::v1::agent_message::Kind as Message;
use profiler_stream::spool::{Cause, Cursor, Settings, inspect};
use tempfile::tempdir;

use crate::common::{
    FIRST, Got, SECOND, at, batch, drain, files, fill, numbers, open, report, run,
};

#[test]
fn what_was_kept_is_read_in_order_and_goes_when_it_is_acknowledged() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    let told = spool.subscribe();
    fill(&mut writer, 1..=3);
    assert!(told.has_changed().unwrap());

    let mut cursor = Cursor::default();
    assert_eq!(spool.next(&mut cursor), Some(Message::Run(run(FIRST))));
    let definitions = Message::Definitions(b"definitions".to_vec());
    assert_eq!(spool.next(&mut cursor), Some(definitions));
    let first = batch(1, true, 300);
    assert_eq!(spool.next(&mut cursor), Some(Message::Batch(first)));
    assert_eq!(numbers(&drain(&spool, &mut cursor)), [2, 3]);
    assert_eq!(spool.next(&mut cursor), None);
    fill(&mut writer, [4]);
    assert_eq!(numbers(&drain(&spool, &mut cursor)), [4]);

    assert_eq!(spool.status().pending, 4);
    spool.ack(at(FIRST), 4);
    let status = spool.status();
    assert_eq!((status.pending, status.kept, status.acked), (0, 4, 4));
    assert_eq!(status.files, 1, "the file that is being written stays");
    writer.end_file();
    assert!(files(folder.path(), "spool").is_empty());
}

#[test]
fn a_new_stream_gets_the_definitions_again_but_not_what_is_acknowledged() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, 1..=3);
    spool.ack(at(FIRST), 2);
    let got = drain(&spool, &mut Cursor::default());
    assert_eq!(
        got,
        [Got::Run(FIRST), Got::Definitions, Got::Batch(FIRST, 3)]
    );
}

#[test]
fn files_of_an_earlier_run_are_sent_first() {
    let folder = tempdir().unwrap();
    for id in [FIRST, SECOND] {
        let spool = open(folder.path(), Settings::default());
        fill(&mut spool.writer(&run(id)).unwrap(), 1..=2);
    }
    let spool = open(folder.path(), Settings::default());
    let got = drain(&spool, &mut Cursor::default());
    let expected = [FIRST, SECOND].map(|id| {
        [
            Got::Run(id),
            Got::Definitions,
            Got::Batch(id, 1),
            Got::Batch(id, 2),
        ]
    });
    assert_eq!(got, expected.concat());
    spool.ack(at(FIRST), 2);
    let first = drain(&spool, &mut Cursor::default()).remove(0);
    assert_eq!(first, Got::Run(SECOND));
    assert_eq!(spool.status().files, 1);
}

#[test]
fn what_a_collector_refuses_goes_and_is_counted_once() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    fill(&mut spool.writer(&run(FIRST)).unwrap(), 1..=3);
    for _ in 0..2 {
        spool.refused(at(FIRST), 2);
    }
    spool.refused(at(FIRST), 9);
    spool.refused(at(SECOND), 1);
    assert_eq!(numbers(&drain(&spool, &mut Cursor::default())), [1, 3]);
    assert_eq!(spool.status().dropped, [(Cause::Refused, 1)].into());
    assert_eq!(
        report(folder.path(), FIRST).dropped,
        [(2..=2, Cause::Refused)]
    );
}

#[test]
fn a_whole_batch_does_not_go_on_in_a_file_that_was_ended_meanwhile() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, 1..=2);
    assert!(!writer.begins_file());
    spool.refused(at(FIRST), 2);
    // With definitions that go on from those of the file.
    writer.append_definitions(b"more".to_vec());
    assert_eq!(writer.append_batch(&batch(3, true, 300)), Err(Cause::Disk));
    fill(&mut writer, [4]);
    let got = drain(&spool, &mut Cursor::default());
    assert_eq!(numbers(&got), [1, 4]);
}

#[test]
fn it_can_be_written_and_sent_from_two_threads() {
    let folder = tempdir().unwrap();
    let spool = open(
        folder.path(),
        Settings {
            file_bytes: 2000,
            ..Settings::default()
        },
    );
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    let sender = Arc::clone(&spool);
    let sender = std::thread::spawn(move || {
        let mut cursor = Cursor::default();
        let mut got = Vec::new();
        while got.last() != Some(&200) {
            got.extend(numbers(&drain(&sender, &mut cursor)));
            if let Some(last) = got.last() {
                sender.ack(at(FIRST), *last);
            }
        }
        got
    });
    fill(&mut writer, 1..=200);
    assert_eq!(sender.join().unwrap(), (1..=200).collect::<Vec<_>>());
    writer.end_file();
    assert_eq!(spool.status().files, 0);
    assert_eq!(inspect(folder.path()).unwrap()[0].acked, 200);
}
