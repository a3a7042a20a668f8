//! Adds up what is in the store, in the spools, dropped and acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use profiler_collector::store::{RunId, Store, WallTime, sqlite::SqliteStore};
use profiler_proto::v1::PartKind;
use profiler_query::model::NodeFacts;
use profiler_stream::{decode::RunState, spool};
use profiler_tests::fleet::Workload;
use tokio::runtime::Runtime;

use super::{STACKS, witness::Seen};

/// Batches of a run whose content is compared with what was sent.
const COMPARED: usize = 40;

/// Nanoseconds after a whole batch at which the state is compared: some differences later.
const LATER: i64 = 150_000_000;

/// What was done to them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kills {
    pub(crate) agents: u32,
    pub(crate) collector: u32,
    pub(crate) full_disks: u32,
}

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    kills: Kills,
    runs: u64,
    streams: u64,
    sent: u64,
    stored: u64,
    acked: u64,
    pending: u64,
    dropped: u64,
    compared: u64,
    /// In words; empty if all is well.
    wrong: Vec<String>,
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kills,
            runs,
            streams,
            sent,
            stored,
            acked,
            pending,
            dropped,
            compared,
            wrong,
        } = self;
        writeln!(
            f,
            "killed: collector {} times, agents {} times; disks filled: {}",
            kills.collector, kills.agents, kills.full_disks
        )?;
        writeln!(
            f,
            "{runs} runs on {streams} streams; {sent} batches sent, again included"
        )?;
        writeln!(
            f,
            "{stored} stored once, {acked} acknowledged; {pending} in spools, {dropped} dropped and \
             counted; {compared} compared with what was sent"
        )?;
        write!(f, "{} wrong", wrong.len())?;
        for line in wrong.iter().take(20) {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl Sums {
    /// # Errors
    /// Something is lost, there twice or wrong; or the test has tried nothing.
    pub(crate) fn check(&self, rounds: u32) -> Result<()> {
        ensure!(self.wrong.is_empty(), "batches are missing or wrong");
        ensure!(
            self.kills.collector + self.kills.agents >= rounds,
            "too little was killed"
        );
        ensure!(
            self.stored > u64::from(rounds),
            "next to nothing was stored"
        );
        ensure!(self.sent > self.acked, "nothing had to be sent again");
        ensure!(
            self.dropped > 0,
            "the full disk made no agent drop anything"
        );
        Ok(())
    }
}

pub(crate) fn add_up(store: &Path, spools: &Path, seen: &Seen, kills: Kills) -> Result<Sums> {
    let runtime = Runtime::new()?;
    let store = SqliteStore::open(store).context("open the store")?;
    let mut sums = Sums {
        kills,
        streams: seen.streams,
        sent: seen.sent,
        ..Sums::default()
    };
    let check = runtime.block_on(store.check())?;
    sums.wrong.extend(check.problems);
    let spooled = spooled(spools)?;
    let runs = runtime.block_on(store.runs())?;
    let stored: BTreeMap<RunId, u64> = runs
        .iter()
        .map(|run| (run.id, seed(&run.facts.node)))
        .collect();
    let all: BTreeSet<RunId> = stored.keys().chain(spooled.keys()).copied().collect();
    for run in all {
        sums.runs += 1;
        let sequences = runtime.block_on(store.sequences(run))?;
        sums.add(run, &sequences, spooled.get(&run), seen);
        if let Some(seed) = stored.get(&run) {
            runtime.block_on(sums.compare(&store, run, *seed))?;
        }
    }
    for (run, acked) in &seen.acked {
        let id = <[u8; 16]>::try_from(run.as_slice()).map(RunId);
        let known = id.is_ok_and(|run| stored.contains_key(&run));
        if !known && !acked.is_empty() {
            sums.wrong
                .push(format!("{} batches of an unknown run", acked.len()));
        }
    }
    Ok(sums)
}

impl Sums {
    fn add(&mut self, run: RunId, stored: &[u64], spooled: Option<&spool::RunReport>, seen: &Seen) {
        let there: BTreeSet<u64> = stored.iter().copied().collect();
        if there.len() != stored.len() {
            self.wrong.push(format!("{run:?}: a batch is there twice"));
        }
        let acked = seen
            .acked
            .get(run.0.as_slice())
            .cloned()
            .unwrap_or_default();
        for sequence in acked.difference(&there) {
            self.wrong.push(format!(
                "{run:?}: batch {sequence} was acknowledged and is not there"
            ));
        }
        self.stored += there.len() as u64;
        self.acked += acked.len() as u64;
        let Some(spooled) = spooled else {
            return;
        };
        let dropped: BTreeSet<u64> = spooled
            .dropped
            .iter()
            .flat_map(|(range, _)| range.clone())
            .collect();
        self.pending += spooled.pending.len() as u64;
        self.dropped += dropped.len() as u64;
        let pending: BTreeSet<u64> = spooled.pending.iter().copied().collect();
        let last = spooled.last.max(there.last().copied().unwrap_or(0));
        for sequence in 1..=last {
            let known = there.contains(&sequence)
                || pending.contains(&sequence)
                || dropped.contains(&sequence);
            if !known {
                self.wrong.push(format!(
                    "{run:?}: batch {sequence} of {last} is neither stored nor in the spool nor dropped"
                ));
            }
        }
    }

    /// Decodes some of the run's batches and compares them with the workload.
    async fn compare(&mut self, store: &SqliteStore, run: RunId, seed: u64) -> Result<()> {
        let workload = Workload {
            seed,
            node: Arc::new(NodeFacts::default()),
            stacks: STACKS,
        };
        let kinds = [PartKind::Targets, PartKind::Growth];
        let (first, last) = (WallTime(i64::MIN), WallTime(i64::MAX));
        let whole = store
            .whole_batches(run, first, last, COMPARED as u32, &kinds)
            .await?;
        for batch in whole {
            // A little later: with some of the differences that follow.
            let at = WallTime(batch.time.0 + LATER);
            let chain = store.states(&[run], at, first, &kinds).await?;
            let mut state = RunState::new(Arc::default());
            let mut sequence = 0;
            for batch in chain.iter().flatten() {
                state.apply(batch.whole, &batch.parts)?;
                sequence = batch.sequence;
            }
            let allocated: u64 = state.rows().iter().map(|(_, row)| row.allocated).sum();
            if allocated != workload.allocated(sequence) {
                self.wrong
                    .push(format!("{run:?}: batch {sequence} is another"));
            }
            self.compared += 1;
        }
        Ok(())
    }
}

fn spooled(spools: &Path) -> Result<BTreeMap<RunId, spool::RunReport>> {
    let mut runs = BTreeMap::new();
    for folder in fs::read_dir(spools)? {
        for report in spool::inspect(&folder?.path())? {
            runs.insert(RunId(report.run_id), report);
        }
    }
    Ok(runs)
}

/// The seed is in the name of the node.
fn seed(node: &str) -> u64 {
    node.rsplit('-')
        .next()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(u64::MAX)
}
