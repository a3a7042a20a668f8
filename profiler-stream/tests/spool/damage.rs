//! What is on the disk is not what was written.

use std::{fs, path::Path};

use profiler_stream::spool::{Cause, Cursor, Settings};
use tempfile::tempdir;

use crate::common::{FIRST, at, drain, files, fill, numbers, open, payload, report, run};

#[test]
fn a_torn_tail_is_cut_off() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    fill(&mut spool.writer(&run(FIRST)).unwrap(), 1..=2);
    drop(spool);
    let path = files(folder.path(), "spool").remove(0);
    let sound = fs::read(&path).unwrap();
    for tail in [&sound[12..40], &[0; 100], b"x"] {
        fs::write(&path, [&sound, tail].concat()).unwrap();
        let spool = open(folder.path(), Settings::default());
        assert_eq!(numbers(&drain(&spool, &mut Cursor::default())), [1, 2]);
        assert_eq!(spool.status().dropped, [].into());
        assert_eq!(fs::read(&path).unwrap(), sound);
    }
    assert!(files(folder.path(), "damaged").is_empty());
}

/// Flips a bit in the middle of the batch with this number.
fn damage(path: &Path, sequence: u64) {
    let mut bytes = fs::read(path).unwrap();
    let wanted = payload(sequence, 300);
    let place = bytes
        .windows(wanted.len())
        .position(|bytes| bytes == wanted);
    bytes[place.unwrap() + 150] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_file_is_set_aside_and_what_is_before_the_damage_is_sent() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, 1..=5);
    writer.end_file();
    fill(&mut writer, 6..=7);
    drop((writer, spool));
    damage(&files(folder.path(), "spool")[0], 3);
    let expected = vec![(3..=5, Cause::Damaged)];
    assert_eq!(report(folder.path(), FIRST).dropped, expected);
    for _ in 0..2 {
        let spool = open(folder.path(), Settings::default());
        assert_eq!(
            numbers(&drain(&spool, &mut Cursor::default())),
            [1, 2, 6, 7]
        );
        assert_eq!(spool.status().dropped, [(Cause::Damaged, 3)].into());
        assert_eq!(spool.status().files_damaged, 1);
        assert_eq!(report(folder.path(), FIRST).dropped, expected);
    }
    assert_eq!(files(folder.path(), "damaged").len(), 1);
}

#[test]
fn damage_to_what_is_acknowledged_loses_nothing_but_what_follows() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    fill(&mut spool.writer(&run(FIRST)).unwrap(), 1..=5);
    spool.ack(at(FIRST), 3);
    drop(spool);
    damage(&files(folder.path(), "spool")[0], 2);
    let spool = open(folder.path(), Settings::default());
    assert_eq!(drain(&spool, &mut Cursor::default()), []);
    assert_eq!(
        report(folder.path(), FIRST).dropped,
        [(4..=5, Cause::Damaged)]
    );
    assert_eq!(spool.status().acked, 3);
}

#[test]
fn damage_that_the_sender_meets_costs_what_follows_it() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, 1..=4);
    damage(&files(folder.path(), "spool")[0], 3);
    let mut cursor = Cursor::default();
    assert_eq!(numbers(&drain(&spool, &mut cursor)), [1, 2]);
    assert_eq!(
        report(folder.path(), FIRST).dropped,
        [(3..=4, Cause::Damaged)]
    );
    assert!(
        writer.begins_file(),
        "the damaged file is not written any more"
    );
    fill(&mut writer, [5]);
    assert_eq!(numbers(&drain(&spool, &mut cursor)), [5]);
    assert_eq!(spool.status().files_damaged, 1);
}

#[test]
fn what_cannot_be_read_or_removed_does_not_keep_the_spool_closed() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("0000000000000007.spool")).unwrap();
    fs::create_dir(folder.path().join("progress.tmp")).unwrap();
    let spool = open(folder.path(), Settings::default());
    fs::remove_dir(folder.path().join("progress.tmp")).unwrap();
    assert_eq!(spool.status().files_damaged, 1);
    fill(&mut spool.writer(&run(FIRST)).unwrap(), [1]);
    assert_eq!(numbers(&drain(&spool, &mut Cursor::default())), [1]);
}

#[test]
fn what_cannot_be_read_now_is_read_later() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    fill(&mut spool.writer(&run(FIRST)).unwrap(), 1..=2);
    let path = files(folder.path(), "spool").remove(0);
    let aside = folder.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    // Opening it fails with ELOOP.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let mut cursor = Cursor::default();
    assert_eq!(drain(&spool, &mut cursor), []);
    assert_eq!(spool.status().pending, 2);
    fs::rename(&aside, &path).unwrap();
    assert_eq!(numbers(&drain(&spool, &mut cursor)), [1, 2]);
}

#[test]
fn a_file_that_vanishes_is_counted() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, 1..=2);
    fs::remove_file(&files(folder.path(), "spool")[0]).unwrap();
    assert_eq!(drain(&spool, &mut Cursor::default()), []);
    assert_eq!(spool.status().dropped, [(Cause::Damaged, 2)].into());
    fill(&mut writer, [3]);
    assert_eq!(report(folder.path(), FIRST).pending, [3]);
}

#[test]
fn without_its_journal_everything_on_the_disk_is_sent_again() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fill(&mut writer, 1..=3);
    spool.ack(at(FIRST), 2);
    drop((writer, spool));
    fs::write(folder.path().join("progress"), b"nonsense").unwrap();
    let spool = open(folder.path(), Settings::default());
    assert_eq!(numbers(&drain(&spool, &mut Cursor::default())), [1, 2, 3]);
}
