//! A disk that takes no more.

use std::{env, fs, path::Path, process::Command};

use profiler_stream::spool::{Cause, Cursor, Settings};
use tempfile::tempdir;

use crate::common::{FIRST, batch, drain, fill, numbers, open, report, run};

#[test]
fn a_folder_that_cannot_be_written_costs_batches_and_nothing_else() {
    let outer = tempdir().unwrap();
    let folder = outer.path().join("spool");
    let spool = open(&folder, Settings::default());
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    for sequence in 1..=2 {
        assert!(writer.begins_file());
        let kept = writer.append_batch(&batch(sequence, true, 100));
        assert_eq!(kept, Err(Cause::Disk));
    }
    fs::create_dir(&folder).unwrap();
    fill(&mut writer, 3..=4);
    assert_eq!(numbers(&drain(&spool, &mut Cursor::default())), [3, 4]);
    assert_eq!(spool.status().dropped, [(Cause::Disk, 2)].into());
    let report = report(&folder, FIRST);
    assert_eq!(report.dropped[0].0, 1..=2);
    assert_eq!(report.pending, [3, 4]);
}

const FOLDER: &str = "SPOOL_TEST_FOLDER";

#[test]
#[ignore = "mounts a small file system, which needs user namespaces"]
fn on_a_full_disk_the_oldest_goes_or_else_the_batch() {
    let folder = tempdir().unwrap();
    let mount =
        "mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$1\" --ignored --exact disk::inside";
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", mount])
        .arg(folder.path())
        .arg(env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

#[test]
#[ignore = "is run by the test above, on its small file system"]
fn inside() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let settings = Settings {
        file_bytes: 30_000,
        ..Settings::default()
    };
    let spool = open(folder, settings);
    let mut writer = spool.writer(&run(FIRST)).unwrap();
    let mut append = |sequence| {
        let whole = writer.begins_file();
        writer.append_batch(&batch(sequence, whole, 5000)).is_ok()
    };
    // More than the file system holds: the oldest files make room.
    let kept = (1..=300).filter(|sequence| append(*sequence)).count();
    let full = report(folder, FIRST);
    assert!(kept > 290, "{full:?}");
    assert!(full.pending.len() > 20, "{full:?}");
    assert_eq!(full.pending.last(), Some(&300));
    // Others take all that is left, again and again, until nothing is left that could make room.
    let hog = |sequence| folder.join(format!("others-{sequence}"));
    let mut sequences = 301..400_u64;
    let failed = sequences.find(|sequence| {
        let _ = fs::write(hog(*sequence), vec![0; 1 << 20]);
        !append(*sequence)
    });
    let failed = failed.unwrap();
    assert_eq!(
        report(folder, FIRST).last,
        failed,
        "it is noted on the full disk"
    );
    for sequence in 301..=failed {
        let _ = fs::remove_file(hog(sequence));
    }
    assert!(append(failed + 1));
    let after = report(folder, FIRST);
    assert_eq!(after.pending.last(), Some(&(failed + 1)));
    let dropped = after.dropped.iter().map(|(range, cause)| {
        assert_eq!(*cause, Cause::Disk);
        range.clone().count()
    });
    let all = dropped.sum::<usize>() + after.pending.len();
    assert_eq!(all as u64, failed + 1);
    assert_eq!(
        numbers(&drain(&spool, &mut Cursor::default())),
        after.pending
    );
}
