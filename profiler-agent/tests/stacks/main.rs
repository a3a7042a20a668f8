//! Stacks of real programs, from captured bytes to names.

#![expect(
    unsafe_code,
    reason = "ptrace stands in for the kernel side's captures"
)]

mod arbitrary;
mod capture;
mod files;
mod fixture;
mod limits;
mod live;
mod measure;
mod perf_map;
mod symbols;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use capture::Recording;
use profiler_agent::ids::ProcessHandle;
use profiler_agent::stack::symbol::{Symbolizer, WorkerConfig, worker_main};
use profiler_agent::stack::{Limits, NamedStack, ProcFs, Processes, Stacks};

const WORKER: &str = "PROFILER_TEST_SYMBOLIZER";

/// Not a test: what the symbolizer process runs, since this binary stands in for the agent.
#[test]
fn symbolizer_process() {
    if std::env::var_os(WORKER).is_some() {
        worker_main().expect("the symbolizer serves");
    }
}

fn symbolizer() -> Arc<Symbolizer> {
    Arc::new(Symbolizer::new(worker()))
}

fn worker() -> WorkerConfig {
    WorkerConfig {
        program: std::env::current_exe().expect("own path"),
        arguments: ["--exact", "symbolizer_process"].map(Into::into).into(),
        environment: vec![(WORKER.into(), "1".into())],
        timeout: Duration::from_secs(20),
        started: Arc::new(|_| ()),
    }
}

const PROCESS: ProcessHandle = ProcessHandle(1);

fn named_with(source: impl Processes + 'static, pid: u32, recording: &Recording) -> NamedStack {
    let mut stacks = Stacks::new(Box::new(source), Limits::default());
    let resolver = stacks.resolver(symbolizer());
    let interned = stacks.intern_capture(PROCESS, pid, &recording.capture());
    let stack = interned.expect("room for one stack");
    let named = resolver
        .name(&[stack])
        .remove(0)
        .expect("a stack that is kept");
    assert_eq!(named.truncated.is_none(), stacks.counters().complete == 1);
    stacks.retain(&HashSet::new());
    assert_eq!(resolver.name(&[stack]), [None]);
    named
}

fn named(pid: u32, recording: &Recording) -> NamedStack {
    named_with(ProcFs, pid, recording)
}

fn functions(stack: &NamedStack) -> Vec<&str> {
    stack.frames.iter().map(|frame| &*frame.function).collect()
}
