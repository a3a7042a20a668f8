//! How what stacks and ledgers say adds up to what the kernel counts.
//!
//! The kernel counts anonymous pages that are resident or swapped out; a ledger counts committed bytes,
//! touched or not. With `live` the ledgers' live bytes and `stack` the sum over stacks, both over the
//! processes of one group, the unattributed share of the kernel's figure `K` is
//! `max(K - stack, 0) / K`. Its causes overlap, and are told as they are, each up to `K`, but for
//! `not_touched`, which explains the other direction.

use std::{cmp::Reverse, collections::HashMap};

use profiler_proto::v1::{self, reconciliation::Cause};

use super::{Figures, Group};
use crate::profile::{OwnerKey, ProcessEntry, Snapshot, TargetState};

/// Causes that are told.
const CAUSES_MAX: usize = 5;

/// Sums over the rows and processes of one group, in bytes.
#[derive(Debug, Default)]
struct Sums {
    ledger: u64,
    stack: u64,
    pre_existing: u64,
    exec_image: u64,
    unattributed: u64,
    folded: u64,
    inherited: u64,
    /// Processes that the ledger does not follow now.
    unfollowed: u64,
}

/// Sets groups' own figures against the rows of their processes in a snapshot of the same time, each
/// row once for all of them.
pub fn reconcile(of: &[(&Figures, &Group)], snapshot: &Snapshot) -> Vec<v1::Reconciliation> {
    let groups = of.iter().map(|(_, group)| *group);
    let sums = sums(groups, snapshot);
    let each = of.iter().zip(&sums);
    each.map(|((figures, _), sums)| one(figures, sums))
        .collect()
}

fn one(figures: &Figures, sums: &Sums) -> v1::Reconciliation {
    let kernel = figures.series_bytes();
    let missing = kernel.saturating_sub(sums.stack);
    let share = match kernel {
        0 => 0.0,
        kernel => missing as f64 / kernel as f64,
    };
    v1::Reconciliation {
        kernel_anon_bytes: kernel,
        ledger_live_bytes: sums.ledger,
        stack_live_bytes: sums.stack,
        stack_resident_bytes: None,
        unattributed_share: share,
        causes: sums.causes(kernel),
    }
}

fn sums<'a>(groups: impl Iterator<Item = &'a Group>, snapshot: &Snapshot) -> Vec<Sums> {
    let (mut sums, mut group_of) = (Vec::new(), HashMap::new());
    for group in groups {
        let handles = group.members.iter().map(|member| member.handle);
        group_of.extend(handles.map(|handle| (handle, sums.len())));
        sums.push(Sums::default());
    }
    if sums.is_empty() {
        return sums;
    }
    for entry in &snapshot.processes {
        if let Some(&at) = group_of.get(&entry.handle) {
            sums[at].add_process(entry);
        }
    }
    for (key, row) in &snapshot.rows {
        if let Some(&at) = group_of.get(&key.process) {
            sums[at].add_row(key.owner, row.live());
        }
    }
    sums
}

impl Sums {
    fn add_process(&mut self, entry: &ProcessEntry) {
        let totals = &entry.totals;
        add(&mut self.ledger, totals.live());
        add(&mut self.inherited, totals.inherited.min(totals.live()));
        self.unfollowed += u64::from(entry.info.state != TargetState::Observed);
    }

    fn add_row(&mut self, owner: OwnerKey, live: u64) {
        match owner {
            OwnerKey::Stack(_) => add(&mut self.stack, live),
            OwnerKey::PreExisting => add(&mut self.pre_existing, live),
            OwnerKey::ExecImage => add(&mut self.exec_image, live),
            OwnerKey::Unattributed => add(&mut self.unattributed, live),
            OwnerKey::Folded => add(&mut self.folded, live),
            // They divide the same bytes once more.
            OwnerKey::Behalf(_) | OwnerKey::OnConnection(..) => {}
        }
    }

    /// Largest first.
    fn causes(&self, kernel: u64) -> Vec<Cause> {
        let unobserved = kernel.saturating_sub(self.ledger);
        let not_touched = self.ledger.saturating_sub(kernel);
        let within = |bytes: u64| bytes.min(kernel);
        let followed = match self.unfollowed {
            0 => "memory of processes that are not observed, or that no ledger knows".to_owned(),
            some => {
                format!("memory that no ledger knows: {some} of its processes are not followed now")
            }
        };
        let causes = [
            cause(
                "pre_existing",
                within(self.pre_existing),
                "there before observation began",
            ),
            cause(
                "exec_image",
                within(self.exec_image),
                "set up by the kernel in execve",
            ),
            cause(
                "unattributed",
                within(self.unattributed),
                "appeared without an event that was seen",
            ),
            cause(
                "folded",
                within(self.folded),
                "demanded by stacks for which a table had no room",
            ),
            cause(
                "shared_by_fork",
                within(self.inherited),
                "a parent's when it forked: in the ledger of each, counted once by the kernel",
            ),
            cause("unobserved", unobserved, &followed),
            cause(
                "not_touched",
                not_touched,
                "committed and not resident: never touched, or shared with another process",
            ),
        ];
        let mut causes: Vec<_> = causes.into_iter().filter(|cause| cause.bytes > 0).collect();
        causes.sort_by_key(|cause| Reverse(cause.bytes));
        causes.truncate(CAUSES_MAX);
        causes
    }
}

fn cause(name: &str, bytes: u64, meaning: &str) -> Cause {
    Cause {
        name: name.to_owned(),
        bytes,
        meaning: meaning.to_owned(),
    }
}

fn add(sum: &mut u64, bytes: u64) {
    *sum = sum.saturating_add(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{ProcessHandle, StackId},
        profile::{Row, RowKey},
        resident::tests::{groups, tree::entry},
    };

    fn row(pid: u32, owner: OwnerKey, live: u64) -> (RowKey, Row) {
        let process = ProcessHandle(pid);
        let row = Row {
            allocated: live + 1,
            freed: 1,
            ..Row::default()
        };
        (RowKey { process, owner }, row)
    }

    /// One container with two processes, and another beside it.
    fn snapshot() -> Snapshot {
        let unit = "/system.slice/a.service";
        Snapshot {
            processes: vec![
                entry(1, unit, 700),
                entry(2, unit, 100),
                entry(3, "/system.slice/b.service", 50),
            ],
            rows: vec![
                row(1, OwnerKey::Stack(StackId(1)), 400),
                row(1, OwnerKey::PreExisting, 250),
                row(1, OwnerKey::ExecImage, 50),
                row(
                    1,
                    OwnerKey::OnConnection(crate::ids::Cookie(1), StackId(1)),
                    400,
                ),
                row(2, OwnerKey::Stack(StackId(1)), 100),
                row(3, OwnerKey::Stack(StackId(1)), 50),
            ],
            ..Snapshot::default()
        }
    }

    fn against(kernel: u64) -> (v1::Reconciliation, Vec<(String, u64)>) {
        let snapshot = snapshot();
        let group = &groups(&snapshot).groups[0];
        let figures = Figures {
            anon: kernel - 10,
            swap: 10,
            ..Figures::default()
        };
        let found = reconcile(&[(&figures, group)], &snapshot).remove(0);
        let causes = found.causes.iter();
        let causes = causes
            .map(|cause| (cause.name.clone(), cause.bytes))
            .collect();
        (found, causes)
    }

    fn named(causes: &[(&str, u64)]) -> Vec<(String, u64)> {
        causes
            .iter()
            .map(|&(name, bytes)| (name.to_owned(), bytes))
            .collect()
    }

    #[test]
    fn what_no_stack_stands_for_has_its_causes_largest_first() {
        let (found, causes) = against(1000);
        assert_eq!(found.kernel_anon_bytes, 1000);
        assert_eq!(
            (found.ledger_live_bytes, found.stack_live_bytes),
            (800, 500)
        );
        assert_eq!(found.unattributed_share, 0.5);
        assert_eq!(
            causes,
            named(&[
                ("pre_existing", 250),
                ("unobserved", 200),
                ("exec_image", 50)
            ])
        );
    }

    #[test]
    fn of_several_groups_each_has_its_own_rows() {
        let snapshot = snapshot();
        let groups = groups(&snapshot).groups;
        let figures = Figures::default();
        let of: Vec<_> = groups.iter().map(|group| (&figures, group)).collect();
        let found = reconcile(&of, &snapshot);
        let stacks = found.iter().map(|one| one.stack_live_bytes);
        assert_eq!(stacks.collect::<Vec<_>>(), [500, 50]);
        assert!(reconcile(&[], &snapshot).is_empty());
    }

    #[test]
    fn what_is_committed_and_not_resident_is_told() {
        let (found, causes) = against(200);
        assert_eq!(found.unattributed_share, 0.0);
        assert_eq!(
            causes,
            named(&[
                ("not_touched", 600),
                ("pre_existing", 200),
                ("exec_image", 50)
            ])
        );
    }
}
