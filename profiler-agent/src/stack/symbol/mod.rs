//! Names for code in ELF files, from a child process of the agent.

mod cache;
mod client;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod protocol;
mod sandbox;
mod worker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub use client::WorkerConfig;
pub use worker::worker_main;

use super::counters::StackCounter;
use super::module::Module;
use super::{clipped, locked};
use crate::ids::ModuleId;
use cache::Cache;
use client::{AskError, Worker};
use protocol::{ADDRESSES_MAX, NAME_MAX, Reply, Request};

/// One function at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Demangled.
    pub function: Arc<str>,
    /// Empty where it is not known.
    pub file: Arc<str>,
    /// 0 where it is not known.
    pub line: u32,
    /// Inlined into the one that follows.
    pub inlined: bool,
}

/// The functions at one address, innermost first; empty where there is no name.
pub type Symbols = Arc<[Symbol]>;

/// Addresses whose names are kept.
const CACHED_MAX: usize = 65_536;
/// A file over which the process died so often is not asked for again.
const DEATHS_MAX: u8 = 2;
/// Starts in a row that end before the request is served.
const ATTEMPTS_MAX: u8 = 4;
/// Files whose deaths are remembered.
const BLAMED_MAX: usize = 4_096;

/// Figures of this run.
#[derive(Debug, Default)]
pub struct SymbolCounters {
    /// Processes started.
    pub started: AtomicU64,
    /// Processes that died or were killed over a request.
    pub deaths: AtomicU64,
    /// Processes that could not be started.
    pub unstartable: AtomicU64,
    /// Files that are not asked for any more, because the process died over them.
    pub blamed: AtomicU64,
    /// Requests for files that give no names: corrupt, for example.
    pub errors: AtomicU64,
    /// Requests that were answered without debug information, because the process could not be
    /// shut in.
    pub open: AtomicU64,
}

impl SymbolCounters {
    /// What was lost, by cause; zeros as well.
    pub fn losses(&self) -> Vec<StackCounter> {
        let counter = |name, meaning, count: &AtomicU64| StackCounter {
            name,
            meaning,
            count: count.load(Ordering::Relaxed),
        };
        vec![
            counter(
                "symbolizer_deaths",
                "times the symbolizer died or was stopped over a request: it is started again",
                &self.deaths,
            ),
            counter(
                "symbolizer_not_started",
                "times the symbolizer could not be started: frames have no name",
                &self.unstartable,
            ),
            counter(
                "symbolizer_files_given_up",
                "files that the symbolizer died over repeatedly: frames in them have no name",
                &self.blamed,
            ),
            counter(
                "symbolizer_files_unreadable",
                "requests for files that give no names, corrupt ones for example",
                &self.errors,
            ),
            counter(
                "symbolizer_not_isolated",
                "requests answered without debug information, since the symbolizer could not be isolated: frames have no lines and no inlined functions",
                &self.open,
            ),
        ]
    }
}

/// Names code. For any thread but the pipeline's: it waits for the child process.
pub struct Symbolizer {
    config: WorkerConfig,
    worker: Mutex<Option<Worker>>,
    cache: Mutex<Cache<(ModuleId, u64), Symbols>>,
    deaths: Mutex<HashMap<ModuleId, u8>>,
    counters: SymbolCounters,
}

impl Symbolizer {
    /// Nothing is started before the first name is asked for.
    pub fn new(config: WorkerConfig) -> Self {
        Self {
            config,
            worker: Mutex::default(),
            cache: Mutex::new(Cache::new(CACHED_MAX)),
            deaths: Mutex::default(),
            counters: SymbolCounters::default(),
        }
    }

    /// Figures of this run.
    pub fn counters(&self) -> &SymbolCounters {
        &self.counters
    }

    /// Collects a child process that has ended. To be called now and then; never waits.
    pub fn reap(&self) {
        if let Ok(mut worker) = self.worker.try_lock()
            && worker.as_mut().is_some_and(|worker| !worker.is_running())
        {
            *worker = None;
        }
    }

    /// The functions at offsets of a file, one entry for each offset.
    pub fn name(&self, module: &Module, offsets: &[u64]) -> Vec<Symbols> {
        let mut names: HashMap<u64, Symbols> = HashMap::with_capacity(offsets.len());
        let mut missing = self.known(module.id, offsets, &mut names);
        // Debug information is read faster in its own order.
        missing.sort_unstable();
        missing.dedup();
        for offsets in missing.chunks(ADDRESSES_MAX) {
            self.look_up(module, offsets, &mut names);
        }
        let none: Symbols = Arc::new([]);
        offsets
            .iter()
            .map(|offset| Arc::clone(names.get(offset).unwrap_or(&none)))
            .collect()
    }

    /// Adds what the cache has to `names`, returns the rest.
    fn known(&self, id: ModuleId, offsets: &[u64], names: &mut HashMap<u64, Symbols>) -> Vec<u64> {
        let mut cache = locked(&self.cache);
        let mut missing = Vec::new();
        for &offset in offsets {
            match cache.get(&(id, offset)) {
                Some(symbols) => {
                    names.insert(offset, symbols);
                }
                None => missing.push(offset),
            }
        }
        missing
    }

    fn look_up(&self, module: &Module, offsets: &[u64], names: &mut HashMap<u64, Symbols>) {
        let Some(headers) = &module.headers else {
            return;
        };
        let mut worker = locked(&self.worker);
        // Another thread may have asked the same while this one waited.
        let missing = self.known(module.id, offsets, names);
        let (offsets, addresses): (Vec<u64>, Vec<u64>) = missing
            .into_iter()
            .filter_map(|offset| Some((offset, headers.address_of(offset)?)))
            .unzip();
        if offsets.is_empty() {
            return;
        }
        let request = Request { addresses };
        let Some(reply) = self.ask(&mut worker, module, &request) else {
            return;
        };
        drop(worker);
        let symbols = symbols_of(reply, offsets.len());
        let mut cache = locked(&self.cache);
        for (offset, symbols) in offsets.into_iter().zip(symbols) {
            cache.insert((module.id, offset), Arc::clone(&symbols));
            names.insert(offset, symbols);
        }
    }

    fn ask(
        &self,
        worker: &mut Option<Worker>,
        module: &Module,
        request: &Request,
    ) -> Option<Reply> {
        for _ in 0..ATTEMPTS_MAX {
            if locked(&self.deaths).get(&module.id) >= Some(&DEATHS_MAX) {
                return None;
            }
            // It may have ended, idle, since it was last asked.
            let mut kept = worker.take();
            if !kept.as_mut().is_some_and(Worker::is_running) {
                kept = self.start();
            }
            let mut running = kept?;
            match running.ask(request, module.file(), self.config.timeout) {
                Ok(reply) => {
                    *worker = Some(running);
                    self.note_open(&reply);
                    if let Some(error) = &reply.error {
                        self.counters.errors.fetch_add(1, Ordering::Relaxed);
                        tracing::debug!(path = ?module.path, ?error, "no names from this file");
                    }
                    return Some(reply);
                }
                Err(AskError::Idle) => {}
                Err(AskError::Died(error)) => {
                    tracing::warn!(path = ?module.path, %error, "the symbolizer died over this file");
                    self.blame(module.id);
                }
            }
        }
        None
    }

    fn note_open(&self, reply: &Reply) {
        if reply.open && self.counters.open.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "the symbolizer has no mount namespace of its own: frames have no lines and no \
                 inlined functions. Give the agent CAP_SYS_ADMIN"
            );
        }
    }

    fn start(&self) -> Option<Worker> {
        match Worker::start(&self.config) {
            Ok(worker) => {
                self.counters.started.fetch_add(1, Ordering::Relaxed);
                Some(worker)
            }
            Err(error) => {
                self.counters.unstartable.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, "cannot start the symbolizer: frames have no names");
                None
            }
        }
    }

    fn blame(&self, module: ModuleId) {
        self.counters.deaths.fetch_add(1, Ordering::Relaxed);
        let mut deaths = locked(&self.deaths);
        if deaths.len() >= BLAMED_MAX && !deaths.contains_key(&module) {
            deaths.clear();
        }
        let count = deaths.entry(module).or_default();
        *count = count.saturating_add(1);
        if *count == DEATHS_MAX {
            self.counters.blamed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the process said, as far as it makes sense; a file without names gives `count` times none.
fn symbols_of(reply: Reply, count: usize) -> Vec<Symbols> {
    let strings: Vec<Arc<str>> = reply
        .strings
        .into_iter()
        .map(|text| clipped(&text, NAME_MAX).into())
        .collect();
    let text = |place: u32| strings.get(place as usize).cloned().unwrap_or_default();
    let mut symbols: Vec<Symbols> = reply
        .frames
        .into_iter()
        .take(count)
        .map(|rows| {
            let rows = rows
                .into_iter()
                .map(|(function, file, line, inlined)| Symbol {
                    function: text(function),
                    file: text(file),
                    line,
                    inlined,
                });
            rows.collect()
        })
        .collect();
    symbols.resize_with(count, || Arc::new([]));
    symbols
}
