//! Figures, for people: `cargo test --release --test stacks -- --ignored --nocapture measure`.

use std::process::Command;
use std::time::{Duration, Instant};

use profiler_agent::stack::{FrameId, Limits, ProcFs, Stacks};

use crate::capture::Recording;
use crate::fixture::Program;
use crate::{PROCESS, symbolizer};

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("own status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().nth(1));
    figure
        .and_then(|figure| figure.parse().ok())
        .expect("a figure")
}

#[test]
#[ignore = "prints figures"]
fn measure_node() {
    let script = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)";
    let program = Program::start(Command::new("node").args(["-e", script]));
    std::thread::sleep(Duration::from_secs(2));
    let recording = Recording::of(program.pid(), 60 << 10);
    let before = resident();
    let mut stacks = Stacks::new(Box::new(ProcFs), Limits::default());
    let began = Instant::now();
    let (frames, end) = stacks.unwind(PROCESS, program.pid(), &recording.capture());
    let count = frames.len();
    println!("first stack {:?}, {count} frames, {end:?}", began.elapsed());
    let rounds = 10_000;
    let began = Instant::now();
    for _ in 0..rounds {
        stacks.intern_capture(PROCESS, program.pid(), &recording.capture());
    }
    println!("warm stack {:?}", began.elapsed() / rounds);
    println!("resident {} KiB more", resident() - before);
    println!("{:?}", stacks.counters());
    name_many(&mut stacks, &program, &recording);
}

fn name_many(stacks: &mut Stacks, program: &Program, recording: &Recording) {
    let (frames, _) = stacks.unwind(PROCESS, program.pid(), &recording.capture());
    let module = frames.iter().rev().find_map(|frame| match frame.code {
        FrameId::Native { module, .. } => Some(module),
        _ => None,
    });
    let module = module.expect("a native frame");
    let resolver = stacks.resolver(symbolizer());
    let many = (0..10_000_u64).map(|number| FrameId::Native {
        module,
        offset: 0x80_0000 + number * 1_024,
    });
    let began = Instant::now();
    let names = resolver.name_frames(many.clone());
    let named = names
        .values()
        .flatten()
        .filter(|frame| !frame.function.is_empty());
    println!(
        "10,000 frames named in {:?}, {} names",
        began.elapsed(),
        named.count()
    );
    let began = Instant::now();
    resolver.name_frames(many);
    println!(
        "again in {:?}, resident {} KiB",
        began.elapsed(),
        resident()
    );
}
