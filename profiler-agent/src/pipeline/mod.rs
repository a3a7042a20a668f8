//! The one thread that turns events into growth: it reads the rings, follows processes, keeps the
//! ledgers, unwinds captured stacks, and answers what is asked about now.
//!
//! It owns everything it changes. Others see the history, under a lock that is held briefly, and
//! ask for the rest over a bounded channel.

pub mod books;
pub mod budget;
pub mod captures;
pub mod clock;
mod ended;
mod events;
mod folio;
mod kills;
mod losses;
mod second;
mod snapshot;
mod sockets;
pub mod spaces;
mod steps;
pub mod storm;
mod threads;
mod touches;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use profiler_common::counter::COUNT;
use tokio::sync::mpsc;
use tracing::warn;

use self::{
    books::Books, budget::CaptureBudget, captures::Waiting, ended::RecentlyEnded, kills::Kills,
    losses::Losses, sockets::Sweeps, spaces::Spaces, storm::Storms, threads::ThreadNames,
    touches::Unsized,
};
use crate::{
    bpf::{Kernel, plan::Served},
    connection::{ConnectionTable, Limits},
    export::{Ask, Exporter},
    filter::Filter,
    ids::BootTime,
    process::{ProcFs, ProcessTable, Settings as TableSettings, Step},
    profile::{GrowthTable, History, NodeFacts, TableLimits},
    stack::{Resolver, Stacks},
};

/// The rings are looked at this often. Nothing in the kernel wakes us.
const TURN: Duration = Duration::from_millis(8);
/// Processes whose `/proc` is read in one turn at the most, so that the rings are never left
/// alone for long.
const ADOPTIONS_PER_TURN: usize = 16;
/// Records taken from the ring between two looks at anything else.
const EVENTS_PER_TURN: usize = 65_536;
const SECOND: u64 = 1_000_000_000;
/// Times a second that the budget of captures is looked at.
const BUDGET_LOOKS: u64 = 4;

/// What a pipeline is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Mean number of committed bytes between two captures.
    pub capture_interval: u64,
    /// Most captures a second, over all processes, in the long run.
    pub captures_per_second: u64,
    /// Operations a second from which on a process is only counted.
    pub storm_per_second: u64,
    /// From one snapshot to the next.
    pub snapshot_interval: Duration,
    /// Bounds of the growth table.
    pub table: TableLimits,
    /// Bound of the ranges in all ledgers together.
    pub ranges_max: usize,
    /// The node that all processes are on.
    pub node: Arc<NodeFacts>,
}

/// What others send to the pipeline's thread, and what they see of it.
pub struct Links {
    /// Questions about now.
    pub asks: mpsc::Receiver<Ask>,
    /// Set to end the thread.
    pub stop: Arc<AtomicBool>,
    /// A filter to replace the present one with.
    pub filter: Arc<Mutex<Option<Filter>>>,
    /// Kept snapshots.
    pub history: Arc<Mutex<History>>,
    /// Where kept snapshots go besides.
    pub exporters: Vec<Box<dyn Exporter>>,
}

/// The pipeline. See the module.
pub struct Pipeline {
    kernel: Kernel,
    table: ProcessTable<ProcFs>,
    spaces: Spaces,
    books: Books,
    stacks: Stacks,
    /// Of the threads that answer; here for its losses and to collect its ended child.
    names: Resolver,
    waiting: Waiting,
    budget: CaptureBudget,
    storms: Storms,
    losses: Losses,
    /// Operations by pid since the last second's end.
    operations: HashMap<u32, u64>,
    /// Captures by pid since the budget was looked at last.
    captured: HashMap<u32, u64>,
    /// What the kernel had counted as lost of each process a second ago.
    lost_before: HashMap<u32, u64>,
    /// Processes that are counted only because all ledgers together were full.
    given_up: HashSet<u32>,
    /// The kernel side's counters, a second old at the most.
    counters: [u64; COUNT as usize],
    /// Steps that an event asked for; empty between events.
    steps: Vec<Step>,
    settings: Settings,
    links: Links,
    started: BootTime,
    second_ends: BootTime,
    budget_due: BootTime,
    snapshot_due: BootTime,
    /// Where the round of audits stands: the pid looked at last.
    audited: u32,
    recently_ended: RecentlyEnded,
    kills: Kills,
    thread_names: ThreadNames,
    /// When the operation or end happened that was taken from the ring last.
    newest: BootTime,
    /// When sockets are looked at again.
    sweeps: Sweeps,
    /// Looked at when they are served.
    unsized_faults: Unsized,
}

impl Pipeline {
    /// A pipeline over an attached kernel side; takes in the processes that are there.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn new(
        kernel: Kernel,
        (stacks, names): (Stacks, Resolver),
        filter: Filter,
        settings: Settings,
        links: Links,
    ) -> anyhow::Result<Self> {
        let started = clock::now();
        let table_settings = TableSettings::new(std::process::id(), started);
        let mut pipeline = Self {
            kernel,
            table: ProcessTable::new(ProcFs::new(), table_settings, filter),
            spaces: Spaces::default(),
            books: Books {
                growth: GrowthTable::new(settings.table),
                connections: ConnectionTable::new(Limits::default()),
            },
            stacks,
            names,
            waiting: Waiting::default(),
            budget: CaptureBudget::new(
                settings.capture_interval,
                settings.captures_per_second / BUDGET_LOOKS,
            ),
            storms: Storms::new(settings.storm_per_second),
            losses: Losses::default(),
            operations: HashMap::new(),
            captured: HashMap::new(),
            lost_before: HashMap::new(),
            given_up: HashSet::new(),
            counters: [0; COUNT as usize],
            steps: Vec::new(),
            settings,
            links,
            started,
            second_ends: BootTime(started.0 + SECOND),
            budget_due: BootTime(started.0 + SECOND / BUDGET_LOOKS),
            snapshot_due: started,
            audited: 0,
            recently_ended: RecentlyEnded::default(),
            kills: Kills::default(),
            thread_names: ThreadNames::default(),
            newest: BootTime(0),
            sweeps: Sweeps::default(),
            unsized_faults: Unsized::new(),
        };
        let sampled = pipeline.kernel.samples_touches();
        pipeline.books.growth.know_touches(sampled);
        pipeline.scan(started)?;
        pipeline.pass_over_sockets(started);
        Ok(pipeline)
    }

    /// Runs until it is told to stop. A last snapshot is kept.
    pub fn run(mut self) {
        while !self.links.stop.load(Ordering::Relaxed) {
            let busy = self.turn();
            if !busy {
                std::thread::sleep(TURN);
            }
        }
        self.keep_snapshot(clock::now());
    }

    /// One look at everything. `true` when more may be waiting.
    fn turn(&mut self) -> bool {
        let mut busy = self.drain();
        self.look_up_sockets();
        self.size_touches();
        for _ in 0..ADOPTIONS_PER_TURN {
            if self.table.next_due().is_none_or(|due| due > clock::now()) {
                break;
            }
            self.table.poll(clock::now(), 1, &mut self.steps);
            self.carry_out();
            // Maps are read with the rings just emptied: what came and went before they were read
            // and was not seen by then would be in neither.
            busy = self.drain();
        }
        let now = clock::now();
        if now >= self.budget_due {
            self.adjust_budget();
            self.budget_due = BootTime(now.0 + SECOND / BUDGET_LOOKS);
        }
        if now >= self.second_ends {
            self.second(now);
            self.second_ends = BootTime(now.0 + SECOND);
        }
        if now >= self.snapshot_due {
            self.keep_snapshot(now);
            let interval = self.settings.snapshot_interval.as_nanos();
            self.snapshot_due = BootTime(now.0 + u64::try_from(interval).unwrap_or(SECOND * 10));
        }
        self.answer();
        busy || self.table.next_due().is_some_and(|due| due <= clock::now())
    }

    fn scan(&mut self, now: BootTime) -> anyhow::Result<()> {
        self.table
            .scan(now, &mut self.steps)
            .context("read the processes in /proc")?;
        self.carry_out();
        Ok(())
    }

    /// Takes over a filter that was reloaded.
    fn reload_filter(&mut self) {
        let filter = lock(&self.links.filter).take();
        if let Some(filter) = filter {
            self.table.set_filter(filter, &mut self.steps);
            self.carry_out();
        }
    }

    /// How the kernel side is served.
    fn served(&self) -> &[Served] {
        &self.kernel.served
    }

    fn tell_kernel(&mut self, pid: u32, policy: u32) {
        if let Err(error) = self.kernel.control.set_policy(pid, policy) {
            self.losses.policies_refused += 1;
            warn!(pid, policy, %error, "the kernel's map of processes refused an entry");
        }
    }
}

/// A mutex whose holder may have panicked: what it guards is replaced as a whole, never half.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
