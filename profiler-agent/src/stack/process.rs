//! The code of one process: its executable mappings, the modules behind them, and a framehop
//! unwinder to which modules are added when a stack first leads into them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use framehop::x86_64::{UnwindRegsX86_64, UnwinderX86_64};
use framehop::{
    ExplicitModuleSectionInfo, FrameAddress, MustNotAllocateDuringUnwind, Unwinder as _,
};

use super::counters::StackCounters;
use super::intern::FrameId;
use super::module::cfi::Cfi;
use super::module::{CfiState, Identified, Module, ModuleTable};
use super::mounts::NotLocal;
use super::pace::{Refreshes, Retries};
use super::procfs::{CodeMapping, ProcessView};
use super::unwind::{Cache, CodeKind, CodeMap, Place};
use crate::ids::{ModuleId, ProcessHandle};

type Unwinder = UnwinderX86_64<Arc<[u8]>, MustNotAllocateDuringUnwind>;

/// Executable mappings that are followed.
const MAPPINGS_MAX: usize = 16_384;
const PLACES: usize = 256;
/// `_start` is shorter.
const ENTRY_SPAN: u64 = 64;

/// What backs an executable mapping.
#[derive(Clone, Debug)]
enum Backing {
    Module(Arc<Module>),
    Anonymous,
    /// A file that could not be opened or was refused.
    Unknown,
}

#[derive(Clone, Debug)]
struct Mapped {
    mapping: CodeMapping,
    backing: Backing,
    cfi: Loaded,
}

impl Mapped {
    /// A file is behind it, and which one is not known.
    fn is_lost(&self) -> bool {
        self.mapping.inode != 0 && matches!(self.backing, Backing::Unknown)
    }
}

/// Why a file is not known.
enum Lost {
    Refused,
    Remote,
    Unopened,
}

#[derive(Clone, Debug)]
enum Loaded {
    Not,
    No,
    /// The table, and what to add to a stated address for one in this mapping.
    Yes(Arc<Cfi>, u64),
}

/// One process.
pub(super) struct ProcessCode {
    handle: ProcessHandle,
    view: Arc<dyn ProcessView>,
    mapped: Vec<Mapped>,
    unwinder: Unwinder,
    places: Box<[Option<(u64, Place)>]>,
    refreshes: Refreshes,
    retries: Retries,
    stale: bool,
    /// For the least recently used one to go.
    pub(super) last_used: u64,
}

/// A process together with what its lookups need.
pub(super) struct CodeView<'a> {
    pub(super) process: &'a mut ProcessCode,
    pub(super) modules: &'a mut ModuleTable,
    pub(super) counters: &'a mut StackCounters,
    pub(super) now: Instant,
    /// The last lookup would come out otherwise once there is room for an unwind table.
    pub(super) provisional: bool,
}

impl ProcessCode {
    pub(super) fn new(handle: ProcessHandle, view: Arc<dyn ProcessView>) -> Self {
        Self {
            handle,
            view,
            mapped: Vec::new(),
            unwinder: Unwinder::new(),
            places: vec![None; PLACES].into(),
            refreshes: Refreshes::default(),
            retries: Retries::default(),
            stale: true,
            last_used: 0,
        }
    }

    pub(super) fn view(&self) -> &Arc<dyn ProcessView> {
        &self.view
    }

    /// The mappings could be read at least once.
    pub(super) fn has_code(&self) -> bool {
        !self.mapped.is_empty()
    }

    /// It holds unwind tables.
    pub(super) fn has_tables(&self) -> bool {
        self.unwinder.max_known_code_address() != 0
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = ModuleId> {
        self.mapped
            .iter()
            .filter_map(|mapped| match &mapped.backing {
                Backing::Module(module) => Some(module.id),
                Backing::Anonymous | Backing::Unknown => None,
            })
    }

    /// Lets go of the unwind tables; they come back when they are needed.
    pub(super) fn unload(&mut self) {
        self.unwinder = Unwinder::new();
        for mapped in &mut self.mapped {
            mapped.cfi = Loaded::Not;
        }
        self.places.fill(None);
    }

    /// The address space changed in this range: code there has to be looked at again.
    pub(super) fn changed(&mut self, range: &Range<u64>) {
        let first = self
            .mapped
            .partition_point(|mapped| mapped.mapping.end <= range.start);
        // Code beside what is known is found when a stack first leads there.
        self.stale |= self
            .mapped
            .get(first)
            .is_some_and(|mapped| mapped.mapping.start < range.end);
    }

    fn find(&self, address: u64) -> Option<usize> {
        let place = self
            .mapped
            .partition_point(|mapped| mapped.mapping.end <= address);
        let mapped = self.mapped.get(place)?;
        (mapped.mapping.start <= address).then_some(place)
    }
}

impl CodeView<'_> {
    /// Reads the mappings when they are known to have changed, or to lead to files that could not
    /// be opened.
    pub(super) fn prepare(&mut self) {
        if self.process.stale || self.process.retries.is_due(self.now) {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let process = &mut *self.process;
        if !process.refreshes.take(self.now) {
            self.counters.refreshes_deferred += 1;
            return;
        }
        let started = Instant::now();
        match process.view.code(MAPPINGS_MAX) {
            Ok(code) => {
                process.stale = false;
                self.adopt(code);
                self.retry();
            }
            Err(_) => self.counters.maps_failed += 1,
        }
        self.process.refreshes.cost(started.elapsed());
    }

    /// Why a file could not be opened may have passed: descriptors or the table of modules were
    /// used up, say. What is found to be as it was is not counted again.
    fn retry(&mut self) {
        if self.process.retries.is_due(self.now) {
            let mut found = false;
            for place in 0..self.process.mapped.len() {
                if !self.process.mapped[place].is_lost() {
                    continue;
                }
                let mapping = self.process.mapped[place].mapping.clone();
                if let Ok(backing) = self.open(&mapping) {
                    self.process.mapped[place].backing = backing;
                    found = true;
                }
            }
            if found {
                self.process.unload();
            }
            self.process.retries.tried();
        }
        let lost = self.process.mapped.iter().any(Mapped::is_lost);
        self.process.retries.plan(lost, self.now);
    }

    fn adopt(&mut self, code: Vec<CodeMapping>) {
        if code.len() >= MAPPINGS_MAX {
            self.counters.mappings_cut += 1;
        }
        let unchanged = self.process.mapped.len() == code.len()
            && (self.process.mapped.iter().zip(&code)).all(|(old, new)| old.mapping == *new);
        if unchanged {
            return;
        }
        let mut old = std::mem::take(&mut self.process.mapped)
            .into_iter()
            .peekable();
        let mut mapped = Vec::with_capacity(code.len());
        for mapping in code {
            while old
                .peek()
                .is_some_and(|entry| entry.mapping.start < mapping.start)
            {
                old.next();
            }
            let backing = match old.peek() {
                Some(entry) if entry.mapping == mapping => entry.backing.clone(),
                _ => self.identify(&mapping),
            };
            mapped.push(Mapped {
                mapping,
                backing,
                cfi: Loaded::Not,
            });
        }
        self.process.mapped = mapped;
        self.process.unload();
    }

    fn identify(&mut self, mapping: &CodeMapping) -> Backing {
        if mapping.path == "[vdso]" {
            let vdso = self.modules.vdso().cloned();
            return vdso.map_or(Backing::Unknown, Backing::Module);
        }
        if mapping.inode == 0 {
            return Backing::Anonymous;
        }
        self.open(mapping).unwrap_or_else(|lost| {
            *match lost {
                Lost::Refused => &mut self.counters.modules_refused,
                Lost::Remote => &mut self.counters.modules_remote,
                Lost::Unopened => &mut self.counters.modules_unopened,
            } += 1;
            Backing::Unknown
        })
    }

    fn open(&mut self, mapping: &CodeMapping) -> Result<Backing, Lost> {
        let identified = self
            .process
            .view
            .open(mapping)
            .and_then(|file| self.modules.identify(file, &mapping.path, self.counters));
        match identified {
            Ok(Identified::Module(module)) => Ok(Backing::Module(module)),
            Ok(Identified::Data) => Ok(Backing::Anonymous),
            Ok(Identified::Refused) => Err(Lost::Refused),
            Err(error) if NotLocal::is(&error) => Err(Lost::Remote),
            Err(_) => Err(Lost::Unopened),
        }
    }

    /// Adds the module of a mapping to the unwinder.
    fn load(&mut self, place: usize) {
        let Some(Mapped {
            mapping,
            backing: Backing::Module(module),
            cfi: loaded @ Loaded::Not,
        }) = self.process.mapped.get_mut(place)
        else {
            return;
        };
        *loaded = Loaded::No;
        let cfi = match self.modules.cfi(module, self.counters) {
            CfiState::Ready(cfi) => cfi,
            CfiState::Absent => return,
            CfiState::OverBudget => {
                self.counters.cfi_over_budget += 1;
                self.provisional = true;
                *loaded = Loaded::Not;
                return;
            }
        };
        let length = mapping.end - mapping.start;
        let stated = module
            .headers
            .as_ref()
            .and_then(|headers| headers.address_of_mapping(mapping.offset, length));
        // Files that state addresses above those that they are mapped at are not made today.
        let Some(bias) = stated.and_then(|stated| mapping.start.checked_sub(stated)) else {
            return;
        };
        let table = cfi.address..cfi.address.saturating_add(1);
        self.process.unwinder.add_module(framehop::Module::new(
            String::new(),
            mapping.start..mapping.end,
            bias,
            ExplicitModuleSectionInfo {
                eh_frame_svma: Some(table.clone()),
                eh_frame: Some(Arc::clone(&cfi.eh_frame)),
                eh_frame_hdr_svma: Some(table),
                eh_frame_hdr: Some(Arc::clone(&cfi.index)),
                ..ExplicitModuleSectionInfo::default()
            },
        ));
        *loaded = Loaded::Yes(cfi, bias);
    }

    fn look_up(&mut self, address: u64) -> Place {
        let mut found = self.process.find(address);
        if found.is_none() {
            self.refresh();
            found = self.process.find(address);
        }
        let Some(found) = found else {
            return Place {
                kind: CodeKind::Unknown,
                frame: FrameId::Unknown {
                    process: self.process.handle,
                    address,
                },
                entry: false,
            };
        };
        self.load(found);
        let mapped = &self.process.mapped[found];
        let offset = mapped
            .mapping
            .offset
            .saturating_add(address - mapped.mapping.start);
        let process = self.process.handle;
        match &mapped.backing {
            Backing::Module(module) => {
                let vdso = self.modules.vdso().map(|vdso| vdso.id);
                place_in_module(module, mapped, address, offset, vdso)
            }
            Backing::Anonymous => Place {
                kind: CodeKind::Anonymous,
                frame: FrameId::Jit { process, address },
                entry: false,
            },
            Backing::Unknown => Place {
                kind: CodeKind::Opaque,
                frame: FrameId::Unknown { process, address },
                entry: false,
            },
        }
    }
}

fn place_in_module(
    module: &Module,
    mapped: &Mapped,
    address: u64,
    offset: u64,
    vdso: Option<ModuleId>,
) -> Place {
    let kind = match &mapped.cfi {
        Loaded::Yes(cfi, bias) => {
            let stated = address.wrapping_sub(*bias);
            if !cfi.covers(stated) {
                CodeKind::Undescribed
            } else if cfi.is_trampoline(stated) {
                CodeKind::Trampoline
            } else {
                CodeKind::Described
            }
        }
        Loaded::Not | Loaded::No => CodeKind::Opaque,
    };
    let entry = module.headers.as_ref().is_some_and(|headers| {
        headers
            .address_of(offset)
            .and_then(|stated| stated.checked_sub(headers.entry))
            .is_some_and(|inside| headers.entry != 0 && inside < ENTRY_SPAN)
    });
    let frame = if vdso == Some(module.id) {
        FrameId::Vdso { offset }
    } else {
        FrameId::Native {
            module: module.id,
            offset,
        }
    };
    Place { kind, frame, entry }
}

impl CodeMap for CodeView<'_> {
    fn place(&mut self, address: u64) -> Place {
        let slot = usize::try_from(address % PLACES as u64).unwrap_or(0);
        if let Some((known, place)) = self.process.places[slot]
            && known == address
        {
            return place;
        }
        self.provisional = false;
        let place = self.look_up(address);
        // What is unknown now may be known after the next look at the mappings.
        let keep = place.kind != CodeKind::Unknown && !self.provisional;
        self.process.places[slot] = keep.then_some((address, place));
        place
    }

    fn step(
        &self,
        address: FrameAddress,
        registers: &mut UnwindRegsX86_64,
        cache: &mut Cache,
        mut read: &mut dyn FnMut(u64) -> Result<u64, ()>,
    ) -> Result<Option<u64>, framehop::Error> {
        self.process
            .unwinder
            .unwind_frame(address, registers, cache, &mut read)
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
