//! Where batches are kept. [`Store`] is what the rest of the collector knows of it; each engine is a
//! folder beside this file, and `conformance` is what every engine has to pass.
//!
//! A store keeps batches as the agents made them: parts of a kind that this version does not know
//! are kept too, and thinning out old ones is deleting. What is in parts is known to `fleet/` alone.

pub mod clickhouse;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod events;
pub mod parts;
pub mod sqlite;

use std::{collections::BTreeMap, path::Path, time::Duration};

use profiler_proto::v1;

/// One run of an agent, from its start to its end: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub [u8; 16]);

/// Wall clock time in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WallTime(pub i64);

/// A frame by its content: the hash that `profiler_stream::content` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameHash(pub u64);

/// A stack by its content, equal on all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackHash(pub u64);

/// What is known of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFacts {
    /// 16 random bytes that stay with the agent's spool.
    pub agent_id: Vec<u8>,
    /// The node's name.
    pub node: String,
    /// The host's boot.
    pub boot_id: String,
    /// The agent's version.
    pub agent_version: String,
    /// The host's kernel.
    pub kernel: String,
    /// When observation began.
    pub started: WallTime,
    /// Labels of the node.
    pub labels: BTreeMap<String, String>,
    /// From one batch to the next, as the agent means it.
    pub interval: Duration,
}

/// A stack's frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackContent {
    /// Leaf first.
    pub frames: Vec<FrameHash>,
    /// It does not reach the thread's root.
    pub truncated: bool,
}

/// Something to be kept, of one run. Frames and stacks that are there already stay as they are.
#[derive(Clone, Debug)]
pub struct Write {
    /// Of which run.
    pub run: RunId,
    /// What is known of it.
    pub facts: RunFacts,
    /// Frames that stacks refer to: they come with the first stack that does, or before it.
    pub frames: Vec<(FrameHash, v1::Frame)>,
    /// Stacks.
    pub stacks: Vec<(StackHash, StackContent)>,
    /// What the run's stack numbers stand for. To be given whenever the agent defines them: one that
    /// was last given a week before the run's first kept batch is no longer kept.
    pub numbers: Vec<(u64, StackHash)>,
    /// The batch, if it is not definitions alone.
    pub batch: Option<v1::Batch>,
    /// Events that came with it. Those that are there already (by run and number) stay as they are.
    /// An event without a time, a number of 63 bits or a kind that is known is refused.
    pub events: Vec<v1::Event>,
}

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// The kernel killed a process for want of memory.
    OomKill,
    /// A verdict changed.
    VerdictChange,
}

/// An event that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Of which run.
    pub run: RunId,
    /// What it tells.
    pub event: v1::Event,
}

/// Where an event stands among those of its kind: by time, then run, then number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    /// Its moment.
    pub time: WallTime,
    /// Of which run.
    pub run: RunId,
    /// Its number in it.
    pub number: u64,
}

/// Which events are asked for.
#[derive(Clone, Debug)]
pub struct EventsOf {
    /// What they tell.
    pub kind: EventKind,
    /// Those at and after this moment.
    pub from: WallTime,
    /// And up to this one.
    pub to: WallTime,
    /// Of these nodes; none: of all.
    pub nodes: Option<Vec<String>>,
}

impl EventsOf {
    /// Of all nodes.
    pub fn new(kind: EventKind, from: WallTime, to: WallTime) -> Self {
        Self {
            kind,
            from,
            to,
            nodes: None,
        }
    }
}

/// Some events, the latest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventsPage {
    /// One that cannot be read is left out.
    pub events: Vec<StoredEvent>,
    /// The last one that was looked at, if there may be more after it.
    pub next: Option<EventPlace>,
}

/// How much one page may hold.
#[derive(Clone, Copy, Debug)]
pub struct PageMost {
    /// Events.
    pub events: u32,
    /// Bytes of their messages. The first event is there whatever it takes.
    pub bytes: u64,
}

/// What became of writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Batches that are new.
    pub stored: u64,
    /// Batches that were there already; they are left as they are.
    pub repeated: u64,
    /// Events that are new, by run and number.
    pub events: Vec<(RunId, u64)>,
    /// Events that are not kept, since their run has as many as it may have until the next round of
    /// retention.
    pub events_over: u64,
}

/// A run that has batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// Facts.
    pub facts: RunFacts,
    /// The moments of its first and last kept batch.
    pub first: WallTime,
    /// The last.
    pub last: WallTime,
    /// Kept batches, and those that were kept and are thinned out.
    pub batches: u64,
    /// The same.
    pub thinned: u64,
    /// The largest sequence number that came.
    pub last_sequence: u64,
}

/// One batch with the parts that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBatch {
    /// Of which run.
    pub run: RunId,
    /// Its number in it.
    pub sequence: u64,
    /// The moment on the wall clock.
    pub time: WallTime,
    /// The same moment on the host's boot clock, in nanoseconds.
    pub boot_nanoseconds: u64,
    /// It can be read without those before.
    pub whole: bool,
    /// In the order of their kinds, compressed as the agent sent them.
    pub parts: Vec<v1::Part>,
}

/// How long batches are kept, and how many of them. Of whole batches the last of each step is kept;
/// steps are counted from 1970, and a step goes over to the next tier as soon as all of it is old
/// enough. Differences are kept as long as the last of their chain is in the first tier.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// All batches, for so long.
    pub full: Duration,
    /// Then one in a minute, for so long in all.
    pub minutes: Duration,
    /// Then one in 15 minutes.
    pub quarters: Duration,
    /// Then one in 3 hours; older ones go.
    pub coarse: Duration,
    /// Events go after so long, and the oldest before when there are more than `events` says or
    /// they take more than an eighth of `bytes_max`.
    pub events: Duration,
    /// The store's size, from which on the oldest batches go before their time.
    pub bytes_max: u64,
}

impl Default for Retention {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            full: HOUR * 2,
            minutes: HOUR * 24,
            quarters: HOUR * 24 * 7,
            coarse: HOUR * 24 * 30,
            events: HOUR * 24 * 90,
            bytes_max: 20 << 30,
        }
    }
}

/// What a round of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Batches that thinning took.
    pub thinned: u64,
    /// Batches that were too old.
    pub expired: u64,
    /// Batches that had to go before their time because the store was full.
    pub evicted: u64,
    /// Definitions that nothing refers to any more.
    pub definitions: u64,
    /// Events that were too old, or too many.
    pub events: u64,
}

/// How a store is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreStatus {
    /// "sqlite" or "clickhouse".
    pub engine: &'static str,
    /// Bytes on disk, as far as the engine knows.
    pub bytes: u64,
    /// Runs, batches, stacks, frames and events that are kept.
    pub runs: u64,
    /// The same.
    pub batches: u64,
    /// The same.
    pub stacks: u64,
    /// The same.
    pub frames: u64,
    /// The same.
    pub events: u64,
    /// The oldest and the newest kept batch.
    pub oldest: Option<WallTime>,
    /// The newest.
    pub newest: Option<WallTime>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Batches, definitions and events that were looked at.
    pub batches: u64,
    /// The same.
    pub definitions: u64,
    /// The same.
    pub events: u64,
    /// What is wrong, in plain words; at most 100.
    pub problems: Vec<String>,
}

/// Why a store did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or is full: the same can be asked again later.
    #[error("{0}")]
    Unavailable(String),
    /// What it holds cannot be read.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The question would cost more than is allowed.
    #[error("{0}")]
    TooMuch(String),
    /// It will not be kept, whenever it is asked again: it is beyond a bound or makes no sense.
    #[error("{0}")]
    Refused(String),
    /// An error of this program.
    #[error("{0}")]
    Internal(String),
}

/// Where batches are kept. All of it can be called from many tasks at one time.
#[tonic::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps all of this, or nothing. When it returns, it is durable.
    async fn write(&self, writes: Vec<Write>) -> Result<Written, StoreError>;

    /// All runs, in the order of (node, started).
    async fn runs(&self) -> Result<Vec<Run>, StoreError>;

    /// What is needed to read the last batch at or before `at` of each run: the last whole one and
    /// those that follow it up to there, oldest first, with parts of `kinds` only. A run that has
    /// none at or before `at` or none after `not_before` has no batches in the answer; one whose
    /// chain has a gap ends before it. In the order of `runs`. `Unspecified` among the kinds stands
    /// for all parts, also of kinds that this version does not know.
    async fn states(
        &self,
        runs: &[RunId],
        at: WallTime,
        not_before: WallTime,
        kinds: &[v1::PartKind],
    ) -> Result<Vec<Vec<StoredBatch>>, StoreError>;

    /// Whole batches of a run between two moments, both inclusive, oldest first, with parts of
    /// `kinds` only: of each of `steps` equal parts of the time the last one.
    async fn whole_batches(
        &self,
        run: RunId,
        from: WallTime,
        to: WallTime,
        steps: u32,
        kinds: &[v1::PartKind],
    ) -> Result<Vec<StoredBatch>, StoreError>;

    /// What these numbers of a run stand for; unknown ones are left out.
    async fn numbers(
        &self,
        run: RunId,
        numbers: &[u64],
    ) -> Result<Vec<(u64, StackHash)>, StoreError>;

    /// Their contents with frames resolved, leaf first; unknown ones are left out.
    async fn stacks(
        &self,
        stacks: &[StackHash],
    ) -> Result<Vec<(StackHash, NamedStack)>, StoreError>;

    /// These events, the latest first: those after the place `after`, or from the beginning.
    async fn events(
        &self,
        of: &EventsOf,
        after: Option<EventPlace>,
        most: PageMost,
    ) -> Result<EventsPage, StoreError>;

    /// How many these are of each node that has any, in no order.
    async fn count_events(&self, of: &EventsOf) -> Result<Vec<(String, u64)>, StoreError>;

    /// Every sequence number that is kept of a run, in order; for checks.
    async fn sequences(&self, run: RunId) -> Result<Vec<u64>, StoreError>;

    /// Takes out what is too old or too much.
    async fn retain(&self, retention: &Retention, now: WallTime) -> Result<Retained, StoreError>;

    /// How it is.
    async fn status(&self) -> Result<StoreStatus, StoreError>;

    /// Looks at everything: each batch can be read, each number and frame that is referred to is
    /// there.
    async fn check(&self) -> Result<CheckReport, StoreError>;

    /// Copies the store to `to`, which must not be there, while it is used.
    ///
    /// # Errors
    /// Also where the engine has its own way of backups: the message names it.
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;
}

/// A stack with its frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedStack {
    /// Leaf first.
    pub frames: Vec<v1::Frame>,
    /// It does not reach the thread's root.
    pub truncated: bool,
}
