//! The files that were seen mapped as code. A module keeps its file open, so that it can be named
//! when the process has exited, the file was deleted or another one took its path.

pub(crate) mod bytes;
pub(crate) mod cfi;
mod elf;
mod vdso;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use elf::{BuildId, Headers, Segment};

use elf::{EH_FRAME_MAX, ElfError};

use crate::ids::ModuleId;
use bytes::FileBytes;
use cfi::Cfi;

use super::counters::StackCounters;

/// One file (or the vDSO).
#[derive(Debug)]
pub struct Module {
    /// Its id in this run.
    pub id: ModuleId,
    /// Path as the process sees it.
    pub path: Arc<str>,
    /// Build id, hexadecimal; empty when it has none.
    pub build_id: Arc<str>,
    /// Its headers, unless they are corrupt.
    pub headers: Option<Headers>,
    file: File,
    length: u64,
}

impl Module {
    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// What tells one file from another: a file replaced or rewritten in place gets another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileKey {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// Modules by id, for the threads that name frames.
#[derive(Clone, Debug, Default)]
pub struct ModuleDirectory(Arc<Mutex<HashMap<ModuleId, Arc<Module>>>>);

impl ModuleDirectory {
    /// The module of this id, while it is known.
    pub fn get(&self, id: ModuleId) -> Option<Arc<Module>> {
        self.locked().get(&id).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.locked().len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<ModuleId, Arc<Module>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a mapping's file turned out to be.
#[derive(Clone, Debug)]
pub(crate) enum Identified {
    Module(Arc<Module>),
    /// Not an ELF file: a runtime writes its code there.
    Data,
    /// The table is full.
    Refused,
}

/// The unwind table of a module, or why there is none.
#[derive(Clone, Debug)]
pub(crate) enum CfiState {
    Ready(Arc<Cfi>),
    Absent,
    /// There is no room for it now.
    OverBudget,
}

/// Unwind tables are checked as they are read, which takes the pipeline's time: a process that
/// maps ever new files gets no more of it than this.
#[derive(Debug)]
struct Allowance {
    bytes: u64,
    filled: Instant,
}

impl Allowance {
    const MAX: u64 = 64 << 20;
    const BYTES_PER_SECOND: f64 = 4_194_304.0;

    fn new(now: Instant) -> Self {
        Self {
            bytes: Self::MAX,
            filled: now,
        }
    }

    fn take(&mut self, bytes: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        // A float becomes the nearest integer, however long it was.
        let gained = (passed * Self::BYTES_PER_SECOND) as u64;
        if gained > 0 {
            self.bytes = self.bytes.saturating_add(gained).min(Self::MAX);
            self.filled = now;
        }
        let fits = bytes <= self.bytes;
        if fits {
            self.bytes -= bytes;
        }
        fits
    }
}

/// All modules, and the unwind tables of those in use.
#[derive(Debug)]
pub(crate) struct ModuleTable {
    directory: ModuleDirectory,
    by_key: HashMap<FileKey, Option<ModuleId>>,
    cfi: HashMap<ModuleId, Option<Arc<Cfi>>>,
    cfi_bytes: usize,
    next: u32,
    vdso: Option<Arc<Module>>,
    limits: ModuleLimits,
    allowance: Allowance,
}

/// Bounds of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModuleLimits {
    pub(crate) modules: usize,
    pub(crate) cfi_bytes: usize,
}

impl ModuleTable {
    pub(crate) fn new(limits: ModuleLimits) -> Self {
        let mut table = Self {
            directory: ModuleDirectory::default(),
            by_key: HashMap::new(),
            cfi: HashMap::new(),
            cfi_bytes: 0,
            next: 0,
            vdso: None,
            limits,
            allowance: Allowance::new(Instant::now()),
        };
        // Without it, its frames stay unnamed and are stepped over by frame pointer.
        table.vdso = vdso::copy()
            .ok()
            .and_then(|(file, length)| table.admit(file, length, "[vdso]").ok());
        table
    }

    pub(crate) fn directory(&self) -> ModuleDirectory {
        self.directory.clone()
    }

    pub(crate) fn vdso(&self) -> Option<&Arc<Module>> {
        self.vdso.as_ref()
    }

    /// Which module an opened file is.
    pub(crate) fn identify(
        &mut self,
        file: File,
        path: &str,
        counters: &mut StackCounters,
    ) -> io::Result<Identified> {
        let metadata = file.metadata()?;
        let key = FileKey {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        match self.by_key.get(&key) {
            Some(Some(id)) => {
                if let Some(module) = self.directory.get(*id) {
                    return Ok(Identified::Module(module));
                }
            }
            Some(None) => return Ok(Identified::Data),
            None => {}
        }
        if self.by_key.len() >= self.limits.modules {
            return Ok(Identified::Refused);
        }
        match self.admit(file, metadata.size(), path) {
            Ok(module) => {
                if module.headers.is_none() {
                    counters.elf_errors += 1;
                }
                self.by_key.insert(key, Some(module.id));
                Ok(Identified::Module(module))
            }
            Err(ElfError::NotElf) => {
                self.by_key.insert(key, None);
                Ok(Identified::Data)
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// A corrupt file is a module as well: its frames are named by path and offset.
    fn admit(&mut self, file: File, length: u64, path: &str) -> Result<Arc<Module>, ElfError> {
        let headers = match Headers::read(&FileBytes::new(&file, length)) {
            Err(ElfError::NotElf) => return Err(ElfError::NotElf),
            Ok(headers) => Some(headers),
            Err(error) => {
                tracing::debug!(?path, %error, "no symbols and no unwind table from this file");
                None
            }
        };
        let build_id = headers
            .as_ref()
            .and_then(|headers| headers.build_id.clone());
        let module = Arc::new(Module {
            id: ModuleId(self.next),
            path: path.into(),
            build_id: build_id.map_or_else(|| "".into(), |id| id.to_string().into()),
            headers,
            file,
            length,
        });
        self.next = self.next.wrapping_add(1);
        self.directory
            .locked()
            .insert(module.id, Arc::clone(&module));
        Ok(module)
    }

    /// The unwind table of a module; read when it is first asked for.
    pub(crate) fn cfi(&mut self, module: &Module, counters: &mut StackCounters) -> CfiState {
        if let Some(known) = self.cfi.get(&module.id) {
            return known.clone().map_or(CfiState::Absent, CfiState::Ready);
        }
        let section = module.headers.as_ref().and_then(|headers| headers.eh_frame);
        let Some(section) = section else {
            self.cfi.insert(module.id, None);
            return CfiState::Absent;
        };
        if section.size > EH_FRAME_MAX {
            counters.elf_errors += 1;
            self.cfi.insert(module.id, None);
            return CfiState::Absent;
        }
        let coming = usize::try_from(section.size).unwrap_or(usize::MAX);
        if self.cfi_bytes.saturating_add(coming) > self.limits.cfi_bytes {
            self.drop_unused_cfi();
            if self.cfi_bytes.saturating_add(coming) > self.limits.cfi_bytes {
                return CfiState::OverBudget;
            }
        }
        // Last, so that what there is no room for takes nothing from the others.
        if !self.allowance.take(section.size, Instant::now()) {
            return CfiState::OverBudget;
        }
        let cfi = match Cfi::read(&FileBytes::new(&module.file, module.length), section) {
            Ok(cfi) if cfi.is_empty() => None,
            Ok(cfi) => Some(Arc::new(cfi)),
            Err(error) => {
                counters.elf_errors += 1;
                tracing::debug!(path = ?module.path, %error, "no unwind table from this file");
                None
            }
        };
        if let Some(cfi) = &cfi {
            self.cfi_bytes += cfi.size();
            counters.cfi_entries_rejected += u64::from(cfi.rejected);
        }
        self.cfi.insert(module.id, cfi.clone());
        cfi.map_or(CfiState::Absent, CfiState::Ready)
    }

    /// Bytes of unwind tables at hand.
    pub(crate) fn cfi_bytes(&self) -> usize {
        self.cfi_bytes
    }

    /// Gives back the tables that no process's unwinder holds.
    pub(crate) fn drop_unused_cfi(&mut self) {
        self.cfi.retain(|_, cfi| {
            cfi.as_ref()
                .is_none_or(|cfi| Arc::strong_count(&cfi.eh_frame) > 1)
        });
        self.cfi_bytes = self.cfi.values().flatten().map(|cfi| cfi.size()).sum();
    }

    /// Forgets the modules that are not in `live`.
    pub(crate) fn retain(&mut self, live: &HashSet<ModuleId>) {
        let vdso = self.vdso.as_ref().map(|module| module.id);
        let keep = |id: &ModuleId| live.contains(id) || Some(*id) == vdso;
        self.by_key.retain(|_, id| id.as_ref().is_some_and(keep));
        self.directory.locked().retain(|id, _| keep(id));
        self.cfi.retain(|id, _| keep(id));
        self.cfi_bytes = self.cfi.values().flatten().map(|cfi| cfi.size()).sum();
    }

    /// The table can take no further file.
    pub(crate) fn is_full(&self) -> bool {
        self.by_key.len() >= self.limits.modules
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_table_that_cannot_be_taken_in_uses_up_no_allowance() {
        let mut table = ModuleTable::new(ModuleLimits {
            modules: 16,
            cfi_bytes: 1 << 20,
        });
        let module = |id, size| Module {
            id: ModuleId(id),
            path: "hostile".into(),
            build_id: "".into(),
            headers: Some(Headers {
                entry: 0,
                segments: Vec::new(),
                build_id: None,
                eh_frame: Some(elf::Section {
                    offset: 0,
                    address: 0,
                    size,
                }),
            }),
            file: File::open("/dev/null").expect("the null device"),
            length: u64::MAX,
        };
        let mut counters = StackCounters::default();
        let too_large = module(1_000, EH_FRAME_MAX + 1);
        let no_room = module(1_001, 2 << 20);
        for _ in 0..100 {
            let state = table.cfi(&too_large, &mut counters);
            assert!(matches!(state, CfiState::Absent));
            let state = table.cfi(&no_room, &mut counters);
            assert!(matches!(state, CfiState::OverBudget));
        }
        assert_eq!(table.allowance.bytes, Allowance::MAX);
        assert_eq!(counters.elf_errors, 1);
    }

    #[test]
    fn unwind_tables_are_read_at_a_bounded_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert!(allowance.take(Allowance::MAX, start));
        assert!(!allowance.take(1, start));
        let later = start + Duration::from_secs(1);
        assert!(allowance.take(4 << 20, later));
        assert!(!allowance.take(4 << 20, later));
        let much_later = start + Duration::from_secs(1 << 40);
        assert!(allowance.take(Allowance::MAX, much_later));
        assert!(!allowance.take(Allowance::MAX, much_later));
    }
}
