//! What each event changes in the table, and where an operation belongs.

use super::facts::Width;
use super::life::{Policy, Process, SpaceId, Start, State};
use super::proc_fs::ProcSource;
use super::step::{Step, Why};
use super::table::{Place, ProcessTable, policy_of};
use crate::event::{Event, Name, Origin};
use crate::filter::Decision;

/// The kernel's thread that makes all others of its own.
const KTHREADD: u32 = 2;

impl<S: ProcSource> ProcessTable<S> {
    /// Takes in the start, exec or end of a process. Operations and touches go to
    /// [`Self::locate`], sockets and victims are no concern of its.
    pub fn apply(&mut self, event: &Event, steps: &mut Vec<Step>) {
        match *event {
            Event::Vm(_) | Event::Closed(_) | Event::Victim(_) | Event::Touch(_) => {}
            Event::Fork {
                origin,
                child,
                shares_memory,
                name,
            } => self.fork(origin, child, shares_memory, name, steps),
            Event::Exec { origin, name } => self.exec(origin, name, steps),
            Event::Exit { origin } => self.exit(origin, steps),
        }
    }

    /// Where an operation belongs. A process never heard of is taken in: its events go to an
    /// empty ledger until `/proc` is read, at the next [`Self::poll`].
    pub fn locate(&mut self, origin: &Origin, steps: &mut Vec<Step>) -> Place {
        let Some(process) = self.processes.get(&origin.pid) else {
            return self.unannounced(origin, steps);
        };
        if process.start.is_after(origin.time) {
            self.counters.stale_events += 1;
            return Place::Nowhere;
        }
        let moved = origin.cgroup != process.cgroup
            && process.read_at.is_none_or(|read| read < origin.time);
        let place = match process.space {
            Some(space) => Place::Space {
                process: process.handle,
                space,
            },
            None => Place::Nowhere,
        };
        if moved {
            self.move_to(origin, steps);
        }
        place
    }

    fn unannounced(&mut self, origin: &Origin, steps: &mut Vec<Step>) -> Place {
        let start = Start::Before(origin.time);
        let Some(mut process) = self.blank(origin.pid, start, origin.time) else {
            return Place::Nowhere;
        };
        self.counters.unannounced += 1;
        process.cgroup = origin.cgroup;
        process.container = self.cgroups.known(origin.cgroup);
        let place = self.enter(process, Some(Why::Unattributed), steps);
        self.schedule(origin.pid, origin.time, None);
        place
    }

    fn fork(
        &mut self,
        origin: Origin,
        pid: u32,
        shares_memory: bool,
        name: Name,
        steps: &mut Vec<Step>,
    ) {
        if pid == origin.pid || origin.pid == KTHREADD {
            return;
        }
        if let Some(known) = self.processes.get(&pid) {
            if known.start.is_fork(origin.time) {
                return; // A scan has found it before its event was read.
            }
            if known.start.is_after(origin.time) {
                self.counters.stale_events += 1;
                return;
            }
            self.counters.reused += 1;
            self.end(pid, steps);
        }
        let start = Start::Forked(origin.time);
        let Some(mut child) = self.blank(pid, start, origin.time) else {
            return;
        };
        child.name = name.to_text();
        child.parent = origin.pid;
        child.cgroup = origin.cgroup;
        let due = self.after(origin.time);
        match self.processes.get(&origin.pid) {
            Some(parent) => {
                inherit(&mut child, parent);
                let from = parent.space;
                self.enter_fork(child, from, shares_memory, steps);
            }
            None => {
                child.container = self.cgroups.known(origin.cgroup);
                self.enter(child, Some(Why::Unattributed), steps);
            }
        }
        self.schedule(pid, due, None);
    }

    /// A child of a known process starts with its parent's space, or a copy of it.
    fn enter_fork(
        &mut self,
        mut child: Process,
        from: Option<SpaceId>,
        shares_memory: bool,
        steps: &mut Vec<Step>,
    ) {
        let Some(from) = from else {
            // The parent is not followed; its child is only if a rule named the parent's pid.
            self.enter(child, Some(Why::PreExisting), steps);
            return;
        };
        let pid = child.pid;
        if shares_memory {
            // What it does is done to its parent: it is followed as its parent is, and the
            // parent's ledger is the parent's to bring in line.
            self.join(from);
            child.space = Some(from);
            child.state = State::Observed;
            child.reconcile = None;
        } else if self.decide(&child) == Decision::Ignore {
            self.enter(child, None, steps);
            return;
        } else {
            let to = self.new_space();
            child.space = Some(to);
            steps.push(Step::CloneSpace { from, to });
        }
        self.insert(child);
        self.tell(pid, Policy::Observe, steps);
    }

    fn exec(&mut self, origin: Origin, name: Name, steps: &mut Vec<Step>) {
        let old = self.processes.get(&origin.pid);
        if old.is_some_and(|old| old.start.is_after(origin.time)) {
            self.counters.stale_events += 1;
            return;
        }
        let old = self.leave(origin.pid, steps);
        let start = old
            .as_ref()
            .map_or(Start::Before(origin.time), |old| old.start);
        let Some(mut new) = self.blank(origin.pid, start, origin.time) else {
            return;
        };
        new.name = name.to_text();
        new.cgroup = origin.cgroup;
        match old {
            Some(old) => {
                succeed(&mut new, &old);
                steps.push(Step::Ended(Box::new(old)));
            }
            None => self.counters.unannounced += 1,
        }
        if let Some(known) = self.cgroups.known(origin.cgroup) {
            new.container = Some(known);
        }
        self.enter(new, Some(Why::ExecImage), steps);
        let due = self.after(origin.time);
        self.schedule(origin.pid, due, None);
    }

    fn exit(&mut self, origin: Origin, steps: &mut Vec<Step>) {
        let Some(process) = self.processes.get(&origin.pid) else {
            return;
        };
        if process.start.is_after(origin.time) {
            self.counters.stale_events += 1;
            return;
        }
        self.end(origin.pid, steps);
    }

    /// Takes a process out for good.
    pub(super) fn end(&mut self, pid: u32, steps: &mut Vec<Step>) {
        if let Some(process) = self.leave(pid, steps) {
            steps.push(Step::Ended(Box::new(process)));
            steps.push(Step::Gone { pid });
        }
    }

    /// Takes a life out of the table, and its space out of use.
    fn leave(&mut self, pid: u32, steps: &mut Vec<Step>) -> Option<Process> {
        let mut process = self.processes.remove(&pid)?;
        self.by_handle.remove(&process.handle);
        if let Some(ticket) = process.ticket.take() {
            self.queue.cancel(ticket);
        }
        if let Some(space) = process.space {
            self.part(space, steps);
        }
        process.state = State::Exited;
        process.reconcile = None;
        Some(process)
    }

    /// Puts a life with a space of its own into the table, followed or not.
    pub(super) fn enter(
        &mut self,
        mut process: Process,
        why: Option<Why>,
        steps: &mut Vec<Step>,
    ) -> Place {
        let pid = process.pid;
        let mut place = Place::Nowhere;
        process.reconcile = None;
        if process.width == Width::Narrow {
            self.counters.unsupported += 1;
            process.state = State::Unsupported;
        } else if self.decide(&process) == Decision::Observe {
            let space = self.new_space();
            process.state = State::Observed;
            process.space = Some(space);
            process.reconcile = why;
            let fresh = why == Some(Why::ExecImage);
            steps.push(Step::NewSpace { space, fresh });
            place = Place::Space {
                process: process.handle,
                space,
            };
        } else {
            process.state = State::Ignored;
        }
        let policy = policy_of(process.state);
        self.insert(process);
        self.tell(pid, policy, steps);
        place
    }
}

/// What a forked child has from its parent.
fn inherit(child: &mut Process, parent: &Process) {
    child.executable.clone_from(&parent.executable);
    child.deleted = parent.deleted;
    child.uid = parent.uid;
    child.width = parent.width;
    child.container.clone_from(&parent.container);
    child.own |= parent.own;
    // What the parent's ledger lacks, its copy lacks too; and what the parent kept from its
    // children (MADV_DONTFORK), the copy has too much. A child that lives is checked.
    child.reconcile = parent.reconcile.or(Some(Why::Unattributed));
    if matches!(parent.state, State::Stale | State::Counting) {
        child.state = State::Stale;
        child.reconcile = Some(Why::Unattributed);
    }
}

/// What a process keeps over an exec.
fn succeed(new: &mut Process, old: &Process) {
    new.parent = old.parent;
    new.namespace_pid = old.namespace_pid;
    new.uid = old.uid;
    new.own |= old.own;
    new.policy = old.policy;
    if old.cgroup == new.cgroup {
        new.container.clone_from(&old.container);
    }
}
