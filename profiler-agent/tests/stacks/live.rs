//! Complete stacks, every function named.

use std::process::Command;

use profiler_agent::stack::{FrameKind, NamedFrame, Truncation};

use crate::capture::Recording;
use crate::fixture::{Directory, FUTEX, PAUSE, Program, compile};
use crate::{functions, named};

const WHOLE: usize = 1 << 20;

fn deep(options: &[&str], arguments: &[&str]) -> (Directory, Program, u32) {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", options);
    let program = Program::start(Command::new(path).args(arguments));
    let count = if arguments[0] == "thread" { 2 } else { 1 };
    let tid = program.wait_in(&[PAUSE], count);
    (directory, program, tid)
}

/// From the innermost function of the fixture outwards.
fn from_rest<'a>(names: &'a [&'a str]) -> &'a [&'a str] {
    let start = names
        .iter()
        .position(|name| *name == "rest")
        .expect("the leaf function");
    &names[start..]
}

#[test]
fn a_program_without_frame_pointers_is_followed_to_its_root() {
    for options in [&[][..], &["-no-pie"], &["-static"], &["-static-pie"]] {
        let (_directory, program, tid) = deep(options, &["pause", "3"]);
        let stack = named(program.pid(), &Recording::of(tid, WHOLE));
        assert_eq!(stack.truncated, None, "{options:?} {:?}", functions(&stack));
        let names = functions(&stack);
        let expected = [
            "rest", "inlined", "gamma_", "beta", "beta", "beta", "beta", "alpha", "main",
        ];
        assert!(
            from_rest(&names).starts_with(&expected),
            "{options:?} {names:?}"
        );
        assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
        assert_eq!(names.last(), Some(&"_start"), "{options:?}");
        let inlined: Vec<&NamedFrame> = stack.frames.iter().filter(|frame| frame.inlined).collect();
        assert!(inlined.iter().any(|frame| &*frame.function == "inlined"));
        let inlined = inlined
            .iter()
            .find(|frame| &*frame.function == "inlined")
            .expect("above");
        assert!(
            inlined.file.ends_with("deep.c") && inlined.line > 30,
            "{inlined:?}"
        );
        assert!(!inlined.build_id.is_empty());
    }
}

#[test]
fn a_thread_is_followed_to_its_root() {
    for options in [&[][..], &["-static"]] {
        let (_directory, program, tid) = deep(options, &["thread", "1"]);
        let stack = named(program.pid(), &Recording::of(tid, WHOLE));
        let names = functions(&stack);
        assert_eq!(stack.truncated, None, "{options:?} {names:?}");
        let expected = [
            "rest", "inlined", "gamma_", "beta", "beta", "alpha", "thread",
        ];
        assert!(from_rest(&names).starts_with(&expected), "{names:?}");
        assert!(
            names.last().is_some_and(|name| name.contains("clone")),
            "{names:?}"
        );
    }
}

#[test]
fn a_signal_handler_is_followed_into_what_it_interrupted() {
    let (_directory, program, tid) = deep(&[], &["signal", "1"]);
    let stack = named(program.pid(), &Recording::of(tid, WHOLE));
    let names = functions(&stack);
    assert_eq!(stack.truncated, None, "{names:?}");
    assert!(
        from_rest(&names).starts_with(&["rest", "handler"]),
        "{names:?}"
    );
    let interrupted = names
        .iter()
        .position(|name| *name == "gamma_")
        .expect("the interrupted function");
    assert_eq!(
        names[interrupted..interrupted + 4],
        ["gamma_", "beta", "beta", "alpha"]
    );
    assert_eq!(names.last(), Some(&"_start"));
}

#[test]
fn a_slice_that_ends_early_is_marked_and_never_complete() {
    let (_directory, program, tid) = deep(&[], &["pause", "200"]);
    let whole = Recording::of(tid, WHOLE);
    let complete = named(program.pid(), &whole);
    assert_eq!(complete.truncated, None);
    let used = whole.slice.len();
    let pointer = usize::try_from(whole.registers.sp - whole.base).expect("small");
    for length in (pointer..used).step_by(512) {
        let stack = named(program.pid(), &whole.cut(length));
        if stack.frames.len() < complete.frames.len() {
            assert_eq!(stack.truncated, Some(Truncation::SliceEnd), "{length}");
        }
        assert_eq!(
            stack.frames[..],
            complete.frames[..stack.frames.len()],
            "{length}"
        );
    }
}

#[test]
fn the_kernels_walk_goes_on_where_the_slice_ends() {
    let (_directory, program, tid) = deep(&["-fno-omit-frame-pointer"], &["pause", "60"]);
    let whole = Recording::of(tid, WHOLE);
    let complete = named(program.pid(), &whole);
    assert_eq!(complete.truncated, None);
    let length = usize::try_from(whole.registers.sp - whole.base).expect("small") + 2_048;
    let cut = named(program.pid(), &whole.cut(length));
    let names = functions(&cut);
    assert!(names.contains(&"main"), "{names:?}");
    assert_eq!(cut.truncated, Some(Truncation::SliceEnd), "libc keeps none");
    assert_eq!(cut.frames[..], complete.frames[..cut.frames.len()]);
}

#[test]
fn names_of_cpp_and_rust_are_demangled() {
    for (source, calls, expected) in [
        ("classes.cc", PAUSE, "app::Store<unsigned long>::keep"),
        ("generic.rs", FUTEX, "Keep>::keep"),
    ] {
        let directory = Directory::new();
        let path = compile(&directory, source, &[]);
        let program = Program::start(&mut Command::new(path));
        let tid = program.wait_in(&[calls], 1);
        let stack = named(program.pid(), &Recording::of(tid, WHOLE));
        let names = functions(&stack);
        assert_eq!(stack.truncated, None, "{names:?}");
        assert!(
            names.iter().any(|name| name.contains(expected)),
            "{names:?}"
        );
        assert!(
            !names
                .iter()
                .any(|name| name.starts_with("_Z") || name.starts_with("_R")),
            "{names:?}"
        );
    }
}

#[test]
fn code_in_anonymous_memory_is_stepped_over_by_frame_pointer_and_named_by_perf_map() {
    let directory = Directory::new();
    let path = compile(&directory, "jit.c", &[]);
    let program = Program::start(&mut Command::new(path));
    let tid = program.wait_in(&[PAUSE], 1);
    let stack = named(program.pid(), &Recording::of(tid, WHOLE));
    let _ = std::fs::remove_file(format!("/tmp/perf-{}.map", program.pid()));
    let names = functions(&stack);
    assert_eq!(stack.truncated, None, "{names:?}");
    assert!(
        from_rest(&names).starts_with(&["rest", "JS:compiled app.js:7", "main"]),
        "{names:?}"
    );
    let jit = stack
        .frames
        .iter()
        .find(|frame| frame.kind == FrameKind::Jit)
        .expect("the JIT frame");
    assert_eq!(&*jit.module, "[anon]");
}

#[test]
fn the_vdso_is_named() {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &[]);
    let program = Program::start(Command::new(path).args(["clock"]));
    for _ in 0..2_000 {
        std::thread::sleep(std::time::Duration::from_millis(1));
        let stack = named_quick(&program);
        if stack.frames[0].kind == FrameKind::Vdso {
            assert!(
                stack.frames[0].function.contains("clock_gettime"),
                "{stack:?}"
            );
            assert_eq!(&*stack.frames[0].module, "[vdso]");
            assert_eq!(stack.truncated, None, "{:?}", functions(&stack));
            return;
        }
    }
    panic!("a loop over clock_gettime is never seen in the vDSO");
}

fn named_quick(program: &Program) -> profiler_agent::stack::NamedStack {
    named(program.pid(), &Recording::of(program.pid(), WHOLE))
}

#[test]
fn node_is_followed_through_javascript_to_its_root() {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: there is no node");
        return;
    }
    let script = "function deep(n) { if (n) return deep(n - 1) + 1;
        return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); } deep(20)";
    let options = [
        "--perf-basic-prof",
        "--interpreted-frames-native-stack",
        "-e",
        script,
    ];
    // It leaves a log in its working directory.
    let program = Program::start(
        Command::new("node")
            .args(options)
            .current_dir(std::env::temp_dir()),
    );
    // The main thread is the first: wait until it waits, below JavaScript.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let recording = Recording::of(program.pid(), WHOLE);
    let stack = named(program.pid(), &recording);
    let _ = std::fs::remove_file(format!("/tmp/perf-{}.map", program.pid()));
    let names = functions(&stack);
    assert_eq!(stack.truncated, None, "{names:?}");
    let deep = names.iter().filter(|name| name.contains("deep")).count();
    assert_eq!(deep, 21, "{names:?}");
    assert_eq!(names.last(), Some(&"_start"), "{names:?}");
}
