//! Bounds that are reached: answers get worse, visibly, and nothing else happens.

use std::process::Command;

use profiler_agent::ids::ProcessHandle;
use profiler_agent::stack::{InternLimits, Limits, ProcFs, Resolver, Stacks};

use crate::capture::Recording;
use crate::fixture::{Directory, PAUSE, Program, compile};
use crate::{PROCESS, symbolizer};

fn program(directory: &Directory) -> (Program, Recording) {
    let path = compile(directory, "deep.c", &[]);
    let program = Program::start(Command::new(path).args(["pause", "1"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let recording = Recording::of(tid, 1 << 20);
    (program, recording)
}

#[test]
fn without_room_for_unwind_tables_stacks_are_marked() {
    let directory = Directory::new();
    let (program, recording) = program(&directory);
    let limits = Limits {
        cfi_bytes: 64,
        ..Limits::default()
    };
    let mut stacks = Stacks::new(Box::new(ProcFs), limits);
    stacks.intern_capture(PROCESS, program.pid(), &recording.capture());
    assert!(stacks.counters().cfi_over_budget > 0);
    assert_eq!(stacks.counters().truncated_total(), 1);
}

#[test]
fn without_room_for_modules_frames_are_unknown() {
    let directory = Directory::new();
    let (program, recording) = program(&directory);
    let limits = Limits {
        modules: 1,
        ..Limits::default()
    };
    let mut stacks = Stacks::new(Box::new(ProcFs), limits);
    let resolver = stacks.resolver(symbolizer());
    let interned = stacks.intern_capture(PROCESS, program.pid(), &recording.capture());
    assert_eq!(stacks.counters().truncated_total(), 1);
    assert!(stacks.counters().modules_refused > 0 && stacks.wants_retain());
    let stack = interned.expect("room for a stack");
    let named = resolver.name(&[stack]).remove(0).expect("kept");
    assert!(
        named
            .frames
            .iter()
            .any(|frame| &*frame.module == "[unknown]")
    );
}

#[test]
fn processes_take_turns_when_only_one_is_kept() {
    let directories = [Directory::new(), Directory::new()];
    let programs: Vec<_> = directories.iter().map(program).collect();
    let limits = Limits {
        processes: 1,
        ..Limits::default()
    };
    let mut stacks = Stacks::new(Box::new(ProcFs), limits);
    for _ in 0..3 {
        for (number, (program, recording)) in (1..).zip(&programs) {
            let handle = ProcessHandle(number);
            stacks.intern_capture(handle, program.pid(), &recording.capture());
        }
    }
    assert_eq!(stacks.counters().complete, 6);
    assert_eq!(stacks.stacks(), 2);
}

#[test]
fn a_full_table_of_stacks_folds_and_counts() {
    let directory = Directory::new();
    let (program, recording) = program(&directory);
    let limits = Limits {
        intern: InternLimits {
            stacks: 1,
            frames: 64,
        },
        ..Limits::default()
    };
    let mut stacks = Stacks::new(Box::new(ProcFs), limits);
    let whole = stacks.intern_capture(PROCESS, program.pid(), &recording.capture());
    assert!(whole.is_some());
    let length = usize::try_from(recording.registers.sp - recording.base).expect("small");
    let cut = recording.cut(length + 16);
    let folded = stacks.intern_capture(PROCESS, program.pid(), &cut.capture());
    assert_eq!((folded, stacks.counters().complete), (None, 1));
    assert_eq!(stacks.counters().folded, 1);
    let again = stacks.intern_capture(PROCESS, program.pid(), &recording.capture());
    assert_eq!(again, whole);
}

#[test]
fn the_parts_go_where_they_are_needed() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync + Clone>() {}
    moves::<Stacks>();
    is_shared::<Resolver>();
}
