//! The folder and what is in it.

use std::{fs, path::Path};

use profiler_stream::spool::{Settings, Spool, SpoolError};
use tempfile::tempdir;

use crate::common::{FIRST, files, fill, open, run};

#[test]
fn two_agents_cannot_use_one_folder() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let second = Spool::open(folder.path(), Settings::default());
    assert!(matches!(second, Err(SpoolError::Locked(_))));
    let id = spool.agent_id();
    drop(spool);
    assert_eq!(open(folder.path(), Settings::default()).agent_id(), id);
}

#[test]
fn a_file_of_another_format_is_set_aside() {
    let folder = tempdir().unwrap();
    drop(open(folder.path(), Settings::default()));
    fs::write(
        folder.path().join("0000000000000007.spool"),
        b"memspool\x02\0\0\0",
    )
    .unwrap();
    fs::write(folder.path().join("0000000000000008.spool"), b"").unwrap();
    let spool = open(folder.path(), Settings::default());
    let status = spool.status();
    assert_eq!((status.files, status.files_damaged), (0, 1));
    fill(&mut spool.writer(&run(FIRST)).unwrap(), [1]);
    let names = files(folder.path(), "spool");
    assert!(names[0].ends_with("0000000000000009.spool"));
}

#[test]
fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let outer = tempdir().unwrap();
    let folder = outer.path().join("spool");
    let spool = open(&folder, Settings::default());
    fill(&mut spool.writer(&run(FIRST)).unwrap(), [1]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_run_needs_an_id_of_16_bytes() {
    let folder = tempdir().unwrap();
    let spool = open(folder.path(), Settings::default());
    let mut run = run(FIRST);
    run.run_id.pop();
    assert!(matches!(spool.writer(&run), Err(SpoolError::RunId)));
}
