//! Files that are gone, hidden, stripped or corrupt.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use profiler_agent::stack::{
    CodeMapping, Limits, ProcFs, ProcessView, Processes, Stacks, Truncation,
};

use crate::capture::Recording;
use crate::fixture::{Directory, PAUSE, Program, compile};
use crate::{PROCESS, functions, named, named_with, symbolizer};

const WHOLE: usize = 1 << 20;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_deleted_program_keeps_its_names() {
    if !is_root() {
        eprintln!("skipped: /proc/PID/map_files needs root");
        return;
    }
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &[]);
    let program = Program::start(Command::new(&path).args(["pause"]));
    let tid = program.wait_in(&[PAUSE], 1);
    std::fs::write(directory.path("other"), "another file").expect("written");
    std::fs::rename(directory.path("other"), &path).expect("replaced");
    let stack = named(program.pid(), &Recording::of(tid, WHOLE));
    assert_eq!(stack.truncated, None);
    assert!(functions(&stack).contains(&"gamma_"));
}

#[test]
fn a_program_in_its_own_mount_namespace_has_names() {
    if !is_root() {
        eprintln!("skipped: a mount namespace needs root");
        return;
    }
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &[]);
    let hidden = directory.path("hidden");
    std::fs::create_dir(&hidden).expect("a directory");
    let script = format!(
        "mount -t tmpfs none {hidden} && cp {path} {hidden}/program && exec {hidden}/program pause",
        hidden = hidden.display(),
        path = path.display(),
    );
    let program = Program::start(Command::new("unshare").args(["-m", "sh", "-c", &script]));
    let tid = program.wait_in(&[PAUSE], 1);
    assert!(
        !hidden.join("program").exists(),
        "the namespace hides nothing"
    );
    let stack = named(program.pid(), &Recording::of(tid, WHOLE));
    let names = functions(&stack);
    assert_eq!(stack.truncated, None, "{names:?}");
    assert!(
        names.contains(&"gamma_") && names.contains(&"main"),
        "{names:?}"
    );
    let own = stack
        .frames
        .iter()
        .find(|frame| &*frame.function == "main")
        .expect("main");
    assert!(own.module.ends_with("/hidden/program"), "{}", own.module);
}

#[test]
fn a_stripped_program_shows_module_offset_and_build_id() {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &["-s"]);
    let program = Program::start(Command::new(&path).args(["pause", "2"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let stack = named(program.pid(), &Recording::of(tid, WHOLE));
    assert_eq!(stack.truncated, None);
    let own: Vec<_> = stack
        .frames
        .iter()
        .filter(|frame| frame.module.ends_with("/program"))
        .collect();
    assert!(own.len() >= 7, "{own:?}");
    for frame in own {
        assert_eq!((&*frame.function, frame.line), ("", 0));
        assert!(frame.module_offset > 0);
        assert_eq!(frame.build_id.len(), 40);
    }
}

#[test]
fn without_section_headers_the_unwind_table_is_found_all_the_same() {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &["-s"]);
    let mut content = std::fs::read(&path).expect("the program");
    // e_shoff, e_shnum, e_shstrndx
    content[40..48].fill(0);
    content[60..64].fill(0);
    std::fs::write(&path, content).expect("written");
    let program = Program::start(Command::new(&path).args(["pause", "2"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let stack = named(program.pid(), &Recording::of(tid, WHOLE));
    assert_eq!(stack.truncated, None, "{stack:?}");
    assert!(stack.frames.iter().any(|frame| !frame.build_id.is_empty()));
}

/// A process whose own program is another file than the one that runs.
struct Replaced {
    pid: u32,
    program: PathBuf,
}

struct ReplacedView {
    real: Arc<dyn ProcessView>,
    program: PathBuf,
}

impl Processes for Replaced {
    fn view(&self, _: u32) -> io::Result<Arc<dyn ProcessView>> {
        Ok(Arc::new(ReplacedView {
            real: ProcFs.view(self.pid)?,
            program: self.program.clone(),
        }))
    }
}

impl ProcessView for ReplacedView {
    fn code(&self, limit: usize) -> io::Result<Vec<CodeMapping>> {
        self.real.code(limit)
    }

    fn open(&self, mapping: &CodeMapping) -> io::Result<File> {
        if mapping.path.ends_with("/program") {
            File::open(&self.program)
        } else {
            self.real.open(mapping)
        }
    }

    fn perf_map(&self) -> io::Result<File> {
        self.real.perf_map()
    }
}

/// Numbers that look random and are the same in every run.
fn scatter(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn corrupt(content: &mut Vec<u8>, variant: u64) {
    let mut state = variant.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let length = content.len() as u64;
    let mut at = |bound: u64| usize::try_from(scatter(&mut state) % bound).expect("small");
    match variant % 4 {
        // Cut short.
        0 => content.truncate(at(length)),
        // A few bytes of the headers.
        1 => {
            for _ in 0..8 {
                let place = at(64 + 13 * 56);
                content[place] = u8::try_from(at(256)).expect("a byte");
            }
        }
        // Bits all over.
        2 => {
            for _ in 0..2_000 {
                let place = at(length);
                content[place] ^= 1 << at(8);
            }
        }
        // Numbers that overflow.
        _ => {
            for _ in 0..4 {
                let place = at(64 + 13 * 56);
                content[place..place + 8].fill(0xff);
            }
        }
    }
}

#[test]
fn corrupt_programs_harm_nothing() {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &[]);
    let program = Program::start(Command::new(&path).args(["pause", "2"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let recording = Recording::of(tid, WHOLE);
    let original = std::fs::read(&path).expect("the program");
    let replaced = directory.path("replaced");
    let mut stacks = Stacks::new(
        Box::new(Replaced {
            pid: program.pid(),
            program: replaced.clone(),
        }),
        Limits::default(),
    );
    let resolver = stacks.resolver(symbolizer());
    let mut kept = Vec::new();
    for variant in 0..400 {
        let mut content = original.clone();
        corrupt(&mut content, variant);
        let _ = std::fs::remove_file(&replaced);
        std::fs::write(&replaced, content).expect("written");
        stacks.forget(PROCESS);
        let interned = stacks.intern_capture(PROCESS, program.pid(), &recording.capture());
        if variant % 16 < 4 {
            kept.extend(interned);
        }
    }
    assert!(stacks.counters().elf_errors > 20, "{:?}", stacks.counters());
    assert_eq!(
        stacks.counters().truncated[Truncation::Failed as usize],
        0,
        "the unwinder failed inside"
    );
    for named in resolver.name(&kept) {
        assert!(!named.expect("kept").frames.is_empty());
    }
}

#[test]
fn a_huge_sparse_file_takes_no_memory() {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &[]);
    let program = Program::start(Command::new(&path).args(["pause"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let recording = Recording::of(tid, WHOLE);
    let replaced = directory.path("replaced");
    let mut content = std::fs::read(&path).expect("the program");
    let sections =
        usize::try_from(u64::from_le_bytes(content[40..48].try_into().expect("8"))).expect("small");
    for header in content[sections..].chunks_exact_mut(64) {
        // sh_size
        header[32..40].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    }
    let mut file = File::create(&replaced).expect("created");
    file.write_all(&content).expect("written");
    file.set_len(1 << 42).expect("sparse");
    let stack = named_with(
        Replaced {
            pid: program.pid(),
            program: replaced,
        },
        program.pid(),
        &recording,
    );
    assert!(!stack.frames.is_empty());
}

#[test]
fn a_process_that_has_ended_leaves_a_marked_stack() {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &[]);
    let program = Program::start(Command::new(&path).arg0("gone").args(["pause"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let (pid, recording) = (program.pid(), Recording::of(tid, WHOLE));
    drop(program);
    let stack = named(pid, &recording);
    assert!(stack.truncated.is_some());
    assert_eq!(&*stack.frames[0].module, "[unknown]");
}
