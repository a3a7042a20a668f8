//! Growth of all nodes, put together from what their agents sent.
//!
//! For each moment of a question the last run of each agent is chosen, its table read and decoded
//! (or taken from the cache), and the tables of all become one with numbers of the
//! answer's own and times of the wall clock: what the answers to `profiler.v1.Query` are made from.

mod cache;
mod choose;
mod curves;
mod gather;
mod limits;
mod names;
mod node;
mod number;
mod read;
mod side;
mod state;
mod status;
mod verdicts;
mod walk;
mod whole;

use std::sync::Arc;

use pbjson_types::Timestamp;
use profiler_query::{answer::Filter, model::NodeFacts};
use tonic::Status;

pub(crate) use curves::Curves;
pub(crate) use gather::Gathered;
pub use limits::CostLimits;
pub(crate) use limits::{Cost, blocking};
pub(crate) use names::Names;
pub(crate) use read::With;
pub(crate) use side::{Missing, Side, Sides, boot_time};
pub(crate) use state::{State, entries_of};
pub(crate) use status::of_store;
pub(crate) use verdicts::{SeriesKey, Verdicts, readings};
pub(crate) use whole::{cut, losses};

use self::{
    choose::{before, choose, patience},
    names::Namer,
    node::Ends,
    read::{Reader, Wanted},
    walk::Walk,
};
use crate::store::{Retention, Run, RunFacts, Store, WallTime};

/// Of what the cache may take, the part that is for names.
const NAMES: u64 = 4;

/// All nodes that a store knows.
pub(crate) struct Fleet {
    store: Arc<dyn Store>,
    reader: Reader,
    namer: Arc<Namer>,
    retention: Retention,
}

impl Fleet {
    pub(crate) fn new(store: Arc<dyn Store>, cache_bytes: u64, retention: Retention) -> Self {
        let names = cache_bytes / NAMES;
        Self {
            reader: Reader::new(Arc::clone(&store), cache_bytes - names),
            namer: Arc::new(Namer::new(Arc::clone(&store), names)),
            store,
            retention,
        }
    }

    pub(crate) async fn runs(&self) -> Result<Vec<Run>, Status> {
        self.store.runs().await.map_err(of_store)
    }

    /// The nodes of these runs at one moment.
    pub(crate) async fn side(
        &self,
        runs: &[Run],
        at: WallTime,
        now: WallTime,
        with: With,
        cost: &Arc<Cost>,
    ) -> Result<Side, Status> {
        let patience = |run: &Run| patience(run, at, now, &self.retention);
        let chosen = choose(runs, at, patience);
        let wanted = chosen.runs.iter().map(|run| Wanted {
            run,
            not_before: WallTime(before(at, patience(run)).0.saturating_sub(1)),
        });
        let wanted: Vec<_> = wanted.collect();
        let tables = self.reader.tables(&wanted, at, with, cost).await?;
        let mut side = Side {
            unreadable: tables.unreadable,
            silent: chosen
                .silent
                .iter()
                .map(|node| (*node).to_owned())
                .collect(),
            ..Side::default()
        };
        for (run, state) in chosen.runs.into_iter().zip(tables.states) {
            let facts = run.facts.clone();
            match state {
                Some(state) => {
                    let agent = (facts.node.clone(), facts.agent_id.clone());
                    side.agents.insert(agent, (facts, state));
                }
                None if side.unreadable.contains(&facts.node) => {}
                None => drop(side.silent.insert(facts.node)),
            }
        }
        let heard = side.agents.keys().map(|(node, _)| node);
        for node in heard {
            side.silent.remove(node);
        }
        Ok(side)
    }

    /// The last table of each run, however old it is; none for one that cannot be read.
    pub(crate) async fn last(
        &self,
        runs: &[&Run],
        with: With,
        cost: &Arc<Cost>,
    ) -> Result<Vec<Option<Arc<State>>>, Status> {
        let not_before = WallTime(i64::MIN);
        let wanted = runs.iter().map(|run| Wanted { run, not_before });
        let wanted: Vec<_> = wanted.collect();
        let end = WallTime(i64::MAX);
        Ok(self.reader.tables(&wanted, end, with, cost).await?.states)
    }

    /// Goes through a time.
    ///
    /// # Errors
    /// It would read too many batches.
    pub(crate) fn walk(
        &self,
        (from, to, now): (WallTime, WallTime, WallTime),
        runs: Vec<Run>,
        steps: u32,
        cost: Arc<Cost>,
    ) -> Result<Walk, Status> {
        let store = Arc::clone(&self.store);
        let times = (from, to, now);
        Walk::new(store, self.retention.clone(), times, runs, steps, cost)
    }

    /// What an answer is made from; all of it has the same numbers and names. Blocks.
    pub(crate) async fn gather(
        &self,
        all: Vec<Vec<Ends>>,
        cost: &Arc<Cost>,
    ) -> Result<(Vec<Gathered>, Names), Status> {
        let (gathered, numbers) = blocking(cost, move || gather::gather(&all)).await??;
        Ok((gathered, Names::new(Arc::clone(&self.namer), numbers)))
    }
}

/// Whether the run's node may have what is asked for.
pub(crate) fn may_be_on(filter: &Filter, run: &Run) -> bool {
    filter.may_be_on(&node_facts(&run.facts))
}

/// For the wire.
pub(crate) fn timestamp(time: WallTime) -> Timestamp {
    Timestamp {
        seconds: time.0.div_euclid(1_000_000_000),
        nanos: time.0.rem_euclid(1_000_000_000) as i32,
    }
}

/// The node of a run.
pub(crate) fn node_facts(facts: &RunFacts) -> NodeFacts {
    NodeFacts {
        name: facts.node.clone(),
        labels: facts.labels.clone(),
    }
}
