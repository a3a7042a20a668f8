//! Tables of many runs, put together to one.

use std::sync::Arc;

use profiler_query::{
    answer::{Whole, connections::Messages},
    model::{Growth, Snapshot},
};
use rayon::prelude::*;
use tonic::Status;

use super::{
    node::{Ends, Part},
    number::{Known, Numbers, numbers},
    state::State,
    whole,
};

/// What one side of an answer is made from.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) growth: Growth,
    /// The table at the end.
    pub(crate) end: Snapshot,
    /// What agents count for the whole of their nodes.
    pub(crate) whole: Whole,
    /// What they said of connections, if that was read.
    pub(crate) connections: Messages,
    /// Connections with growth that they did not tell of one by one.
    pub(crate) not_sent: NotSent,
    /// What the table at the end was put together from.
    pub(crate) states: Vec<Arc<State>>,
}

/// Each of `all` becomes one table; they have the same numbers. Blocks.
///
/// # Errors
/// There is more than can be numbered.
pub(crate) fn gather(all: &[Vec<Ends>]) -> Result<(Vec<Gathered>, Vec<Numbers>), Status> {
    let ends: Vec<&Ends> = all.iter().flatten().collect();
    let known: Vec<Vec<Known>> = ends.par_iter().map(|ends| ends.known()).collect();
    let counts: Vec<usize> = known.iter().map(Vec::len).collect();
    let numbers = numbers(known.into_iter().flatten().collect())?;
    let mut rest = &numbers[..];
    let jobs = ends.into_iter().zip(counts).map(|(ends, count)| {
        let (own, others) = rest.split_at(count);
        rest = others;
        (ends, own)
    });
    let jobs: Vec<(&Ends, &[Numbers])> = jobs.collect();
    let parts = jobs.par_iter().map(|(ends, own)| ends.part(own));
    let mut parts = parts.collect::<Vec<Part>>().into_iter();
    let mut jobs = jobs.into_iter();
    let gathered = all.iter().map(|ends| {
        let states: Vec<Arc<State>> = ends.iter().map(|ends| Arc::clone(ends.last())).collect();
        Gathered {
            whole: whole::whole(&states),
            not_sent: states
                .iter()
                .fold(NotSent::default(), |sum, state| sum.and(state)),
            connections: connections(jobs.by_ref().take(ends.len())),
            states,
            ..join(parts.by_ref().take(ends.len()).collect())
        }
    });
    let gathered = gathered.collect();
    Ok((gathered, numbers))
}

fn connections<'a>(ends: impl Iterator<Item = (&'a Ends, &'a [Numbers])>) -> Messages {
    let mut messages = Messages::default();
    for (ends, own) in ends {
        let state = ends.last();
        if let Some(part) = &state.connections {
            let process = |number| own[0].process_if_known(number);
            let peer = |number| own[0].peer_if_known(number);
            messages.add(&state.node.name, part.clone(), process, peer);
        }
    }
    messages
}

/// Connections that agents keep, and of which they sent the totals only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NotSent {
    /// On whose behalf memory was demanded.
    pub(crate) with_growth: u64,
    /// All of them.
    pub(crate) all: u64,
}

impl NotSent {
    fn and(self, state: &State) -> Self {
        let Some(part) = &state.connections else {
            return self;
        };
        let sent = part.connections.iter();
        let grown = sent.filter(|one| one.committed_allocated_bytes > 0).count() as u64;
        let kept = part
            .open_connections
            .saturating_add(part.closed_connections_kept);
        let with_growth = part.total_with_growth.saturating_sub(grown);
        let rest = kept.saturating_sub(part.connections.len() as u64);
        Self {
            with_growth: self.with_growth.saturating_add(with_growth),
            all: self.all.saturating_add(rest.max(with_growth)),
        }
    }
}

/// Puts the parts of all nodes together. The answer stands for the newest of their moments.
fn join(parts: Vec<Part>) -> Gathered {
    let size = |size: fn(&Part) -> usize| parts.iter().map(size).sum();
    let mut all = Gathered::default();
    all.growth
        .rows
        .reserve_exact(size(|part| part.growth.rows.len()));
    all.end.rows.reserve_exact(size(|part| part.end.rows.len()));
    for mut part in parts {
        let (growth, end) = (&mut all.growth, &mut all.end);
        growth.from = growth.from.max(part.growth.from);
        growth.time = growth.time.max(part.growth.time);
        growth.rows.append(&mut part.growth.rows);
        growth.processes.append(&mut part.growth.processes);
        end.time = end.time.max(part.end.time);
        end.rows.append(&mut part.end.rows);
        end.processes.append(&mut part.end.processes);
    }
    all
}
