//! Names for interned stacks, asked for by threads that answer queries.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::counters::StackCounter;
use super::frame::Truncation;
use super::intern::{FrameId, Interner, StackFrames};
use super::module::{Module, ModuleDirectory};
use super::perf_map::{PerfMap, PerfMaps};
use super::symbol::{Symbolizer, Symbols};
use super::{JitProcesses, locked};
use crate::ids::{ModuleId, ProcessHandle, StackId};

/// How a frame got its name, or why it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Code of an ELF file.
    Native,
    /// Code in anonymous memory.
    Jit,
    /// The kernel's vDSO.
    Vdso,
}

/// A frame for people. Several stand for one address where functions were inlined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedFrame {
    /// Demangled; empty where no name is known.
    pub function: Arc<str>,
    /// Source file; empty where it is not known.
    pub file: Arc<str>,
    /// Line; 0 where it is not known.
    pub line: u32,
    /// Path of the ELF file as the process sees it, `[vdso]`, `[anon]` or `[unknown]`.
    pub module: Arc<str>,
    /// Hexadecimal; empty where there is none.
    pub build_id: Arc<str>,
    /// Offset in the module's file, or the address where there is no file.
    pub module_offset: u64,
    /// Inlined into the frame that follows.
    pub inlined: bool,
    /// See [`FrameKind`].
    pub kind: FrameKind,
}

/// A named stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedStack {
    /// Leaf first.
    pub frames: Vec<NamedFrame>,
    /// Why the stack does not reach its root; `None` if it does.
    pub truncated: Option<Truncation>,
}

/// Stacks that are looked up under one lock: the pipeline waits for it at most that long.
const BATCH: usize = 256;

/// Turns ids into names. Cheap to clone; for any thread but the pipeline's.
#[derive(Clone)]
pub struct Resolver {
    interner: Arc<Mutex<Interner>>,
    modules: ModuleDirectory,
    vdso: Option<ModuleId>,
    jit: JitProcesses,
    perf_maps: Arc<Mutex<PerfMaps>>,
    /// Apart, so that it can be read while a map is.
    perf_lines_rejected: Arc<AtomicU64>,
    symbolizer: Arc<Symbolizer>,
}

impl Resolver {
    pub(super) fn new(
        interner: Arc<Mutex<Interner>>,
        modules: ModuleDirectory,
        vdso: Option<ModuleId>,
        jit: JitProcesses,
        symbolizer: Arc<Symbolizer>,
    ) -> Self {
        let perf_maps = PerfMaps::default();
        Self {
            interner,
            modules,
            vdso,
            jit,
            perf_lines_rejected: Arc::clone(&perf_maps.rejected),
            perf_maps: Arc::new(Mutex::new(perf_maps)),
            symbolizer,
        }
    }

    /// The frames of stacks without their names; `None` for those that are not kept any more.
    pub fn frames(&self, stacks: &[StackId]) -> Vec<Option<StackFrames>> {
        let mut frames = Vec::with_capacity(stacks.len());
        for batch in stacks.chunks(BATCH) {
            let interner = locked(&self.interner);
            frames.extend(batch.iter().map(|&stack| interner.resolve(stack)));
        }
        frames
    }

    /// Named stacks, in the order asked for. Blocks while the symbolizer works: seconds, when
    /// large debug information is read for the first time.
    pub fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        let stacks = self.frames(stacks);
        let frames = stacks.iter().flatten().flat_map(|stack| &stack.frames);
        let names = self.name_frames(frames.copied());
        stacks
            .into_iter()
            .map(|stack| {
                let stack = stack?;
                let named = stack.frames.iter().filter_map(|frame| names.get(frame));
                Some(NamedStack {
                    frames: named.flat_map(|named| named.iter().cloned()).collect(),
                    truncated: stack.truncated,
                })
            })
            .collect()
    }

    /// Names of single frames, leaf first where functions were inlined.
    pub fn name_frames(
        &self,
        frames: impl Iterator<Item = FrameId>,
    ) -> HashMap<FrameId, Vec<NamedFrame>> {
        let mut by_module: HashMap<ModuleId, Vec<(u64, FrameId)>> = HashMap::new();
        let mut by_process: HashMap<ProcessHandle, Vec<(u64, FrameId)>> = HashMap::new();
        let mut names = HashMap::new();
        for frame in frames {
            if names.insert(frame, Vec::new()).is_some() {
                continue;
            }
            match (frame, self.vdso) {
                (FrameId::Native { module, offset }, _) => {
                    by_module.entry(module).or_default().push((offset, frame));
                }
                (FrameId::Vdso { offset }, Some(vdso)) => {
                    by_module.entry(vdso).or_default().push((offset, frame));
                }
                (FrameId::Jit { process, address }, _) => {
                    by_process
                        .entry(process)
                        .or_default()
                        .push((address, frame));
                }
                (FrameId::Vdso { offset: at } | FrameId::Unknown { address: at, .. }, _) => {
                    names.insert(frame, vec![unknown_frame(at)]);
                }
            }
        }
        for (module, frames) in by_module {
            self.name_module(module, &frames, &mut names);
        }
        for (process, frames) in by_process {
            let map = self.perf_map(process);
            names.extend(
                (frames.into_iter())
                    .map(|(address, frame)| (frame, vec![jit_frame(&map, address)])),
            );
        }
        names
    }

    fn name_module(
        &self,
        id: ModuleId,
        frames: &[(u64, FrameId)],
        names: &mut HashMap<FrameId, Vec<NamedFrame>>,
    ) {
        let Some(module) = self.modules.get(id) else {
            names.extend(
                (frames.iter()).map(|&(offset, frame)| (frame, vec![unknown_frame(offset)])),
            );
            return;
        };
        let offsets: Vec<u64> = frames.iter().map(|(offset, _)| *offset).collect();
        let symbols = self.symbolizer.name(&module, &offsets);
        let kind = if self.vdso == Some(id) {
            FrameKind::Vdso
        } else {
            FrameKind::Native
        };
        for (&(offset, frame), symbols) in frames.iter().zip(symbols) {
            names.insert(frame, native_frames(&module, kind, offset, &symbols));
        }
    }

    /// What was lost in naming, by cause; zeros as well. Never waits.
    pub fn losses(&self) -> Vec<StackCounter> {
        let mut losses = self.symbolizer.counters().losses();
        losses.push(StackCounter {
            name: "perf_map_lines_rejected",
            meaning: "lines of perf maps that make no sense: JIT code in them has no name",
            count: self.perf_lines_rejected.load(Ordering::Relaxed),
        });
        losses
    }

    /// Collects a symbolizer that has ended, as it does when it is idle. To be called now and
    /// then, on any thread; never waits.
    pub fn reap(&self) {
        self.symbolizer.reap();
    }

    fn perf_map(&self, process: ProcessHandle) -> Arc<PerfMap> {
        let view = locked(&self.jit).get(&process).cloned();
        locked(&self.perf_maps).get(process, view.as_ref())
    }
}

fn native_frames(
    module: &Module,
    kind: FrameKind,
    offset: u64,
    symbols: &Symbols,
) -> Vec<NamedFrame> {
    let frame = |function: &Arc<str>, file: &Arc<str>, line, inlined| NamedFrame {
        function: Arc::clone(function),
        file: Arc::clone(file),
        line,
        module: Arc::clone(&module.path),
        build_id: Arc::clone(&module.build_id),
        module_offset: offset,
        inlined,
        kind,
    };
    if symbols.is_empty() {
        let empty = Arc::from("");
        return vec![frame(&empty, &empty, 0, false)];
    }
    symbols
        .iter()
        .map(|symbol| frame(&symbol.function, &symbol.file, symbol.line, symbol.inlined))
        .collect()
}

fn bare_frame(function: &str, module: &str, kind: FrameKind, module_offset: u64) -> NamedFrame {
    NamedFrame {
        function: function.into(),
        file: "".into(),
        line: 0,
        module: module.into(),
        build_id: "".into(),
        module_offset,
        inlined: false,
        kind,
    }
}

fn unknown_frame(address: u64) -> NamedFrame {
    bare_frame("", "[unknown]", FrameKind::Native, address)
}

fn jit_frame(map: &PerfMap, address: u64) -> NamedFrame {
    let name = map.name(address).unwrap_or_default();
    bare_frame(name, "[anon]", FrameKind::Jit, address)
}
