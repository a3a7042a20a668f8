//! `/proc` is read: at the start for all, later for a process some time after it appeared, and
//! again for all after the start or end of a process was lost.

use std::collections::HashMap;
use std::io;

use super::facts::{self, Facts, Width};
use super::life::{Process, Start, State};
use super::proc_fs::ProcSource;
use super::step::{Step, Why};
use super::table::{ProcessTable, policy_of};
use crate::event::Origin;
use crate::filter::{Decision, Filter};
use crate::ids::{BootTime, ProcessHandle};

/// Most generations that are looked back for the agent.
const ANCESTORS_MAX: usize = 64;

impl<S: ProcSource> ProcessTable<S> {
    /// Takes in every process that there is and takes out those that are gone. An error means
    /// that `/proc` itself can't be read.
    pub fn scan(&mut self, now: BootTime, steps: &mut Vec<Step>) -> io::Result<()> {
        let mut found = Vec::new();
        for pid in self.source.pids()? {
            // A process that ends meanwhile is not there; its exit event takes it out.
            if let Ok(facts) = facts::read(&self.source, pid)
                && !facts.kernel_thread
                && !facts.zombie
            {
                found.push((pid, facts));
            }
        }
        found.sort_by_key(|(pid, facts)| (facts.started, *pid));
        let parents: HashMap<u32, u32> = found
            .iter()
            .map(|(pid, facts)| (*pid, facts.parent))
            .collect();
        for (pid, facts) in found {
            let own = self.is_own(pid, &parents);
            self.found(pid, facts, own, now, steps);
        }
        let gone: Vec<u32> = self
            .processes
            .keys()
            .filter(|pid| !parents.contains_key(pid))
            .copied()
            .collect();
        for pid in gone {
            self.counters.missed_exits += 1;
            self.end(pid, steps);
        }
        Ok(())
    }

    /// The agent, or below it.
    fn is_own(&self, pid: u32, parents: &HashMap<u32, u32>) -> bool {
        let above = |pid: &u32| parents.get(pid).copied();
        std::iter::successors(Some(pid), above)
            .take(ANCESTORS_MAX)
            .any(|pid| pid == self.settings.own_pid)
    }

    fn found(&mut self, pid: u32, facts: Facts, own: bool, now: BootTime, steps: &mut Vec<Step>) {
        match self.processes.get(&pid) {
            Some(known) if !known.start.is(facts.started) => {
                self.counters.reused += 1;
                self.end(pid, steps);
            }
            Some(known) if runs_another(known, &facts) => {
                self.counters.missed_execs += 1;
                self.end(pid, steps);
            }
            Some(_) => {
                self.take_facts(pid, facts, now, steps);
                return;
            }
            None => {}
        }
        let started = facts.started;
        let Some(mut process) = self.blank(pid, Start::Read(started), started) else {
            return;
        };
        process.own = own;
        process.name.clone_from(&facts.name);
        self.read_container(&mut process);
        process.read_at = Some(now);
        let why = self.why_found(started);
        self.enter(process, Some(why), steps);
        self.take_facts(pid, facts, now, steps);
    }

    fn why_found(&self, started: BootTime) -> Why {
        if started < self.settings.observed_since {
            Why::PreExisting
        } else {
            Why::Unattributed
        }
    }

    /// Reads `/proc` for up to `limit` processes whose time has come.
    pub fn poll(&mut self, now: BootTime, limit: usize, steps: &mut Vec<Step>) {
        for _ in 0..limit {
            let Some(pid) = self.queue.pop(now) else {
                return;
            };
            self.adopt(pid, now, steps);
        }
    }

    /// When [`Self::poll`] has something to do next.
    pub fn next_due(&self) -> Option<BootTime> {
        self.queue.next_due()
    }

    /// Processes that wait for `/proc` to be read.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Has `/proc` read at the next [`Self::poll`] for a process that waits: one whose stacks are
    /// captured is worth knowing, also if it ends soon.
    pub fn adopt_soon(&mut self, pid: u32, now: BootTime) {
        if self
            .processes
            .get(&pid)
            .is_some_and(|process| process.ticket.is_some())
        {
            self.schedule(pid, now, None);
        }
    }

    fn adopt(&mut self, pid: u32, now: BootTime, steps: &mut Vec<Step>) {
        let Some(process) = self.processes.get_mut(&pid) else {
            return;
        };
        process.ticket = None;
        let start = process.start;
        let facts = match facts::read(&self.source, pid) {
            Ok(facts) if facts.zombie => {
                self.counters.vanished += 1;
                return;
            }
            Ok(facts) => facts,
            Err(_) => {
                // Its exit event is on its way, or was lost and a scan will find out.
                self.counters.vanished += 1;
                return;
            }
        };
        if !start.is(facts.started) {
            // The pid has gone to another; the events of that are on their way.
            self.counters.vanished += 1;
            return;
        }
        if facts.kernel_thread {
            self.end(pid, steps);
            return;
        }
        self.take_facts(pid, facts, now, steps);
    }

    /// Knows now what the process is: follows it or not, and has its ledger brought in line.
    fn take_facts(&mut self, pid: u32, facts: Facts, now: BootTime, steps: &mut Vec<Step>) {
        let Some(mut process) = self.processes.remove(&pid) else {
            return;
        };
        if let Some(ticket) = process.ticket.take() {
            self.queue.cancel(ticket);
        }
        let before = process.container.clone();
        if process.read_at != Some(now) {
            self.read_container(&mut process);
        }
        if matches!(process.start, Start::Before(_)) && process.reconcile == Some(Why::Unattributed)
        {
            process.reconcile = Some(self.why_found(facts.started));
        }
        process.start = Start::Read(facts.started);
        process.read_at = Some(now);
        process.parent = facts.parent;
        process.name = facts.name;
        process.executable = facts.executable;
        process.deleted = facts.deleted;
        process.namespace_pid = facts.namespace_pid;
        process.uid = facts.uid;
        process.width = facts.width;
        if before != process.container {
            steps.push(Step::Moved {
                process: process.handle,
            });
        }
        self.processes.insert(pid, process);
        self.settle(pid, steps);
    }

    /// By the cgroup of its events where that is known, else by its file.
    fn read_container(&mut self, process: &mut Process) {
        if let Some(known) = self.cgroups.known(process.cgroup) {
            process.container = Some(known);
        } else if let Ok((info, inode)) = self.cgroups.read(&self.source, process.pid) {
            process.container = Some(info);
            process.cgroup = inode.unwrap_or(process.cgroup);
        }
    }

    /// Brings the state of a process in line with what is known of it.
    fn settle(&mut self, pid: u32, steps: &mut Vec<Step>) {
        let Some(process) = self.processes.get(&pid) else {
            return;
        };
        let wanted = self.wanted(process);
        let followed = process.state.is_followed();
        if wanted == State::Observed {
            if !followed {
                self.follow(pid, steps);
            }
            self.reconcile(pid, steps);
        } else if process.state != wanted {
            self.unfollow(pid, wanted, steps);
        }
    }

    /// Followed, ignored or unsupported. Who shares an address space is treated as it was when it
    /// began to: leaving one of the users out would leave holes in the others' ledger.
    fn wanted(&self, process: &Process) -> State {
        if process.space.is_some_and(|space| self.is_shared(space)) {
            State::Observed
        } else if process.width == Width::Narrow {
            State::Unsupported
        } else if self.decide(process) == Decision::Ignore {
            State::Ignored
        } else {
            State::Observed
        }
    }

    fn follow(&mut self, pid: u32, steps: &mut Vec<Step>) {
        let space = self.new_space();
        if let Some(process) = self.processes.get_mut(&pid) {
            process.space = Some(space);
            process.state = State::Stale;
            process.reconcile = Some(Why::PreExisting);
            steps.push(Step::NewSpace {
                space,
                fresh: false,
            });
        }
        self.tell(pid, policy_of(State::Stale), steps);
    }

    fn unfollow(&mut self, pid: u32, state: State, steps: &mut Vec<Step>) {
        let Some(process) = self.processes.get_mut(&pid) else {
            return;
        };
        self.counters.unsupported += u64::from(state == State::Unsupported);
        process.state = state;
        process.reconcile = None;
        if let Some(space) = process.space.take() {
            self.part(space, steps);
        }
        self.tell(pid, policy_of(state), steps);
    }

    fn reconcile(&mut self, pid: u32, steps: &mut Vec<Step>) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.state != State::Counting
            && let (Some(space), Some(why)) = (process.space, process.reconcile.take())
        {
            steps.push(Step::Reconcile {
                pid,
                process: process.handle,
                space,
                why,
            });
        }
    }

    /// Has `/proc` read for it at `due` or before, and its ledger brought in line if there is a
    /// reason to. The first reason stays.
    pub(super) fn schedule(&mut self, pid: u32, due: BootTime, why: Option<Why>) {
        let Some(process) = self.processes.get_mut(&pid) else {
            return;
        };
        process.reconcile = process.reconcile.or(why);
        match process.ticket {
            Some(ticket) if ticket.due <= due => return,
            Some(ticket) => self.queue.cancel(ticket),
            None => {}
        }
        process.ticket = Some(self.queue.add(due, pid));
    }

    /// An event names another cgroup than the last one did.
    pub(super) fn move_to(&mut self, origin: &Origin, steps: &mut Vec<Step>) {
        let known = self.cgroups.known(origin.cgroup);
        let due = self.after(origin.time);
        let Some(process) = self.processes.get_mut(&origin.pid) else {
            return;
        };
        let read_without = process.cgroup == 0 && process.read_at.is_some();
        process.cgroup = origin.cgroup;
        match known {
            // Read from a v1 path: this is just the number of its v2 directory.
            None if read_without => {}
            None => self.schedule(origin.pid, due, None),
            Some(_) if known == process.container => {}
            Some(_) => {
                process.container = known;
                steps.push(Step::Moved {
                    process: process.handle,
                });
                self.schedule(origin.pid, due, None);
            }
        }
    }

    /// Operations of it were lost. Its ledger is brought in line at `due`.
    pub fn mark_stale(&mut self, pid: u32, due: BootTime) {
        if let Some(process) = self.processes.get_mut(&pid)
            && matches!(process.state, State::Observed | State::Stale)
        {
            process.state = State::Stale;
            self.schedule(pid, due, Some(Why::Unattributed));
        }
    }

    /// Has its ledger held against the maps at the next [`Self::poll`], though nothing was lost.
    pub fn audit(&mut self, pid: u32, now: BootTime) {
        let observed = |process: &Process| process.state == State::Observed;
        if self.processes.get(&pid).is_some_and(observed) {
            self.schedule(pid, now, Some(Why::Unattributed));
        }
    }

    /// The start or end of some process was lost: after a scan, all ledgers are in doubt.
    pub fn mark_all_stale(&mut self, due: BootTime) {
        let pids: Vec<u32> = self.processes.keys().copied().collect();
        for pid in pids {
            self.mark_stale(pid, due);
        }
    }

    /// The ledger of this life is in line again.
    pub fn reconciled(&mut self, handle: ProcessHandle) {
        let pid = self.by_handle(handle).map(|process| process.pid);
        if let Some(process) = pid.and_then(|pid| self.processes.get_mut(&pid))
            && process.state == State::Stale
            && process.reconcile.is_none()
        {
            process.state = State::Observed;
        }
    }

    /// It storms: from now on its operations are only counted.
    pub fn start_counting(&mut self, pid: u32, steps: &mut Vec<Step>) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.state.is_followed()
        {
            process.state = State::Counting;
            self.tell(pid, policy_of(State::Counting), steps);
        }
    }

    /// It has calmed down: it is followed again, and its ledger brought in line at `due`.
    pub fn stop_counting(&mut self, pid: u32, due: BootTime, steps: &mut Vec<Step>) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.state == State::Counting
        {
            process.state = State::Stale;
            self.tell(pid, policy_of(State::Stale), steps);
            self.schedule(pid, due, Some(Why::Unattributed));
        }
    }

    /// Replaces the filter and decides anew for all.
    pub fn set_filter(&mut self, filter: Filter, steps: &mut Vec<Step>) {
        self.filter = filter;
        let mut pids: Vec<u32> = self.processes.keys().copied().collect();
        pids.sort_unstable();
        for pid in pids {
            let Some(process) = self.processes.get(&pid) else {
                continue;
            };
            let wanted = self.wanted(process);
            if (wanted == State::Observed) != process.state.is_followed() {
                self.settle(pid, steps);
            }
        }
    }
}

/// The same process with another executable. Its old one was known only if it was read.
fn runs_another(known: &Process, facts: &Facts) -> bool {
    known.read_at.is_some() && !facts.executable.is_empty() && known.executable != facts.executable
}
