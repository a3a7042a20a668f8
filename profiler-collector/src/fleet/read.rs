//! Tables of runs, read from the store and decoded, or taken from those that were before.

use std::{collections::BTreeSet, sync::Arc, thread};

use profiler_proto::v1::PartKind;
use profiler_query::model::NodeFacts;
use tokio::{sync::Semaphore, task::JoinSet};
use tonic::Status;

use super::{
    cache::Cache,
    limits::{Cost, blocking},
    node_facts,
    state::{State, Unreadable},
    status::{failed, of_store},
};
use crate::store::{Run, RunId, Store, StoreError, StoredBatch, WallTime};

/// Runs that are read in one go.
const TOGETHER: usize = 4;

/// Which parts of batches are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum With {
    /// Processes and what the agent says of itself.
    Targets,
    /// Growth too.
    Growth,
    /// And connections.
    Connections,
    /// Verdicts alone.
    Verdicts,
    /// Resident figures alone.
    Resident,
}

impl With {
    fn kinds(self) -> &'static [PartKind] {
        use PartKind::{Connections, Growth, Resident, Status, Targets, Verdicts};
        match self {
            Self::Targets => &[Targets, Status],
            Self::Growth => &[Targets, Growth, Status],
            Self::Connections => &[Targets, Growth, Connections, Status],
            Self::Verdicts => &[Verdicts],
            Self::Resident => &[Resident],
        }
    }

    /// Those that every whole batch has.
    pub(super) fn needed(self) -> &'static [PartKind] {
        match self {
            Self::Targets => &[PartKind::Targets],
            Self::Growth | Self::Connections => &[PartKind::Targets, PartKind::Growth],
            Self::Verdicts | Self::Resident => &[],
        }
    }
}

/// One run of those that are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) run: &'a Run,
    /// A batch has to be newer to count.
    pub(crate) not_before: WallTime,
}

/// In the order of what was asked for; none for a run without a batch then.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) states: Vec<Option<Arc<State>>>,
    /// Nodes whose batches are kept, but cannot be read.
    pub(crate) unreadable: BTreeSet<String>,
}

/// Reads and decodes, and keeps what it decoded.
pub(crate) struct Reader {
    store: Arc<dyn Store>,
    kept: Cache<(RunId, u64, With), State>,
    /// Reads whose result is in memory at one time, of all questions.
    working: Arc<Semaphore>,
}

/// One that is not kept: its place in the answer, and its node.
struct Missing {
    place: usize,
    run: RunId,
    not_before: WallTime,
    node: Arc<NodeFacts>,
}

type Decoded = (usize, Result<Option<State>, Unreadable>);

impl Tables {
    fn put_unreadable(&mut self, wanted: &Wanted<'_>, error: &Unreadable) {
        let node = &wanted.run.facts.node;
        tracing::warn!(node, %error, "what is kept of a node is unreadable");
        self.unreadable.insert(node.clone());
    }
}

impl Reader {
    pub(crate) fn new(store: Arc<dyn Store>, cache_bytes: u64) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            store,
            kept: Cache::new(cache_bytes),
            working: Arc::new(Semaphore::new(cores + 1)),
        }
    }

    /// The tables of these runs at the last batch at or before `at`.
    pub(crate) async fn tables(
        &self,
        wanted: &[Wanted<'_>],
        at: WallTime,
        with: With,
        cost: &Arc<Cost>,
    ) -> Result<Tables, Status> {
        let mut tables = Tables {
            states: vec![None; wanted.len()],
            unreadable: BTreeSet::new(),
        };
        let mut missing = Vec::new();
        let chains = self.chains(wanted, at).await?;
        for (place, (one, chain)) in wanted.iter().zip(chains).enumerate() {
            let chain = match chain {
                Ok(chain) => chain,
                Err(error) => {
                    tables.put_unreadable(one, &error);
                    continue;
                }
            };
            let Some(last) = chain.last().filter(|last| last.time > one.not_before) else {
                continue;
            };
            match self.kept.get(&(one.run.id, last.sequence, with)) {
                Some(state) => tables.states[place] = Some(state),
                None => {
                    cost.batches(chain.len() as u64)?;
                    missing.push(Missing::new(place, one));
                }
            }
        }
        self.decode(missing, at, with, cost, |place, decoded| match decoded {
            Ok(state) => tables.states[place] = state,
            Err(error) => tables.put_unreadable(&wanted[place], &error),
        })
        .await?;
        for state in tables.states.iter().flatten() {
            cost.rows(state.size())?;
        }
        Ok(tables)
    }

    /// Which batches there are, without anything in them.
    async fn chains(&self, wanted: &[Wanted<'_>], at: WallTime) -> Result<Vec<Chain>, Status> {
        let ids: Vec<RunId> = wanted.iter().map(|one| one.run.id).collect();
        let oldest = wanted.iter().map(|one| one.not_before).min();
        let Some(oldest) = oldest else {
            return Ok(Vec::new());
        };
        states(&*self.store, &ids, (oldest, at), &[]).await
    }

    async fn decode(
        &self,
        missing: Vec<Missing>,
        at: WallTime,
        with: With,
        cost: &Arc<Cost>,
        mut put: impl FnMut(usize, Result<Option<Arc<State>>, Unreadable>),
    ) -> Result<(), Status> {
        let mut tasks = JoinSet::new();
        let mut missing = missing.into_iter().peekable();
        while missing.peek().is_some() {
            let chunk: Vec<_> = missing.by_ref().take(TOGETHER).collect();
            let (store, cost) = (Arc::clone(&self.store), Arc::clone(cost));
            let working = Arc::clone(&self.working);
            tasks.spawn(async move {
                let permit = working.acquire_owned().await;
                let (batches, decode) = (read(&*store, &chunk, at, with, &cost).await?, with);
                let decoded = blocking(&cost.clone(), move || {
                    // Given back with the memory that it stands for.
                    let _permit = permit;
                    decoded(&chunk, batches, decode, &cost)
                });
                decoded.await?
            });
        }
        while let Some(done) = tasks.join_next().await {
            for (place, decoded) in done.map_err(failed)?? {
                put(
                    place,
                    decoded.map(|state| state.map(|state| self.keep(state, with))),
                );
            }
        }
        Ok(())
    }

    fn keep(&self, state: State, with: With) -> Arc<State> {
        let (key, bytes) = ((state.run, state.sequence, with), state.bytes());
        let state = Arc::new(state);
        self.kept.put(key, Arc::clone(&state), bytes);
        state
    }
}

impl Missing {
    fn new(place: usize, wanted: &Wanted<'_>) -> Self {
        Self {
            place,
            run: wanted.run.id,
            not_before: wanted.not_before,
            node: Arc::new(node_facts(&wanted.run.facts)),
        }
    }
}

/// The batches of one run, if the store can give them back.
type Chain = Result<Vec<StoredBatch>, Unreadable>;

async fn read(
    store: &dyn Store,
    chunk: &[Missing],
    at: WallTime,
    with: With,
    cost: &Cost,
) -> Result<Vec<Chain>, Status> {
    let ids: Vec<RunId> = chunk.iter().map(|one| one.run).collect();
    let oldest = chunk.iter().map(|one| one.not_before).min();
    let oldest = oldest.unwrap_or_default();
    let read = states(store, &ids, (oldest, at), with.kinds()).await?;
    let parts = read.iter().flatten().flatten();
    let parts = parts.flat_map(|batch| &batch.parts);
    cost.bytes(parts.map(|part| u64::from(part.size)).sum())?;
    Ok(read)
}

fn decoded(
    chunk: &[Missing],
    read: Vec<Chain>,
    with: With,
    cost: &Cost,
) -> Result<Vec<Decoded>, Status> {
    let decoded = chunk.iter().zip(read).map(|(one, batches)| {
        cost.check()?;
        let state = batches.and_then(|batches| State::decode(&one.node, &batches, with));
        Ok((one.place, state))
    });
    decoded.collect()
}

/// As [`Store::states`]. Where something is damaged, runs are read one by one, so that a bad one
/// spoils no others.
async fn states(
    store: &dyn Store,
    runs: &[RunId],
    (not_before, at): (WallTime, WallTime),
    kinds: &[PartKind],
) -> Result<Vec<Chain>, Status> {
    match store.states(runs, at, not_before, kinds).await {
        Err(StoreError::Damaged(_)) => {}
        read => return Ok(read.map_err(of_store)?.into_iter().map(Ok).collect()),
    }
    let mut all = Vec::with_capacity(runs.len());
    for run in runs {
        all.push(match store.states(&[*run], at, not_before, kinds).await {
            Ok(mut read) => Ok(read.pop().unwrap_or_default()),
            Err(StoreError::Damaged(why)) => Err(Unreadable::Store(why)),
            Err(error) => return Err(of_store(error)),
        });
    }
    Ok(all)
}
