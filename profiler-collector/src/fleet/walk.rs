//! The processes of all nodes, moment by moment.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use profiler_proto::v1::PartKind;
use profiler_query::{
    ids::ProcessHandle,
    model::{ProcessEntry, Snapshot},
};
use tokio::{sync::Semaphore, task::JoinSet};
use tonic::Status;

use super::{
    choose::{before, patience, same_host},
    limits::{Cost, blocking},
    node::same_processes,
    node_facts,
    read::With,
    side::boot_time,
    state::State,
    status::{failed, of_store},
};
use crate::store::{Retention, Run, RunFacts, Store, StoreError, WallTime};

/// Moments whose tables are in memory at one time.
const TOGETHER: u32 = 8;
/// From one whole batch to the next.
const WHOLE: Duration = Duration::from_secs(60);
/// Runs that are read at one time.
const READS: usize = 4;

/// Goes through a time in equal steps. Tables have processes only, and a process has the same
/// handle in all of them, also when its agent was restarted.
pub(crate) struct Walk {
    store: Arc<dyn Store>,
    retention: Retention,
    now: WallTime,
    runs: Arc<[Run]>,
    /// Ends of the steps that are left, the next one last.
    ends: Vec<WallTime>,
    begin: WallTime,
    /// The last table of each agent, by node and agent, with the place of its run.
    last: BTreeMap<(String, Vec<u8>), (usize, State)>,
    /// By the place of the run and the run's own handle.
    numbers: HashMap<(usize, ProcessHandle), ProcessHandle>,
    cost: Arc<Cost>,
}

impl Walk {
    /// From one moment to another over the runs that were there in between.
    ///
    /// # Errors
    /// It would read too many batches.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        retention: Retention,
        (from, to, now): (WallTime, WallTime, WallTime),
        runs: Vec<Run>,
        steps: u32,
        cost: Arc<Cost>,
    ) -> Result<Self, Status> {
        let runs = runs.into_iter();
        let runs: Vec<Run> = runs
            .filter(|run| run.first <= to && run.last >= from)
            .collect();
        let batches = runs.iter().map(|run| run.batches.min(steps.into())).sum();
        cost.batches(batches)?;
        Ok(Self {
            store,
            retention,
            now,
            runs: runs.into(),
            ends: (1..=steps)
                .rev()
                .map(|step| end(from, to, step, steps))
                .collect(),
            begin: from,
            last: BTreeMap::new(),
            numbers: HashMap::new(),
            cost,
        })
    }

    /// The tables of the next moments, oldest first; none when the end is reached. Moments at which
    /// nothing new was heard of any node are left out.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Snapshot>>, Status> {
        let count = self.ends.len().min(TOGETHER as usize);
        let ends = self.ends.split_off(self.ends.len() - count);
        let Some(to) = ends.first().copied() else {
            return Ok(None);
        };
        let mut states = self.read(self.begin, to, count as u32).await?;
        self.begin = WallTime(to.0.saturating_add(1));
        // The next one last.
        states.sort_by_key(|(place, state)| std::cmp::Reverse((state.table.time, *place)));
        let mut tables = Vec::with_capacity(count);
        for end in ends.into_iter().rev() {
            let limit = boot_time(end);
            let mut heard = false;
            while let Some((place, state)) = states.pop_if(|(_, state)| state.table.time <= limit) {
                self.go_on(place, state)?;
                heard = true;
            }
            if heard {
                tables.push(self.table(end));
            }
        }
        Ok(Some(tables))
    }

    async fn read(
        &self,
        from: WallTime,
        to: WallTime,
        steps: u32,
    ) -> Result<Vec<(usize, State)>, Status> {
        let mut tasks = JoinSet::new();
        let reads = Arc::new(Semaphore::new(READS));
        let runs = self.runs.iter().enumerate();
        for (place, _) in runs.filter(|(_, run)| run.first <= to && run.last >= from) {
            let (store, cost) = (Arc::clone(&self.store), Arc::clone(&self.cost));
            let (runs, reads) = (Arc::clone(&self.runs), Arc::clone(&reads));
            tasks.spawn(async move {
                let _place = reads.acquire_owned().await;
                let states = decoded(&*store, &runs[place], (from, to), steps, &cost).await;
                states.map(|states| (place, states))
            });
        }
        let mut all = Vec::new();
        while let Some(done) = tasks.join_next().await {
            let (place, states) = done.map_err(failed)??;
            all.extend(states.into_iter().map(|state| (place, state)));
        }
        Ok(all)
    }

    /// The agent's table is another one from now on.
    fn go_on(&mut self, place: usize, state: State) -> Result<(), Status> {
        self.cost.rows(state.size())?;
        let run = &self.runs[place];
        let facts = &run.facts;
        let agent = (facts.node.clone(), facts.agent_id.clone());
        let known = self.predecessor(&agent, facts);
        if let Some((old, last)) = known.as_ref().and_then(|agent| self.last.get(agent))
            && *old != place
            && self.runs[*old].facts.boot_id == facts.boot_id
        {
            if self.runs[*old].first > run.first {
                // What came late of a run that another has taken the place of.
                return Ok(());
            }
            for (before, after) in same_processes(last, &state) {
                if let Some(number) = self.numbers.get(&(*old, before)).copied() {
                    self.numbers.insert((place, after), number);
                }
            }
        }
        for entry in &state.table.processes {
            let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
            let number = self.numbers.entry((place, entry.handle));
            number.or_insert(ProcessHandle(next));
        }
        if let Some(known) = known {
            self.last.remove(&known);
        }
        self.last.insert(agent, (place, state));
        Ok(())
    }

    /// Whose place an agent takes: its own, or that of one that lost its id on the same boot.
    fn predecessor(
        &self,
        agent: &(String, Vec<u8>),
        facts: &RunFacts,
    ) -> Option<(String, Vec<u8>)> {
        let of_node = self.last.range((facts.node.clone(), Vec::new())..);
        let mut of_node = of_node.take_while(|((node, _), _)| *node == facts.node);
        let same = |place: usize| same_host(&self.runs[place].facts, facts);
        let other = of_node.find(|(known, (place, _))| *known == agent || same(*place));
        other.map(|(known, _)| known.clone())
    }

    /// Of all nodes that were heard of around a moment.
    fn table(&self, at: WallTime) -> Snapshot {
        let mut table = Snapshot::default();
        for (place, state) in self.last.values() {
            let run = &self.runs[*place];
            let patience = patience(run, at, self.now, &self.retention) + WHOLE;
            let oldest = before(at, patience);
            if state.table.time < boot_time(oldest) {
                continue;
            }
            table.time = table.time.max(state.table.time);
            let processes = state.table.processes.iter();
            let processes = processes.filter_map(|entry| {
                let handle = *self.numbers.get(&(*place, entry.handle))?;
                Some(ProcessEntry {
                    handle,
                    ..entry.clone()
                })
            });
            table.processes.extend(processes);
        }
        table
    }
}

/// The end of one of equal parts of a time.
fn end(from: WallTime, to: WallTime, step: u32, steps: u32) -> WallTime {
    let length = i128::from(to.0) - i128::from(from.0);
    let part = length * i128::from(step) / i128::from(steps.max(1));
    WallTime(
        from.0
            .saturating_add(i64::try_from(part).unwrap_or(i64::MAX)),
    )
}

async fn decoded(
    store: &dyn Store,
    run: &Run,
    (from, to): (WallTime, WallTime),
    steps: u32,
    cost: &Arc<Cost>,
) -> Result<Vec<State>, Status> {
    let kinds = [PartKind::Targets];
    let batches = store.whole_batches(run.id, from, to, steps, &kinds).await;
    let batches = match batches {
        Err(StoreError::Damaged(error)) => {
            tracing::warn!(
                node = run.facts.node,
                error,
                "what is kept of a node is unreadable"
            );
            Vec::new()
        }
        batches => batches.map_err(of_store)?,
    };
    let parts = batches.iter().flat_map(|batch| &batch.parts);
    cost.bytes(parts.map(|part| u64::from(part.size)).sum())?;
    let node = Arc::new(node_facts(&run.facts));
    let waiting = Arc::clone(cost);
    let decode = move || {
        let batches = batches.chunks(1).take_while(|_| waiting.check().is_ok());
        let states = batches.filter_map(|batch| {
            let state = State::decode(&node, batch, With::Targets);
            // Another one tells of the same node a little later.
            let state = state.inspect_err(|error| tracing::warn!(%error, "a batch is unreadable"));
            state.ok().flatten()
        });
        states.collect()
    };
    blocking(cost, decode).await
}
