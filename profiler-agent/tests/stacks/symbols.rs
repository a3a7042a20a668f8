//! The symbolizer process: it may die, the agent answers.

use std::fs::OpenOptions;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use profiler_agent::stack::symbol::{Symbolizer, WorkerConfig};
use profiler_agent::stack::{Limits, ProcFs, Resolver, Stacks};

use profiler_agent::ids::{ProcessHandle, StackId};

use crate::capture::Recording;
use crate::fixture::{Directory, PAUSE, Program, compile};
use crate::{functions, symbolizer, worker};

fn stacks(symbolizer: &Arc<Symbolizer>) -> (Stacks, Resolver) {
    let stacks = Stacks::new(Box::new(ProcFs), Limits::default());
    let resolver = stacks.resolver(Arc::clone(symbolizer));
    (stacks, resolver)
}

/// The stack of a program that has ended when this returns.
fn intern(stacks: &mut Stacks, process: u32, directory: &Directory) -> StackId {
    compile(directory, "deep.c", &["-static"]);
    intern_compiled(stacks, process, directory)
}

fn intern_compiled(stacks: &mut Stacks, process: u32, directory: &Directory) -> StackId {
    let path = directory.path("program");
    let program = Program::start(Command::new(path).args(["pause", "2"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let recording = Recording::of(tid, 1 << 20);
    let capture = recording.capture();
    let interned = stacks.intern_capture(ProcessHandle(process), program.pid(), &capture);
    interned.expect("room")
}

#[test]
fn a_file_cut_short_under_the_symbolizer_costs_names_and_nothing_else() {
    let directory = Directory::new();
    let symbolizer = symbolizer();
    let (mut stacks, resolver) = stacks(&symbolizer);
    let stack = intern(&mut stacks, 1, &directory);
    let file = OpenOptions::new()
        .write(true)
        .open(directory.path("program"))
        .expect("the program has ended");
    let length = file.metadata().expect("metadata").len();
    // The file's headers are as they were: what they point to is gone.
    file.set_len(4_096).expect("cut");
    let named = resolver.name(&[stack]).remove(0).expect("kept");
    let counters = symbolizer.counters();
    let errors = counters.errors.load(Ordering::Relaxed);
    assert!(errors + counters.deaths.load(Ordering::Relaxed) > 0);
    assert!(named.frames.len() > 4);
    assert!(
        named
            .frames
            .iter()
            .all(|frame| frame.module.ends_with("program"))
    );
    file.set_len(length).expect("as long as before");
    let other = Directory::new();
    let other = intern(&mut stacks, 2, &other);
    let named = resolver.name(&[other]).remove(0).expect("kept");
    assert!(
        functions(&named).contains(&"gamma_")
            || named.frames.iter().all(|frame| frame.function.is_empty())
    );
}

#[test]
fn a_symbolizer_that_dies_is_started_again() {
    let directory = Directory::new();
    let started: Arc<Mutex<Vec<u32>>> = Arc::default();
    let pids = Arc::clone(&started);
    let symbolizer = Arc::new(Symbolizer::new(WorkerConfig {
        started: Arc::new(move |pid| pids.lock().expect("no panic").push(pid)),
        ..worker()
    }));
    let started = || started.lock().expect("no panic").clone();
    let (mut stacks, resolver) = stacks(&symbolizer);
    let stack = intern(&mut stacks, 1, &directory);
    assert!(started().is_empty(), "started before it is needed");
    let first = resolver.name(&[stack]).remove(0).expect("kept");
    let pid = started()[0];
    let process = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a pid");
    rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("killed");
    let other = Directory::new();
    let other = intern(&mut stacks, 2, &other);
    let second = resolver.name(&[other]).remove(0).expect("kept");
    assert_eq!(functions(&first), functions(&second));
    assert_eq!(started().len(), 2);
    // Ended, it stays no zombie.
    let pid = started()[1];
    let process = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a pid");
    rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("killed");
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::path::Path::new(&format!("/proc/{pid}")).exists() {
        assert!(Instant::now() < deadline, "not collected");
        resolver.reap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let losses = resolver.losses();
    let deaths = losses.iter().find(|loss| loss.name == "symbolizer_deaths");
    assert_eq!(
        deaths.expect("listed").count,
        symbolizer.counters().deaths.load(Ordering::Relaxed)
    );
    // Names that are known need no process.
    let again = resolver.name(&[stack]).remove(0).expect("kept");
    assert_eq!(again, first);
}

#[test]
fn a_symbolizer_that_hangs_or_dies_at_once_is_given_up_for_that_file() {
    let directory = Directory::new();
    for script in ["kill -SEGV $$", "sleep 30"] {
        let symbolizer = Arc::new(Symbolizer::new(WorkerConfig {
            program: "/bin/sh".into(),
            arguments: ["-c", script].map(Into::into).into(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            timeout: Duration::from_millis(200),
            started: Arc::new(|_| ()),
        }));
        let (mut stacks, resolver) = stacks(&symbolizer);
        let stack = intern(&mut stacks, 1, &directory);
        let began = Instant::now();
        let named = resolver.name(&[stack]).remove(0).expect("kept");
        assert!(functions(&named).iter().all(|name| name.is_empty()));
        assert!(named.frames.iter().all(|frame| !frame.module.is_empty()));
        let counters = symbolizer.counters();
        assert_eq!(counters.deaths.load(Ordering::Relaxed), 2, "{script}");
        assert_eq!(counters.blamed.load(Ordering::Relaxed), 1, "{script}");
        resolver.name(&[stack]);
        assert_eq!(counters.started.load(Ordering::Relaxed), 2, "asked again");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_symbolizer_that_cannot_be_started_costs_names_only() {
    let directory = Directory::new();
    let symbolizer = Arc::new(Symbolizer::new(WorkerConfig {
        program: "/nonexistent".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
        timeout: Duration::from_secs(1),
        started: Arc::new(|_| ()),
    }));
    let (mut stacks, resolver) = stacks(&symbolizer);
    let stack = intern(&mut stacks, 1, &directory);
    let named = resolver.name(&[stack]).remove(0).expect("kept");
    assert!(functions(&named).iter().all(|name| name.is_empty()));
    assert!(symbolizer.counters().unstartable.load(Ordering::Relaxed) > 0);
}

/// A program that names another file as the place of its debug information.
fn link_to(directory: &Directory, section: &str, content: &[u8]) {
    let (path, link) = (directory.path("program"), directory.path("link"));
    std::fs::write(&link, content).expect("written");
    let added = format!("{section}={}", link.display());
    let status = Command::new("objcopy")
        .args(["--add-section", &added])
        .arg(&path)
        .status();
    assert!(status.expect("objcopy is needed").success());
}

#[test]
fn no_file_that_a_program_names_is_opened() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: a mount namespace needs root");
        return;
    }
    let fifo = |directory: &Directory, root: &str| {
        format!("{root}{}", directory.path("fifo").display()).into_bytes()
    };
    for (number, section) in [".gnu_debuglink", ".gnu_debugaltlink", ".gnu_debugaltlink"]
        .into_iter()
        .enumerate()
    {
        let directory = Directory::new();
        compile(&directory, "deep.c", &["-static"]);
        let made = Command::new("mkfifo").arg(directory.path("fifo")).status();
        assert!(made.expect("mkfifo").success());
        let content = match number {
            0 => b"fifo\0\0\0\0\x01\x02\x03\x04".to_vec(),
            1 => [fifo(&directory, ""), b"\0identity".to_vec()].concat(),
            _ => [fifo(&directory, "/proc/1/root"), b"\0identity".to_vec()].concat(),
        };
        link_to(&directory, section, &content);
        let symbolizer = Arc::new(Symbolizer::new(WorkerConfig {
            timeout: Duration::from_secs(5),
            ..worker()
        }));
        let (mut stacks, resolver) = stacks(&symbolizer);
        let stack = intern_compiled(&mut stacks, 1, &directory);
        let named = resolver.name(&[stack]).remove(0).expect("kept");
        let counters = symbolizer.counters();
        assert_eq!(counters.deaths.load(Ordering::Relaxed), 0, "{number}");
        assert_eq!(counters.open.load(Ordering::Relaxed), 0, "{number}");
        assert!(functions(&named).contains(&"gamma_"), "{number}");
        assert!(named.frames.iter().any(|frame| frame.line > 0), "{number}");
    }
}
