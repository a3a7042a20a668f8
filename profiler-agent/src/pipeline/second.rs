//! What is done once a second: counters and losses, storms, the capture budget, audits.

use std::collections::HashMap;

use profiler_common::counter;
use tracing::warn;

use super::{
    Pipeline, SECOND,
    budget::Adjusted,
    storm::{Demand, Verdict},
};
use crate::{ids::BootTime, process::State};

/// From the discovery of a loss to the reading of the maps: what is in the ring by then is older.
const SETTLE: u64 = SECOND / 2;
/// Every ledger is held against `/proc/PID/maps` once in so many seconds. That finds what changes
/// without an event: stacks that grow by page fault, operations of 32-bit code.
const AUDIT_ROUND: usize = 60;

impl Pipeline {
    pub(super) fn second(&mut self, now: BootTime) {
        self.reload_filter();
        self.kernel.log();
        self.names.reap();
        self.count(now);
        self.audit(now);
        self.waiting.expire(now);
        self.kills.expire(now);
        if self.stacks.wants_retain() || self.books.growth.is_nearly_full() {
            self.forget_stacks();
        }
        self.look_at_sockets(now);
        self.bound_ledgers(now);
        self.operations.clear();
    }

    fn count(&mut self, now: BootTime) {
        let before = self.counters;
        match self.kernel.control.counters() {
            Ok(counters) => self.counters = counters,
            Err(error) => {
                warn!(%error, "the kernel side's counters cannot be read");
                return;
            }
        }
        let after = self.counters;
        let grew = |index: u32| after[index as usize] != before[index as usize];
        if grew(counter::LIFE_LOST) {
            self.read_again(now);
        }
        let overflowed = grew(counter::EVENTS_LOST);
        let lost = if overflowed || grew(counter::OPERATIONS_COUNTED) {
            self.newly_lost(now)
        } else {
            HashMap::new()
        };
        self.judge_storms(&lost, overflowed, now);
    }

    /// The start or end of a process was lost: the table is compared with `/proc`, and every
    /// ledger is in doubt.
    fn read_again(&mut self, now: BootTime) {
        self.losses.rescans += 1;
        if let Err(error) = self.scan(now) {
            warn!(%error, "after the loss of a process's start or end");
        }
        self.table.mark_all_stale(BootTime(now.0 + SETTLE));
    }

    /// Operations that the kernel could not send or only counted in the last second, by process.
    /// Ledgers of processes that should have been followed are brought in line.
    fn newly_lost(&mut self, now: BootTime) -> HashMap<u32, u64> {
        let mut newly = HashMap::new();
        for (pid, lost) in self.kernel.control.losses() {
            let Some(process) = self.table.get(pid) else {
                continue;
            };
            let (state, space) = (process.state, process.space);
            let before = self.lost_before.insert(pid, lost).unwrap_or(0);
            // An exec sets the kernel's count back.
            let more = lost.checked_sub(before).unwrap_or(lost);
            if more == 0 {
                continue;
            }
            newly.insert(pid, more);
            if let Some(space) = space {
                self.spaces.add_lost(space, more);
            }
            if state != State::Counting {
                self.table.mark_stale(pid, BootTime(now.0 + SETTLE));
            }
        }
        newly
    }

    fn judge_storms(&mut self, lost: &HashMap<u32, u64>, overflowed: bool, now: BootTime) {
        let mut demands = self.operations.clone();
        for (&pid, &more) in lost {
            *demands.entry(pid).or_default() += more;
        }
        let demands: Vec<Demand> = demands
            .into_iter()
            .filter(|(pid, _)| self.table.get(*pid).is_some())
            .map(|(pid, operations)| Demand { pid, operations })
            .collect();
        for verdict in self.storms.second(&demands, overflowed) {
            match verdict {
                Verdict::Cut(pid) => self.table.start_counting(pid, &mut self.steps),
                // One that was given up stays so until there is room.
                Verdict::Restore(pid) if self.given_up.contains(&pid) => {}
                Verdict::Restore(pid) => self.follow_again(pid, now),
            }
        }
        self.carry_out();
    }

    fn follow_again(&mut self, pid: u32, now: BootTime) {
        let due = BootTime(now.0 + SETTLE);
        self.table.stop_counting(pid, due, &mut self.steps);
    }

    /// Done several times a second: a process that begins to demand much is slowed down before it
    /// has cost much.
    pub(super) fn adjust_budget(&mut self) {
        let table = &self.table;
        let lives = |pid| table.get(pid).is_some();
        let adjustments = self.budget.window(&self.captured, lives);
        let control = &mut self.kernel.control;
        let mut refused = 0;
        if let Some(interval) = adjustments.default {
            refused += u64::from(control.set_interval(interval).is_err());
        }
        for Adjusted { pid, interval } in adjustments.processes {
            // The map must not get an entry that nobody takes out.
            if self.table.get(pid).is_some() {
                let interval = interval.unwrap_or(0);
                refused += u64::from(control.set_process_interval(pid, interval).is_err());
            }
        }
        self.losses.policies_refused += refused;
        self.captured.clear();
    }

    /// Has the next few processes of the round checked.
    fn audit(&mut self, now: BootTime) {
        let mut pids: Vec<u32> = self
            .table
            .iter()
            .filter(|process| process.state == State::Observed && process.space.is_some())
            .map(|process| process.pid)
            .collect();
        pids.sort_unstable();
        let share = pids.len().div_ceil(AUDIT_ROUND);
        let next = pids.partition_point(|&pid| pid <= self.audited);
        for &pid in pids[next..].iter().chain(&pids[..next]).take(share) {
            self.table.audit(pid, now);
            self.audited = pid;
        }
    }

    /// Ledgers can only grow as far as the kernel lets processes map, which is far for many
    /// processes together: beyond the bound the largest is given up, and counted.
    fn bound_ledgers(&mut self, now: BootTime) {
        while self.spaces.ranges() > self.settings.ranges_max {
            let Some((process, space)) = self.spaces.largest() else {
                return;
            };
            self.spaces.empty(space, &mut self.books);
            let Some(pid) = self.table.by_handle(process).map(|process| process.pid) else {
                continue;
            };
            warn!(
                pid,
                "the ledgers are full: this process is only counted from now on"
            );
            self.losses.ledgers_full += 1;
            self.given_up.insert(pid);
            self.table.start_counting(pid, &mut self.steps);
            self.carry_out();
        }
        if self.spaces.ranges() < self.settings.ranges_max / 2 {
            for pid in std::mem::take(&mut self.given_up) {
                self.follow_again(pid, now);
            }
            self.carry_out();
        }
    }

    /// Forgets stacks that nothing refers to any more.
    fn forget_stacks(&mut self) {
        if let Some(oldest) = super::lock(&self.links.history).status().oldest {
            self.books.growth.forget_quiet_since(oldest);
        }
        // Every row of the history is a row of the table, as long as the history keeps it.
        let mut live = self.books.growth.stacks();
        live.extend(self.waiting.stacks());
        self.stacks.retain(&live);
    }
}
