//! Carries out what the process table asks for.

use std::{
    fs::File,
    io::{self, Read as _},
};

use super::{Pipeline, SECOND, clock};
use crate::{
    ids::{BootTime, ProcessHandle},
    ledger::Owner,
    process::{Policy, Process, SpaceId, Step, Why, maps},
};

/// Most bytes taken of one `/proc/PID/maps`: room for the kernel's default of 65,530 mappings
/// with long names.
const MAPS_MAX: u64 = 32 << 20;

/// From maps that could not be read to the next try.
const TRY_AGAIN: u64 = 10 * SECOND;

impl Pipeline {
    /// Does all steps that have gathered, in order.
    pub(super) fn carry_out(&mut self) {
        if self.steps.is_empty() {
            return;
        }
        let mut steps = std::mem::take(&mut self.steps);
        for step in steps.drain(..) {
            self.step(step);
        }
        // Carrying out a step asks for no others; the allocation is kept.
        self.steps = steps;
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::NewSpace { space, fresh } => self.spaces.create(space, fresh),
            Step::CloneSpace { from, to } => {
                self.losses.forks_not_copied += u64::from(!self.spaces.copy(from, to));
            }
            Step::DropSpace { space } => self.spaces.drop_space(space, &mut self.books),
            Step::Reconcile {
                pid,
                process,
                space,
                why,
            } => {
                self.reconcile(pid, process, space, why);
            }
            Step::SetPolicy { pid, policy } => {
                if policy != Policy::Observe {
                    self.forget_pages(pid);
                }
                self.tell_kernel(pid, policy.to_abi());
            }
            Step::Moved { process } => {
                if let Some(known) = self.table.by_handle(process) {
                    self.books.growth.observe(
                        process,
                        super::snapshot::target_info(known, &self.settings.node),
                    );
                }
            }
            Step::Ended(process) => self.ended(&process),
            Step::Gone { pid } => {
                self.kernel.control.forget(pid);
                self.budget.forget(pid);
                self.storms.forget(pid);
                self.lost_before.remove(&pid);
                self.given_up.remove(&pid);
            }
        }
    }

    fn ended(&mut self, process: &Process) {
        self.spaces.unbind(process.handle, &mut self.books);
        self.books.growth.exited(process.handle, clock::now());
        self.stacks.forget(process.handle);
        self.recently_ended
            .add(process.pid, process.handle, clock::now());
    }

    fn reconcile(&mut self, pid: u32, process: ProcessHandle, space: SpaceId, why: Why) {
        self.introduce(process, space);
        // A vfork child reads as its parent, whose space it uses.
        let answers = self.spaces.answers(space);
        let answers = answers.and_then(|process| self.table.by_handle(process));
        let owner = answers.map_or(pid, |process| process.pid);
        let began = clock::now();
        let allowed = self.spaces.reconcile_after(space);
        if began < allowed {
            self.table.mark_stale(pid, allowed);
            return;
        }
        let text = read_maps(owner);
        let parsed = match &text {
            Ok(text) => maps::parse(text),
            Err(_) => maps::parse(&[]),
        };
        // None are left of a process that is ending, and lines that make no sense mean that the
        // text is not whole: what is missing from it may well be mapped.
        if parsed.entries.is_empty() || parsed.rejected > 0 {
            self.losses.mappings_rejected += parsed.rejected as u64;
            self.losses.maps_unreadable += u64::from(parsed.entries.is_empty());
            self.spaces.reconciled(space, began, clock::now());
            self.table.mark_stale(pid, BootTime(began.0 + TRY_AGAIN));
            return;
        }
        let owner = match why {
            Why::PreExisting => Owner::PreExisting,
            Why::ExecImage => Owner::ExecImage,
            Why::Unattributed => Owner::Unattributed,
        };
        let drift = self
            .spaces
            .reconcile(space, &parsed.entries, owner, began, &mut self.books);
        if why == Why::Unattributed {
            self.losses.drift_bytes += drift.committed + drift.decommitted;
        }
        self.spaces.reconciled(space, began, clock::now());
        self.table.reconciled(process);
    }
}

/// The mappings of a process, as text.
fn read_maps(pid: u32) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(format!("/proc/{pid}/maps"))?
        .take(MAPS_MAX)
        .read_to_end(&mut text)?;
    Ok(text)
}
