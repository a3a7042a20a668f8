//! From a captured stack to named frames.
//!
//! The pipeline's thread owns [`Stacks`]: it unwinds a capture and interns the stack. Threads that
//! answer queries hold a [`Resolver`], which turns the ids into names; the work behind names is
//! done by a child process, and never while a lock is held that the pipeline needs.

mod counters;
mod frame;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod intern;
pub mod memory;
mod module;
mod mounts;
mod name;
mod pace;
mod perf_map;
mod process;
mod procfs;
pub mod symbol;
mod unwind;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use counters::{StackCounter, StackCounters};
pub use frame::{End, Frame, FrameAddress, FrameRegisters, Truncation};
pub use intern::{FrameId, InternLimits, Interner, StackFrames};
pub use module::{BuildId, Headers, Module, ModuleDirectory, Segment};
pub use name::{FrameKind, NamedFrame, NamedStack, Resolver};
pub use procfs::{CodeMapping, ProcFs, ProcessView, Processes};

use crate::event::Capture;
use crate::ids::{ProcessHandle, StackId};
use memory::Slice;
use module::{ModuleLimits, ModuleTable};
use process::{CodeView, ProcessCode};
use symbol::Symbolizer;

/// Bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Stacks and frames.
    pub intern: InternLimits,
    /// Files mapped as code; each is kept open.
    pub modules: usize,
    /// Bytes of unwind tables.
    pub cfi_bytes: usize,
    /// Processes whose mappings are kept.
    pub processes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            intern: InternLimits::default(),
            modules: 4_096,
            cfi_bytes: 32 << 20,
            processes: 256,
        }
    }
}

/// Views of the processes that run JIT code, by which their perf maps are found.
pub(crate) type JitProcesses = Arc<Mutex<HashMap<ProcessHandle, Arc<dyn ProcessView>>>>;

/// Most processes whose perf maps can be read.
const JIT_PROCESSES_MAX: usize = 1_024;

/// Unwinding and interning. Owned by one thread.
pub struct Stacks {
    source: Box<dyn Processes>,
    limits: Limits,
    processes: HashMap<ProcessHandle, ProcessCode>,
    modules: ModuleTable,
    interner: Arc<Mutex<Interner>>,
    jit: JitProcesses,
    cache: unwind::Cache,
    counters: StackCounters,
    frames: Vec<Frame>,
    uses: u64,
}

impl Stacks {
    /// Nothing known yet.
    pub fn new(source: Box<dyn Processes>, limits: Limits) -> Self {
        Self {
            source,
            limits,
            processes: HashMap::new(),
            modules: ModuleTable::new(ModuleLimits {
                modules: limits.modules,
                cfi_bytes: limits.cfi_bytes,
            }),
            interner: Arc::new(Mutex::new(Interner::new(limits.intern))),
            jit: JitProcesses::default(),
            cache: unwind::Cache::new_in(),
            counters: StackCounters::default(),
            frames: Vec::new(),
            uses: 0,
        }
    }

    /// For the threads that name frames.
    pub fn resolver(&self, symbolizer: Arc<Symbolizer>) -> Resolver {
        Resolver::new(
            Arc::clone(&self.interner),
            self.modules.directory(),
            self.modules.vdso().map(|vdso| vdso.id),
            Arc::clone(&self.jit),
            symbolizer,
        )
    }

    /// Unwinds a capture. The frames stay at hand for runtimes to name, until the next call.
    pub fn unwind(
        &mut self,
        process: ProcessHandle,
        pid: u32,
        capture: &Capture<'_>,
    ) -> (&[Frame], End) {
        self.make_room(process);
        let end = self.walk(process, pid, capture);
        match end {
            End::Root => self.counters.complete += 1,
            End::Truncated(reason) => self.counters.truncated[reason as usize] += 1,
        }
        (&self.frames, end)
    }

    fn walk(&mut self, handle: ProcessHandle, pid: u32, capture: &Capture<'_>) -> End {
        self.uses += 1;
        let code = match self.processes.entry(handle) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => match self.source.view(pid) {
                Ok(view) => entry.insert(ProcessCode::new(handle, view)),
                Err(_) => {
                    self.counters.maps_failed += 1;
                    return leaf_only(&mut self.frames, handle, capture);
                }
            },
        };
        code.last_used = self.uses;
        let mut view = CodeView {
            process: code,
            modules: &mut self.modules,
            counters: &mut self.counters,
            now: Instant::now(),
            provisional: false,
        };
        view.prepare();
        if !view.process.has_code() {
            return leaf_only(&mut self.frames, handle, capture);
        }
        unwind::walk(
            &mut view,
            &mut self.cache,
            &capture.registers,
            Slice::new(capture.slice_base, capture.slice),
            capture.chain,
            &mut self.frames,
        )
    }

    /// Unwinds a capture and interns its stack; `None`: the table of stacks was full.
    pub fn intern_capture(
        &mut self,
        process: ProcessHandle,
        pid: u32,
        capture: &Capture<'_>,
    ) -> Option<StackId> {
        let (_, end) = self.unwind(process, pid, capture);
        let truncated = match end {
            End::Root => None,
            End::Truncated(reason) => Some(reason),
        };
        let frames = self.frames.iter().map(|frame| frame.code);
        let stack = locked(&self.interner).intern(frames, truncated);
        if stack.is_none() {
            self.counters.folded += 1;
        }
        self.keep_view_of_jit(process);
        stack
    }

    fn keep_view_of_jit(&mut self, process: ProcessHandle) {
        let is_jit = |frame: &Frame| matches!(frame.code, FrameId::Jit { .. });
        if !self.frames.iter().any(is_jit) {
            return;
        }
        if let Some(code) = self.processes.get(&process) {
            let mut jit = locked(&self.jit);
            if jit.contains_key(&process) {
                return;
            }
            if jit.len() < JIT_PROCESSES_MAX {
                jit.insert(process, Arc::clone(code.view()));
            } else {
                self.counters.jit_processes_refused += 1;
            }
        }
    }

    /// An address space changed: mappings of code in `range` are looked at again before the next
    /// stack of this process is unwound.
    pub fn changed(&mut self, process: ProcessHandle, range: &Range<u64>) {
        if let Some(code) = self.processes.get_mut(&process) {
            code.changed(range);
        }
    }

    /// The process has ended, or runs another program.
    pub fn forget(&mut self, process: ProcessHandle) {
        self.processes.remove(&process);
    }

    /// The tables are nearly full: call [`Stacks::retain`].
    pub fn wants_retain(&self) -> bool {
        self.modules.is_full() || locked(&self.interner).is_nearly_full()
    }

    /// Forgets the stacks that are not in `live`, and files that nothing leads to any more.
    pub fn retain(&mut self, live: &HashSet<StackId>) {
        let (mut modules, jit) = {
            let mut interner = locked(&self.interner);
            interner.retain(live);
            (interner.modules(), interner.processes())
        };
        modules.extend(self.processes.values().flat_map(ProcessCode::modules));
        self.modules.retain(&modules);
        locked(&self.jit).retain(|process, _| jit.contains(process));
    }

    /// Figures of this run.
    pub fn counters(&self) -> &StackCounters {
        &self.counters
    }

    /// How many stacks are kept.
    pub fn stacks(&self) -> usize {
        locked(&self.interner).stacks()
    }

    /// How many files are kept.
    pub fn modules(&self) -> usize {
        self.modules.directory().len()
    }

    fn make_room(&mut self, process: ProcessHandle) {
        let full = self.processes.len() >= self.limits.processes;
        if full
            && !self.processes.contains_key(&process)
            && let Some(oldest) = self.least_recently_used(|_, _| true)
        {
            self.processes.remove(&oldest);
        }
        if self.modules.cfi_bytes() > self.limits.cfi_bytes / 4 * 3 {
            let others = |handle, code: &ProcessCode| handle != process && code.has_tables();
            if let Some(oldest) = self.least_recently_used(others) {
                if let Some(code) = self.processes.get_mut(&oldest) {
                    code.unload();
                }
                self.modules.drop_unused_cfi();
            }
        }
    }

    fn least_recently_used(
        &self,
        eligible: impl Fn(ProcessHandle, &ProcessCode) -> bool,
    ) -> Option<ProcessHandle> {
        self.processes
            .iter()
            .filter(|(handle, code)| eligible(**handle, code))
            .min_by_key(|(_, code)| code.last_used)
            .map(|(handle, _)| *handle)
    }
}

/// The process ended before its mappings could be read.
fn leaf_only(frames: &mut Vec<Frame>, process: ProcessHandle, capture: &Capture<'_>) -> End {
    let address = capture.registers.ip;
    frames.clear();
    frames.push(Frame {
        address: FrameAddress::from_instruction_pointer(address),
        code: FrameId::Unknown { process, address },
        registers: None,
    });
    End::Truncated(Truncation::NoMappings)
}

/// A panic elsewhere leaves these tables usable: none is changed in more than one step that
/// could fail.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The beginning of `text`, at most `limit` bytes of it.
pub(crate) fn clipped(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
