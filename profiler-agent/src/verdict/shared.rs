//! What the thread that judges and those who ask share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::Ordering::Relaxed,
};

use profiler_analysis::verdict::Rules;
use profiler_proto::v1;
use profiler_query::answer::verdicts::is_group;
use tokio::sync::broadcast;

use super::{
    book::{Book, Entry},
    key::Key,
    losses::{Losses, count},
    probes::Probes,
    time::Base,
    told::Told,
};
use crate::{
    export::Clock,
    health::{HealthRules, Lookup, Verdicts},
    profile::Snapshot,
    resident::{Figures, Group, Member, Reader, reconcile::reconcile},
};

/// Changes that a watcher may be behind.
const WATCHED: usize = 256;
/// Processes that are read for one answer: those with the most live bytes.
const PROCESSES_MAX: usize = 1_000;
/// Series that are looked at before the thread that judges gets its turn.
const PIECE: usize = 64;

/// The board of verdicts.
#[derive(Debug)]
pub struct Shared {
    pub(super) clock: Clock,
    /// The thread that judges writes, and those who ask read a few series at a time.
    pub(super) book: RwLock<Book>,
    pub(super) told: Mutex<Told>,
    pub(super) probes: Mutex<Probes>,
    pub(super) losses: Losses,
    /// None: the agent ends.
    changes: Mutex<Option<broadcast::Sender<Arc<v1::VerdictChange>>>>,
    reader: Reader,
}

impl Shared {
    /// Without any series.
    pub fn new(clock: Clock, rules: Rules, health: HealthRules) -> Self {
        let (changes, _) = broadcast::channel(WATCHED);
        Self {
            clock,
            book: RwLock::new(Book::new(rules, Base::new(clock.read()))),
            told: Mutex::default(),
            probes: Mutex::new(Probes::new(health)),
            losses: Losses::default(),
            changes: Mutex::new(Some(changes)),
            reader: Reader::new(),
        }
    }

    /// All verdicts, without points and reconciliation.
    pub fn verdicts(&self) -> Vec<v1::Verdict> {
        let clocks = self.clock.read();
        self.each(|book, key, _| book.verdict(key, clocks))
    }

    /// Adds how stacks add up to the kernel's figures, which is too much to be made for all.
    pub fn reconcile(&self, verdicts: &mut [v1::Verdict]) {
        let (found, snapshot) = self.groups(verdicts);
        // All rows are gone through, so not under the lock.
        let of = found.iter().map(|(_, figures, group)| (figures, group));
        let made = reconcile(&of.collect::<Vec<_>>(), &snapshot);
        for ((at, _, _), made) in found.iter().zip(made) {
            verdicts[*at].reconciliation = Some(made);
        }
    }

    /// Where those that are still there stand among the verdicts, and what was read last.
    fn groups(&self, verdicts: &[v1::Verdict]) -> (Vec<(usize, Figures, Group)>, Arc<Snapshot>) {
        let book = read(&self.book);
        let entry = |verdict: &v1::Verdict| Some(book.key_of(verdict.target.as_ref()?)?.1);
        let found = verdicts.iter().enumerate().filter_map(|(at, verdict)| {
            let entry = entry(verdict)?;
            Some((at, entry.figures.clone(), entry.group.clone()))
        });
        (found.collect(), Arc::clone(&book.snapshot))
    }

    /// The readings of each of these, oldest first; none of one that is not there any more.
    pub fn points(&self, of: &[Option<&v1::Target>]) -> Vec<Vec<v1::ResidentPoint>> {
        let clocks = self.clock.read();
        let piece = |targets: &[Option<&v1::Target>]| -> Vec<Vec<v1::ResidentPoint>> {
            let book = read(&self.book);
            let points = |target: &Option<&v1::Target>| {
                let (key, _) = book.key_of((*target)?)?;
                Some(book.points(key, clocks))
            };
            let all = targets.iter().map(|one| points(one).unwrap_or_default());
            all.collect()
        };
        of.chunks(PIECE).flat_map(piece).collect()
    }

    /// The last reading of each series, without points.
    pub fn resident(&self) -> Vec<v1::ResidentSeries> {
        let clocks = self.clock.read();
        self.each(|book, key, entry| {
            Some(v1::ResidentSeries {
                target: Some(book.target(key, entry, clocks)),
                now: book.resident(key, clocks),
                points: Vec::new(),
            })
        })
    }

    /// What is made of each series that is there; rounds may pass meanwhile.
    fn each<T>(&self, make: impl Fn(&Book, &Key, &Entry) -> Option<T>) -> Vec<T> {
        let keys: Vec<Key> = read(&self.book).entries.keys().cloned().collect();
        let piece = |keys: &[Key]| -> Vec<T> {
            let book = read(&self.book);
            let entries = keys
                .iter()
                .filter_map(|key| book.entries.get_key_value(key));
            entries
                .filter_map(|(key, entry)| make(&book, key, entry))
                .collect()
        };
        keys.chunks(PIECE).flat_map(piece).collect()
    }

    /// Reads processes now; those that are gone are left out. Blocks.
    pub fn read_processes(&self, of: &[(v1::Target, Member)]) -> Vec<v1::ResidentSeries> {
        let clocks = self.clock.read();
        let read = of
            .iter()
            .take(PROCESSES_MAX)
            .filter_map(|(target, member)| {
                let figures = self.reader.process(member)?;
                Some(v1::ResidentSeries {
                    target: Some(target.clone()),
                    now: Some(v1::Resident {
                        time: Some(clocks.to_wall(clocks.now)),
                        anon_bytes: figures.anon,
                        swap_bytes: figures.swap,
                        processes: 1,
                        source: "processes".to_owned(),
                        ..v1::Resident::default()
                    }),
                    points: Vec::new(),
                })
            });
        read.collect()
    }

    /// Kills, oldest first, and how many are no longer known.
    pub fn kills(&self) -> (Vec<v1::OomKill>, u64) {
        lock(&self.told).kills()
    }

    /// Events after this number, for a stream.
    pub fn events_after(&self, number: u64) -> Vec<Arc<v1::Event>> {
        lock(&self.told).take_after(number)
    }

    /// Changes from now on; none when the agent ends.
    pub fn watch(&self) -> Option<broadcast::Receiver<Arc<v1::VerdictChange>>> {
        lock(&self.changes)
            .as_ref()
            .map(broadcast::Sender::subscribe)
    }

    /// A watcher was told that it missed changes.
    pub fn count_behind(&self) {
        count(&self.losses.watchers_behind);
    }

    /// Ends all watching.
    pub fn close(&self) {
        *lock(&self.changes) = None;
    }

    pub(super) fn tell_change(&self, change: v1::VerdictChange) {
        if let Some(changes) = &*lock(&self.changes) {
            // Nobody may be watching.
            let _ = changes.send(Arc::new(change.clone()));
        }
        let dropped = lock(&self.told).change(change);
        self.losses.events_dropped.fetch_add(dropped, Relaxed);
    }

    pub(super) fn tell_kill(&self, kill: v1::OomKill) {
        let dropped = lock(&self.told).kill(kill);
        self.losses.events_dropped.fetch_add(dropped, Relaxed);
    }

    /// For an operator.
    pub(super) fn notes(&self) -> Vec<String> {
        match lock(&self.told).count() {
            0 => Vec::new(),
            all => vec![format!(
                "the kernel killed {all} processes for want of memory; list OOM kills to see the last"
            )],
        }
    }
}

impl Book {
    fn key_of(&self, target: &v1::Target) -> Option<(&Key, &Entry)> {
        if is_group(target) {
            return self
                .entries
                .get_key_value(&Key::Group(target.cgroup.clone()));
        }
        let started = |started| Key::Process {
            pid: target.pid,
            started,
        };
        self.entries
            .range(started(0)..=started(u64::MAX))
            .next_back()
    }
}

impl Verdicts for Shared {
    fn container(&self, prefix: &str) -> Lookup {
        lock(&self.probes).container(prefix, self.clock.read().now)
    }

    fn pod(&self, uid: &str) -> Lookup {
        lock(&self.probes).pod(uid, self.clock.read().now)
    }

    fn ready(&self) -> bool {
        lock(&self.probes).ready()
    }
}

pub(super) fn read(book: &RwLock<Book>) -> RwLockReadGuard<'_, Book> {
    book.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write(book: &RwLock<Book>) -> RwLockWriteGuard<'_, Book> {
    book.write().unwrap_or_else(PoisonError::into_inner)
}

/// What is guarded is never left half done for longer than one series.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
