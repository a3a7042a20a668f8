//! Batches in memory, and what became of them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use profiler_proto::v1::{self, agent_message::Kind as Item};
use tokio::sync::Notify;

use crate::{sender::Backlog, spool::RunId};

/// A batch's run and sequence number.
pub(super) type Name = (u8, u64);

pub(super) fn run_id(run: u8) -> Vec<u8> {
    vec![run; 16]
}

/// Shared by the sender and the test.
#[derive(Clone, Default)]
pub(super) struct Memory {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
pub(super) struct State {
    /// As in files: a run, then definitions and batches.
    items: Vec<Item>,
    place: usize,
    /// After a rewind, what was defined before.
    replay: Vec<Item>,
    pub(super) acked: BTreeSet<Name>,
    pub(super) refused: BTreeSet<Name>,
}

impl Memory {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A file with `batches` of `run` from `first` on. Each is preceded by a definition of its own,
    /// and can be understood only with all definitions of its file before it.
    pub(super) fn add_file(&self, run: u8, first: u64, batches: u64) {
        let mut state = self.lock();
        state.items.push(Item::Run(v1::Run {
            run_id: run_id(run),
            ..v1::Run::default()
        }));
        for number in 0..batches {
            state.items.push(Item::Definitions(vec![number as u8; 40]));
            state.items.push(Item::Batch(v1::Batch {
                sequence: first + number,
                // What the collector in these tests checks: definitions that are needed.
                boot_nanoseconds: number + 1,
                parts: vec![v1::Part {
                    data: vec![7; 3000],
                    ..v1::Part::default()
                }],
                ..v1::Batch::default()
            }));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// All that were added.
    pub(super) fn names(&self) -> Vec<Name> {
        let state = self.lock();
        let mut run = 0;
        let names = state.items.iter().filter_map(|item| {
            if let Item::Run(one) = item {
                run = one.run_id[0];
            }
            match item {
                Item::Batch(batch) => Some((run, batch.sequence)),
                _ => None,
            }
        });
        names.collect()
    }
}

impl State {
    pub(super) fn is_done(&self, name: Name) -> bool {
        self.acked.contains(&name) || self.refused.contains(&name)
    }

    fn run_at(&self, place: usize) -> u8 {
        let before = self.items[..=place].iter().rev();
        let mut runs = before.filter_map(|item| match item {
            Item::Run(run) => Some(run.run_id[0]),
            _ => None,
        });
        runs.next().unwrap()
    }
}

impl Backlog for Memory {
    fn rewind(&mut self) {
        let mut state = self.lock();
        let first = (0..state.items.len()).find(|place| match &state.items[*place] {
            Item::Batch(batch) => !state.is_done((state.run_at(*place), batch.sequence)),
            _ => false,
        });
        let Some(first) = first else {
            state.place = state.items.len();
            state.replay.clear();
            return;
        };
        let before = &state.items[..first];
        let file = before.iter().rposition(|item| matches!(item, Item::Run(_)));
        let replay = before[file.unwrap()..].iter();
        let replay = replay.filter(|item| !matches!(item, Item::Batch(_)));
        state.replay = replay.rev().cloned().collect();
        state.place = first;
    }

    fn next(&mut self) -> Option<Item> {
        let mut state = self.lock();
        if let Some(item) = state.replay.pop() {
            return Some(item);
        }
        while let Some(item) = state.items.get(state.place).cloned() {
            let run = state.run_at(state.place);
            state.place += 1;
            match &item {
                Item::Batch(batch) if state.is_done((run, batch.sequence)) => {}
                _ => return Some(item),
            }
        }
        None
    }

    fn changed(&mut self) -> impl Future<Output = ()> + Send {
        self.changed.notified()
    }

    fn ack(&mut self, run: RunId, sequence: u64) {
        let names = self.names().into_iter();
        let acked = names.filter(|name| name.0 == run[0] && name.1 <= sequence);
        let acked: Vec<_> = acked.collect();
        let mut state = self.lock();
        for name in acked {
            if !state.refused.contains(&name) {
                state.acked.insert(name);
            }
        }
    }

    fn refuse(&mut self, run: RunId, sequence: u64) {
        assert!(self.lock().refused.insert((run[0], sequence)));
    }
}
