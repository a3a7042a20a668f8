//! Perf maps that are not what they should be.

use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::Command;

use profiler_agent::stack::{ProcFs, Processes};

/// One test for all: the file's name is given by the process.
#[test]
fn only_an_own_regular_file_is_a_perf_map() {
    let name = format!("/tmp/perf-{}.map", std::process::id());
    let path = Path::new(&name);
    let view = ProcFs.view(std::process::id()).expect("own process");
    let _ = std::fs::remove_file(path);
    view.perf_map().expect_err("there is none");

    symlink("/etc/passwd", path).expect("a link");
    view.perf_map().expect_err("a link is not followed");
    std::fs::remove_file(path).expect("removed");

    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
    view.perf_map().expect_err("a FIFO would block");
    std::fs::remove_file(path).expect("removed");

    std::fs::create_dir(path).expect("a directory");
    view.perf_map().expect_err("a directory");
    std::fs::remove_dir(path).expect("removed");

    std::fs::write(path, "1000 10 name\n").expect("written");
    view.perf_map().expect("an ordinary file");
    if chown(path, Some(12_345), None).is_ok() {
        view.perf_map().expect_err("of another user");
    }
    std::fs::remove_file(path).expect("removed");
}
