//! Programs of known shape: compiled, started, waited for, ended.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A directory that goes with its owner.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("profiler-stacks-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory in the temporary directory");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Compiles one of `programs/`.
pub(crate) fn compile(directory: &Directory, source: &str, options: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/stacks/programs")
        .join(source);
    let output = directory.path("program");
    let (compiler, defaults): (_, &[&str]) = match source.extension().and_then(OsStr::to_str) {
        Some("rs") => ("rustc", &["-O", "-g"]),
        Some("cc") => ("c++", &["-O2", "-g", "-fomit-frame-pointer"]),
        _ => ("cc", &["-O2", "-g", "-fomit-frame-pointer", "-pthread"]),
    };
    let status = Command::new(compiler)
        .args(defaults)
        .args(options)
        .arg(&source)
        .arg("-o")
        .arg(&output)
        .status()
        .unwrap_or_else(|error| panic!("{compiler} is needed to compile a fixture: {error}"));
    assert!(
        status.success(),
        "{compiler} cannot compile {}",
        source.display()
    );
    output
}

/// A running program; it ends with its owner.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until each of `count` threads is in this system call (`/proc/PID/task/TID/syscall`),
    /// and gives the last thread.
    pub(crate) fn wait_in(&self, calls: &[&str], count: usize) -> u32 {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut threads = threads(self.pid());
            threads.sort_unstable();
            let in_call = |tid: &u32| {
                let path = format!("/proc/{}/task/{tid}/syscall", self.pid());
                let call = std::fs::read_to_string(path).unwrap_or_default();
                calls
                    .iter()
                    .any(|name| call.starts_with(&format!("{name} ")))
            };
            if threads.len() >= count && threads.last().is_some_and(in_call) {
                return threads[threads.len() - 1];
            }
            assert!(
                Instant::now() < deadline,
                "the fixture does not come to rest"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `pause(2)` and `futex(2)` by number.
pub(crate) const PAUSE: &str = "34";
pub(crate) const FUTEX: &str = "202";

fn threads(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task"));
    let names = entries.into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
