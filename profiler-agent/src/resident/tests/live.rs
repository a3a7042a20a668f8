//! On the running kernel.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::{A, only, tree::entry};
use crate::{
    ids::BootTime,
    profile::Snapshot,
    resident::{Reader, Source},
};

const MEMORY: u64 = 32 << 20;
/// What the interpreter may have besides.
const BESIDES: u64 = 16 << 20;
/// Touches 32 MiB, says so, and waits to be told to end.
const PROGRAM: &str = "import mmap\nm = mmap.mmap(-1, 32 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n\
     for i in range(0, 32 << 20, 4096): m[i] = 1\nprint('ready', flush=True)\ninput()\n";

/// Removes the cgroup.
struct Made(std::path::PathBuf);

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_memory_cgroup_and_its_process_tell_what_was_touched() {
    let parent = Path::new("/sys/fs/cgroup/memory");
    if !rustix::process::geteuid().is_root() || !parent.join("memory.stat").exists() {
        println!("skipped: it needs root, and a memory cgroup of v1");
        return;
    }
    let made = Made(parent.join(format!("libpod-{A}")));
    fs::create_dir(&made.0).unwrap();
    fs::write(made.0.join("memory.limit_in_bytes"), "134217728").unwrap();
    let script = format!(
        "echo $$ > {}/cgroup.procs && exec python3 -c \"$0\"",
        made.0.display()
    );
    let mut child = Command::new("sh")
        .args(["-c", &script, PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    let mut process = entry(child.id(), &format!("/libpod-{A}"), MEMORY);
    std::sync::Arc::make_mut(&mut process.info).started = BootTime(u64::MAX);
    let snapshot = Snapshot {
        processes: vec![process],
        ..Snapshot::default()
    };
    let mut reader = Reader::new();
    let figures = only(&mut reader, &snapshot);
    let member = super::groups(&snapshot).groups[0].members[0];
    let alone = reader.process(&member);
    child.kill().unwrap();
    child.wait().unwrap();
    let (figures, alone) = (figures.unwrap(), alone.unwrap());
    assert_eq!(figures.source, Source::Cgroup1);
    assert!(
        (MEMORY..MEMORY + BESIDES).contains(&figures.anon),
        "{figures:?}"
    );
    // The only process: the cgroup's figure and its own differ by batches of counting.
    assert!(
        figures.anon.abs_diff(alone.anon) < 1 << 20,
        "{figures:?} {alone:?}"
    );
    let limit = figures.limit.unwrap();
    assert!(
        limit.bytes >= 128 << 20 && limit.cgroup == format!("/libpod-{A}"),
        "{limit:?}"
    );
    assert_eq!(figures.events.oom_kill, Some(0));
    assert_eq!(reader.losses(), Default::default());
}
