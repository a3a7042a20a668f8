//! From the numbers of runs to those of one answer.

use profiler_query::{
    ids::{PeerId, ProcessHandle, StackId},
    model::{BehalfKey, OwnerKey, ProcessEntry, RowKey, Snapshot},
};
use tonic::Status;

use super::state::State;
use crate::store::RunId;

/// What of one run is in an answer, ascending.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) run: RunId,
    processes: Vec<u32>,
    pub(crate) stacks: Vec<u32>,
    peers: Vec<u32>,
}

impl Known {
    /// Of tables of one run.
    pub(crate) fn new(run: RunId, states: &[&State]) -> Self {
        let mut known = Self {
            run,
            processes: Vec::new(),
            stacks: Vec::new(),
            peers: Vec::new(),
        };
        for state in states {
            let processes = state.table.processes.iter();
            known
                .processes
                .extend(processes.map(|entry| entry.handle.0));
            for (key, _) in &state.table.rows {
                if let Some(stack) = key.owner.stack() {
                    known.stacks.push(stack.0);
                } else if let OwnerKey::Behalf(BehalfKey::Peer(peer)) = key.owner {
                    known.peers.push(peer.0);
                }
            }
            let connections = state.connections.as_ref();
            let peers = connections.map_or(&[][..], |part| &part.peers);
            known.peers.extend(peers.iter().map(|peer| peer.number));
        }
        for numbers in [&mut known.processes, &mut known.stacks, &mut known.peers] {
            numbers.sort_unstable();
            numbers.dedup();
        }
        known
    }
}

/// The answer's numbers for what is known of one run: they begin with the first ones and follow the
/// run's order.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) known: Known,
    first_process: u32,
    pub(crate) first_stack: u32,
    first_peer: u32,
}

/// Gives each run its numbers.
///
/// # Errors
/// There are more processes, stacks or peers than numbers.
pub(crate) fn numbers(runs: Vec<Known>) -> Result<Vec<Numbers>, Status> {
    let (mut process, mut stack, mut peer) = (0, 0, 0);
    let runs = runs.into_iter().map(|known| {
        let numbers = Numbers {
            first_process: process,
            first_stack: stack,
            first_peer: peer,
            known,
        };
        process = after(process, numbers.known.processes.len())?;
        stack = after(stack, numbers.known.stacks.len())?;
        peer = after(peer, numbers.known.peers.len())?;
        Ok(numbers)
    });
    runs.collect()
}

/// The number that follows `count` numbers from `first` on.
fn after(first: u32, count: usize) -> Result<u32, Status> {
    let count = u32::try_from(count).ok();
    let next = count.and_then(|count| first.checked_add(count));
    next.ok_or_else(|| Status::resource_exhausted("this question is about too much; choose nodes"))
}

impl Numbers {
    /// Of a process, if there is one with this number.
    pub(crate) fn process_if_known(&self, process: u32) -> Option<ProcessHandle> {
        let known = self.known.processes.binary_search(&process).is_ok();
        known.then(|| self.process(ProcessHandle(process)))
    }

    fn process(&self, process: ProcessHandle) -> ProcessHandle {
        ProcessHandle(self.first_process + place(&self.known.processes, process.0) as u32)
    }

    /// Of a peer, if there is one with this number.
    pub(crate) fn peer_if_known(&self, peer: u32) -> Option<PeerId> {
        let known = self.known.peers.binary_search(&peer).is_ok();
        known.then(|| self.peer(PeerId(peer)))
    }

    fn peer(&self, peer: PeerId) -> PeerId {
        PeerId(self.first_peer + place(&self.known.peers, peer.0) as u32)
    }

    fn stack(&self, stack: StackId) -> StackId {
        StackId(self.first_stack + place(&self.known.stacks, stack.0) as u32)
    }

    fn owner(&self, owner: OwnerKey) -> OwnerKey {
        match owner {
            OwnerKey::Stack(stack) => OwnerKey::Stack(self.stack(stack)),
            OwnerKey::OnConnection(cookie, stack) => {
                OwnerKey::OnConnection(cookie, self.stack(stack))
            }
            OwnerKey::Behalf(BehalfKey::Peer(peer)) => {
                OwnerKey::Behalf(BehalfKey::Peer(self.peer(peer)))
            }
            owner => owner,
        }
    }

    /// A table of this run with the answer's numbers.
    pub(crate) fn table(&self, state: &State) -> Snapshot {
        let table = &state.table;
        // Rows of one process stand together.
        let mut last = None;
        let mut process = |handle| match last {
            Some((known, number)) if known == handle => number,
            _ => {
                let number = self.process(handle);
                last = Some((handle, number));
                number
            }
        };
        let rows = table.rows.iter().map(|(key, row)| {
            let key = RowKey {
                process: process(key.process),
                owner: self.owner(key.owner),
            };
            (key, *row)
        });
        let processes = table.processes.iter().map(|entry| ProcessEntry {
            handle: self.process(entry.handle),
            ..entry.clone()
        });
        Snapshot {
            time: table.time,
            rows: rows.collect(),
            processes: processes.collect(),
        }
    }
}

/// Where a number stands among the known ones, of which it is one.
fn place(known: &[u32], number: u32) -> usize {
    known.partition_point(|one| *one < number)
}
