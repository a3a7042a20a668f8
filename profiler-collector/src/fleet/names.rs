//! Names of the stacks of one answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use profiler_proto::v1;
use profiler_query::{
    answer::{NameStacks, NamedStack},
    ids::StackId,
    model::OwnerKey,
};
use profiler_stream::encode::stack_number;
use tokio::{runtime::Handle, task::JoinSet};
use tonic::Status;

use super::{
    cache::Cache,
    limits::Cost,
    number::Numbers,
    status::{failed, of_store},
};
use crate::store::{RunId, StackHash, Store};

/// What one entry costs beside what it holds.
const ENTRY: u64 = 96;
/// What a frame costs beside its texts.
const FRAME: usize = size_of::<v1::Frame>();
/// Stacks that are read in one go.
const TOGETHER: usize = 1024;

/// Finds out what stacks stand for, and keeps what it found.
pub(crate) struct Namer {
    store: Arc<dyn Store>,
    hashes: Cache<(RunId, u64), StackHash>,
    stacks: Cache<StackHash, NamedStack>,
}

impl Namer {
    pub(crate) fn new(store: Arc<dyn Store>, cache_bytes: u64) -> Self {
        Self {
            store,
            hashes: Cache::new(cache_bytes / 4),
            stacks: Cache::new(cache_bytes / 4 * 3),
        }
    }

    /// What numbers of runs stand for; those that are no longer kept are left out.
    async fn hashes(
        &self,
        wanted: impl IntoIterator<Item = (RunId, u64)>,
    ) -> Result<HashMap<(RunId, u64), StackHash>, Status> {
        let mut known = HashMap::new();
        let mut missing: HashMap<RunId, Vec<u64>> = HashMap::new();
        for (run, number) in wanted {
            match self.hashes.get(&(run, number)) {
                Some(hash) => drop(known.insert((run, number), *hash)),
                None => missing.entry(run).or_default().push(number),
            }
        }
        let mut tasks = JoinSet::new();
        for (run, numbers) in missing {
            let store = Arc::clone(&self.store);
            tasks.spawn(async move { (run, store.numbers(run, &numbers).await) });
        }
        while let Some(done) = tasks.join_next().await {
            let (run, found) = done.map_err(failed)?;
            for (number, hash) in found.map_err(of_store)? {
                known.insert((run, number), hash);
                self.hashes.put((run, number), Arc::new(hash), ENTRY);
            }
        }
        Ok(known)
    }

    /// Stacks with their frames; those that are no longer kept are left out.
    async fn stacks(
        &self,
        mut wanted: Vec<StackHash>,
    ) -> Result<HashMap<StackHash, Arc<NamedStack>>, Status> {
        wanted.sort_unstable();
        wanted.dedup();
        let mut known = HashMap::with_capacity(wanted.len());
        let mut missing = Vec::new();
        for hash in wanted {
            match self.stacks.get(&hash) {
                Some(stack) => drop(known.insert(hash, stack)),
                None => missing.push(hash),
            }
        }
        for together in missing.chunks(TOGETHER) {
            let found = self.store.stacks(together).await.map_err(of_store)?;
            for (hash, stack) in found {
                let stack = Arc::new(NamedStack {
                    frames: stack.frames,
                    truncated: stack.truncated,
                });
                self.stacks.put(hash, Arc::clone(&stack), bytes(&stack));
                known.insert(hash, stack);
            }
        }
        Ok(known)
    }
}

fn bytes(stack: &NamedStack) -> u64 {
    let frames = stack.frames.iter().map(|frame| {
        let texts = [&frame.function, &frame.file, &frame.module, &frame.build_id];
        FRAME + texts.map(String::len).iter().sum::<usize>()
    });
    ENTRY + frames.sum::<usize>() as u64
}

/// What the stacks of one answer stand for.
pub(crate) struct Names {
    namer: Arc<Namer>,
    runtime: Handle,
    stacks: Stacks,
    /// What was found out for the answer.
    found: Mutex<Found>,
}

enum Stacks {
    /// By the first of the answer's numbers: numbers of a run.
    OfRuns(Vec<(u32, RunId, Vec<u32>)>),
    /// By the answer's number.
    Equal(Vec<Option<StackHash>>),
}

#[derive(Default)]
struct Found {
    hashes: HashMap<StackId, StackHash>,
    /// Why stacks could not be named.
    failure: Option<Status>,
}

impl Names {
    /// For numbers of runs. To be called from the runtime.
    pub(crate) fn new(namer: Arc<Namer>, numbers: Vec<Numbers>) -> Self {
        let runs = numbers.into_iter();
        let runs = runs.map(|one| (one.first_stack, one.known.run, one.known.stacks));
        Self {
            namer,
            runtime: Handle::current(),
            stacks: Stacks::OfRuns(runs.collect()),
            found: Mutex::default(),
        }
    }

    /// Gives equal stacks of all runs one number, for answers that need the names of all.
    ///
    /// # Errors
    /// There are too many, or the store fails.
    pub(crate) async fn equal(
        &mut self,
        owners: Vec<&mut OwnerKey>,
        cost: &Cost,
    ) -> Result<(), Status> {
        let mut stacks: Vec<StackId> = owners.iter().filter_map(|owner| owner.stack()).collect();
        stacks.sort_unstable();
        stacks.dedup();
        let hashes = self.hashes(&stacks).await?;
        let mut equal: HashMap<StackHash, StackId> = HashMap::new();
        let mut contents = Vec::new();
        let mut renamed = Vec::with_capacity(stacks.len());
        for hash in hashes {
            let mut new = || {
                contents.push(hash);
                StackId(contents.len() as u32 - 1)
            };
            renamed.push(match hash {
                Some(hash) => *equal.entry(hash).or_insert_with(new),
                None => new(),
            });
        }
        cost.stacks(equal.len() as u64)?;
        for owner in owners {
            if let OwnerKey::Stack(stack) | OwnerKey::OnConnection(_, stack) = owner {
                let place = stacks.partition_point(|one| one < stack);
                *stack = renamed[place];
            }
        }
        self.stacks = Stacks::Equal(contents);
        Ok(())
    }

    /// In the place of an answer's own numbers rows get those of what their stacks contain: the same
    /// in all answers.
    ///
    /// # Errors
    /// Why stacks could not be named.
    pub(crate) fn finish(&self, rows: &mut [v1::GrowthRow]) -> Result<(), Status> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = &found.failure {
            return Err(failure.clone());
        }
        for row in rows.iter_mut().filter(|row| row.stack_id != 0) {
            let stack = u32::try_from(row.stack_id - 1).ok().map(StackId);
            let hash = stack.and_then(|stack| found.hashes.get(&stack));
            row.stack_id = hash.map_or(0, |hash| hash.0);
        }
        Ok(())
    }

    async fn hashes(&self, stacks: &[StackId]) -> Result<Vec<Option<StackHash>>, Status> {
        let runs = match &self.stacks {
            Stacks::Equal(contents) => {
                let hash = |stack: &StackId| contents.get(stack.0 as usize).copied().flatten();
                return Ok(stacks.iter().map(hash).collect());
            }
            Stacks::OfRuns(runs) => runs,
        };
        let numbers = stacks.iter().map(|stack| {
            let place = runs.partition_point(|(first, ..)| *first <= stack.0);
            let (first, run, numbers) = runs.get(place.checked_sub(1)?)?;
            let number = numbers.get((stack.0 - first) as usize)?;
            Some((*run, stack_number(StackId(*number))))
        });
        let numbers: Vec<Option<(RunId, u64)>> = numbers.collect();
        let hashes = self.namer.hashes(numbers.iter().flatten().copied()).await?;
        let hash = |number: &Option<_>| hashes.get(number.as_ref()?).copied();
        Ok(numbers.iter().map(hash).collect())
    }

    async fn look_up(&self, stacks: &[StackId]) -> Result<Vec<Option<NamedStack>>, Status> {
        let hashes = self.hashes(stacks).await?;
        let known = hashes.iter().flatten().copied().collect();
        let named = self.namer.stacks(known).await?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let both = stacks.iter().zip(&hashes);
        let both = both.filter_map(|(stack, hash)| Some((*stack, (*hash)?)));
        found.hashes.extend(both);
        let name = |hash: &Option<StackHash>| Some(NamedStack::clone(named.get(hash.as_ref()?)?));
        Ok(hashes.iter().map(name).collect())
    }
}

impl NameStacks for Names {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        match self.runtime.block_on(self.look_up(stacks)) {
            Ok(named) => named,
            Err(failure) => {
                let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                found.failure = Some(failure);
                vec![None; stacks.len()]
            }
        }
    }
}
