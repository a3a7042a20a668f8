//! From the rings to ledgers: events lead, and a capture is pulled from its ring when the event
//! that names it comes. A capture is submitted before its event, and after the fork or exec of its
//! process, so whatever a capture needs has been seen by then.

use super::{EVENTS_PER_TURN, Pipeline, SECOND, clock};
use crate::{
    connection::{Behalf, HelperThreads},
    event::{self, Captured, DecodeError, Event, Operation, Origin, VmEvent},
    ids::{BootTime, ProcessHandle},
    ledger::{Cause, Outcome, Owner},
    process::{Place, SpaceId},
};

/// Events are taken for so long before anything else has its turn.
const LONGEST_TURN: u64 = SECOND / 20;
/// What an operation may take before it counts for several: some are cheap for the kernel and
/// dear here, as when a mapping of very many pieces is moved.
const USUAL_COST: u64 = 5_000;

/// From an ambiguous operation to the reading of the maps: for those of a process that maps and
/// unmaps from several threads all the time, one reading serves many.
const AMBIGUOUS_FOR: u64 = SECOND;
/// From a call that failed half-way to the reading of the maps.
const SUSPECT_FOR: u64 = SECOND / 10;

impl Pipeline {
    /// Takes in what the rings hold. `true` when there may be more.
    pub(super) fn drain(&mut self) -> bool {
        let started = clock::now();
        let mut decoded = Ok(Event::Exit { origin: NOBODY });
        for taken in 1..=EVENTS_PER_TURN {
            let rings = &mut self.kernel.rings;
            if !rings.next_event(|bytes| decoded = event::decode(bytes)) {
                return false;
            }
            match decoded {
                Ok(Event::Vm(operation)) => {
                    self.newest = operation.origin.time;
                    self.operation(&operation);
                }
                Ok(Event::Touch(touch)) => self.touch(&touch),
                Ok(Event::Closed(end)) => {
                    self.newest = end.time;
                    self.socket_closed(&end);
                }
                Ok(Event::Victim(victim)) => self.killed(&victim),
                Ok(life) => self.life(&life),
                Err(error) => self.rejected(error),
            }
            if taken % 256 == 0 && clock::now().0 - started.0 > LONGEST_TURN {
                break;
            }
        }
        true
    }

    fn life(&mut self, life: &Event) {
        let started = clock::now();
        self.table.apply(life, &mut self.steps);
        self.carry_out();
        if let Event::Fork { origin, .. } = *life {
            self.charge(origin.pid, started);
        }
        // A child has what its parent had, though it may never do an operation of its own.
        if let Event::Fork { child, .. } = *life
            && let Some(process) = self.table.get(child)
            && let Some(space) = process.space
            && self.spaces.answers(space).is_none()
        {
            self.introduce(process.handle, space);
        }
    }

    fn rejected(&mut self, error: DecodeError) {
        self.losses.records_rejected += 1;
        tracing::debug!(%error, "a record was refused");
    }

    fn operation(&mut self, event: &VmEvent) {
        *self.operations.entry(event.origin.pid).or_default() += 1;
        let place = self.table.locate(&event.origin, &mut self.steps);
        self.carry_out();
        let behalf = self.behalf(event);
        let owner = self.owner(event, behalf);
        let Place::Space { process, space } = place else {
            return;
        };
        if self.spaces.answers(space).is_none() {
            self.introduce(process, space);
        }
        if let Some(range) = code_range(&event.operation) {
            self.stacks.changed(process, &range);
        }
        let cause = Cause {
            thread: event.origin.tid,
            owner,
            time: event.origin.time,
        };
        let started = clock::now();
        let outcome = self.spaces.apply(
            space,
            &event.operation,
            cause,
            event.served,
            &mut self.books,
        );
        if matches!(event.operation, Operation::Remap { .. }) {
            self.charge(event.origin.pid, started);
        }
        self.settle(event.origin, outcome);
    }

    /// To whom an operation is put down.
    fn owner(&mut self, event: &VmEvent, behalf: Behalf) -> Owner {
        let inclusion = event.inclusion;
        let lost = Owner::Lost { inclusion, behalf };
        match event.capture {
            Captured::No => Owner::Unsampled { behalf },
            Captured::Lost => lost,
            Captured::Yes(number) => match self.capture(event.origin.tid, number).flatten() {
                Some(stack) => Owner::Stack {
                    stack,
                    inclusion,
                    behalf,
                },
                None => lost,
            },
        }
    }

    /// What the thread of an operation served.
    fn behalf(&mut self, event: &VmEvent) -> Behalf {
        let Origin { pid, tid, .. } = event.origin;
        let (table, names) = (&self.table, &mut self.thread_names);
        Behalf::of(&event.served, || {
            table.get(pid).is_some_and(|process| {
                HelperThreads::of(&process.executable)
                    .has(pid == tid, || names.of(process.handle, pid, tid))
            })
        })
    }

    /// Counts what a process has cost since `started` as operations of it.
    pub(super) fn charge(&mut self, pid: u32, started: BootTime) {
        let cost = clock::now().0.saturating_sub(started.0) / USUAL_COST;
        *self.operations.entry(pid).or_default() += cost;
    }

    fn settle(&mut self, origin: Origin, outcome: Outcome) {
        let wait = match outcome {
            Outcome::Settled => return,
            Outcome::Ambiguous => AMBIGUOUS_FOR,
            Outcome::Suspect => SUSPECT_FOR,
        };
        self.losses.out_of_order += u64::from(outcome == Outcome::Ambiguous);
        self.table
            .mark_stale(origin.pid, BootTime(origin.time.0 + wait));
    }

    /// The stack that an event names; pulls captures until it is there. The outer `None`: it was
    /// not found.
    pub(super) fn capture(
        &mut self,
        thread: u32,
        number: u32,
    ) -> Option<Option<crate::ids::StackId>> {
        loop {
            if let Some(found) = self.waiting.take(thread, number) {
                return Some(found);
            }
            if !self.next_capture() {
                self.losses.captures_missing += 1;
                return None;
            }
        }
    }

    /// Takes one capture from the ring and unwinds it.
    fn next_capture(&mut self) -> bool {
        let Self {
            kernel,
            table,
            stacks,
            waiting,
            captured,
            losses,
            ..
        } = self;
        let mut unknown = None;
        let any = kernel
            .rings
            .next_capture(|bytes| match event::decode_capture(bytes) {
                Ok(capture) => {
                    let Origin { pid, tid, time, .. } = capture.origin;
                    *captured.entry(pid).or_default() += 1;
                    let stack = table
                        .get(pid)
                        .filter(|process| process.space.is_some())
                        .and_then(|process| {
                            unknown = process.executable.is_empty().then_some((pid, time));
                            stacks.intern_capture(process.handle, pid, &capture)
                        });
                    waiting.add(tid, capture.number, stack, time);
                }
                Err(error) => {
                    losses.records_rejected += 1;
                    tracing::debug!(%error, "a capture was refused");
                }
            });
        if let Some((pid, time)) = unknown {
            self.table.adopt_soon(pid, time);
        }
        any
    }

    /// A space has no process that answers for it yet, or none any more.
    pub(super) fn introduce(&mut self, process: ProcessHandle, space: SpaceId) {
        if let Some(known) = self.table.by_handle(process) {
            self.books.growth.observe(
                process,
                super::snapshot::target_info(known, &self.settings.node),
            );
        }
        self.spaces.bind(space, process, &mut self.books);
    }
}

const NOBODY: Origin = Origin {
    pid: 0,
    tid: 0,
    time: BootTime(0),
    cgroup: 0,
};

/// The addresses at which an operation may have changed what code is mapped.
fn code_range(operation: &Operation) -> Option<std::ops::Range<u64>> {
    match *operation {
        Operation::Map { start, length, .. }
        | Operation::Unmap { start, length }
        | Operation::Protect { start, length, .. } => Some(start..start.saturating_add(length)),
        Operation::Remap {
            old_start,
            old_length,
            ..
        } => Some(old_start..old_start.saturating_add(old_length)),
        Operation::Detach { .. }
        | Operation::Break { .. }
        | Operation::Release { .. }
        | Operation::Suspect { .. } => None,
    }
}
