//! The growth of one node.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use profiler_analysis::Figures;
use profiler_query::{
    ids::{BootTime, Cookie, PeerId, ProcessHandle},
    model::{
        Endpoint, Growth, OwnerKey, ProcessEntry, ProcessGrowth, Row, Snapshot, TargetInfo, Totals,
    },
};

use super::{
    number::{Known, Numbers},
    state::State,
};

/// From when on a process that another agent saw may have been there, before that saw it, in
/// nanoseconds: the kernel's times are read at slightly different moments and cut to ticks of 10 ms.
const SLACK: i64 = 20_000_000;

/// What an answer is made from, of one agent.
#[derive(Debug)]
pub(crate) enum Ends {
    /// Since observation began.
    One(Arc<State>),
    /// Between two moments of one run.
    Two(Arc<State>, Arc<State>),
    /// The agent was restarted between the two moments; `same_boot`, but not the host.
    Restarted {
        before: Arc<State>,
        after: Arc<State>,
        same_boot: bool,
    },
    /// The run began after the first moment, and nothing is known from before.
    Joined(BootTime, Arc<State>),
}

/// One node's part of an answer.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) growth: Growth,
    pub(crate) end: Snapshot,
}

impl Ends {
    /// The last table.
    pub(crate) fn last(&self) -> &Arc<State> {
        match self {
            Self::One(after)
            | Self::Two(_, after)
            | Self::Restarted { after, .. }
            | Self::Joined(_, after) => after,
        }
    }

    /// What there is of each run: the run of the last table stands first.
    pub(crate) fn known(&self) -> Vec<Known> {
        let of = |states: &[&State]| Known::new(states[0].run, states);
        match self {
            Self::One(after) | Self::Joined(_, after) => vec![of(&[after])],
            Self::Two(before, after) => vec![of(&[after, before])],
            Self::Restarted { before, after, .. } => vec![of(&[after]), of(&[before])],
        }
    }

    /// The growth, with the numbers of each run as [`known`](Self::known) gives them.
    pub(crate) fn part(&self, numbers: &[Numbers]) -> Part {
        let end = numbers[0].table(self.last());
        let growth = match self {
            Self::One(_) => Growth::since_start(&end),
            Self::Two(before, after) => {
                let folded = folded(before, after, &numbers[0]);
                Growth::between(&numbers[0].table(before), &end, &folded)
            }
            Self::Joined(from, _) => {
                let began_before = |entry: &ProcessEntry| entry.info.started < *from;
                let found = found(&end, *from, began_before);
                Growth::between(&found, &end, &HashMap::new())
            }
            Self::Restarted {
                before,
                after,
                same_boot,
            } => {
                let same = match same_boot {
                    true => same_processes(before, after),
                    false => HashMap::new(),
                };
                let known = numbers[1].table(before);
                let handles = same.into_iter().filter_map(|(old, new)| {
                    let old = numbers[1].process_if_known(old.0)?;
                    Some((old, numbers[0].process_if_known(new.0)?))
                });
                restarted(known, &end, &handles.collect())
            }
        };
        Part { growth, end }
    }
}

/// Of connections that are not kept apart any more, the totals that they are in by now, as far as
/// what agents send of connections tells.
fn folded(before: &State, after: &State, numbers: &Numbers) -> HashMap<Cookie, Option<PeerId>> {
    let (Some(before), Some(after)) = (&before.connections, &after.connections) else {
        return HashMap::new();
    };
    let address = |end: &str| {
        let Ok(end) = end.parse::<Endpoint>();
        end.address().to_string()
    };
    let peers = after.peers.iter().filter_map(|one| {
        let totals = one.connection.as_ref()?;
        let key = (one.process, totals.kind, totals.role, totals.peer.clone());
        Some((key, numbers.peer_if_known(one.number)?))
    });
    let peers: HashMap<_, PeerId> = peers.collect();
    let connections = before.connections.iter().zip(&before.process);
    let folded = connections.filter_map(|(one, process)| {
        let key = (*process, one.kind, one.role, address(&one.peer));
        Some((Cookie(one.cookie), Some(*peers.get(&key)?)))
    });
    folded.collect()
}

/// Processes of a run that are still there in the next one of the same boot.
///
/// A pid is not used twice while its process is there. So if the new agent says that the process
/// has been there since before the old one saw this life of it begin, it is the same.
pub(crate) fn same_processes(
    before: &State,
    after: &State,
) -> HashMap<ProcessHandle, ProcessHandle> {
    let boot = |info: &TargetInfo, state: &State| {
        let started = i64::try_from(info.started.0).unwrap_or(i64::MAX);
        started.saturating_sub(state.offset)
    };
    let single = |state: &State| -> Vec<ProcessEntry> {
        let entries = state.table.processes.iter();
        let entries = entries.filter(|entry| !entry.info.is_group());
        entries.cloned().collect()
    };
    // Of several lives with one pid in the new run, the first is what the new agent found.
    let mut found: HashMap<u32, ProcessEntry> = HashMap::new();
    for entry in single(after) {
        let known = found.entry(entry.info.pid).or_insert_with(|| entry.clone());
        if entry.info.started < known.info.started {
            *known = entry;
        }
    }
    let known = single(before).into_iter();
    let known = known.filter(|entry| entry.info.exited.is_none());
    let same = known.filter_map(|old| {
        let new = found.get(&old.info.pid)?;
        let there_before = boot(&new.info, after) <= boot(&old.info, before).saturating_add(SLACK);
        there_before.then_some((old.handle, new.handle))
    });
    same.collect()
}

/// From one run of an agent to the next. What a process that is in both had before is exact; its
/// other figures count from the new run, whose agent found memory that was there already.
fn restarted(
    mut before: Snapshot,
    after: &Snapshot,
    same: &HashMap<ProcessHandle, ProcessHandle>,
) -> Growth {
    let live: HashMap<ProcessHandle, u64> = before
        .processes
        .iter()
        .filter_map(|entry| Some((*same.get(&entry.handle)?, entry.totals.live())))
        .collect();
    before
        .rows
        .retain(|(key, _)| !same.contains_key(&key.process));
    before
        .processes
        .retain(|entry| !same.contains_key(&entry.handle));
    let known: HashSet<ProcessHandle> = same.values().copied().collect();
    let found = found(after, before.time, |entry| known.contains(&entry.handle));
    let mut growth = Growth::between(&found, after, &HashMap::new());
    for process in &mut growth.processes {
        if let Some(before) = live.get(&process.handle) {
            let change = i128::from(process.totals.live()) - i128::from(*before);
            let change = change.clamp(i64::MIN.into(), i64::MAX.into());
            process.figures.live_delta = change as i64;
        }
    }
    add_gone(&mut growth, &before);
    growth
}

/// What went with the old run. Groups of the new one hold none of it.
fn add_gone(growth: &mut Growth, before: &Snapshot) {
    let gone = Growth::since_start(before);
    let rows = gone.rows.iter();
    let rows = rows.map(|(key, old)| (*key, Figures::gone(old)));
    growth
        .rows
        .extend(rows.filter(|(_, figures)| !figures.is_still()));
    let processes = gone.processes.into_iter().map(|old| ProcessGrowth {
        totals: Totals::default(),
        figures: Figures::gone(&old.figures),
        ..old
    });
    growth.processes.extend(processes);
}

/// What an agent found when it began: memory of the processes that `was_there` that no event of
/// its run demanded.
fn found(after: &Snapshot, time: BootTime, was_there: impl Fn(&ProcessEntry) -> bool) -> Snapshot {
    let there: HashMap<ProcessHandle, &ProcessEntry> = after
        .processes
        .iter()
        .filter(|entry| was_there(entry))
        .map(|entry| (entry.handle, entry))
        .collect();
    let rows = after.rows.iter();
    let rows = rows
        .filter(|(key, _)| key.owner == OwnerKey::PreExisting && there.contains_key(&key.process));
    let rows = rows.map(|(key, row)| {
        let found = Row {
            allocated: row.allocated,
            inherited: row.inherited,
            ..Row::default()
        };
        (*key, found)
    });
    let rows: Vec<_> = rows.collect();
    let processes = rows.iter().filter_map(|(key, row)| {
        Some(ProcessEntry {
            totals: Totals {
                allocated: row.allocated,
                inherited: row.inherited,
                ..Totals::default()
            },
            ..(*there.get(&key.process)?).clone()
        })
    });
    Snapshot {
        time,
        processes: processes.collect(),
        rows,
    }
}
