use proptest::prelude::*;

use super::*;
use crate::{
    connection::Behalf,
    event::{Backing, Operation},
    ids::StackId,
    ledger::Cause,
    profile::{Row, testing::info},
};

const PAGE: u64 = 4096;
const ONE: ProcessHandle = ProcessHandle(1);

fn stack(number: u32) -> OwnerKey {
    OwnerKey::Stack(StackId(number))
}

fn sampled(number: u32, inclusion: u32) -> Owner {
    Owner::Stack {
        stack: StackId(number),
        inclusion,
        behalf: Behalf::NOBODY,
    }
}

fn certain(number: u32) -> Owner {
    sampled(number, u32::MAX)
}

fn apply(table: &mut GrowthTable, handle: ProcessHandle, owner: Owner, pages: u64, freed: u64) {
    let change = Change {
        owner,
        committed: pages * PAGE,
        freed: freed * PAGE,
    };
    table.apply(handle, &change);
}

/// Without the rows that divide growth by on whose behalf it was.
fn by_owner(mut snapshot: Snapshot) -> Snapshot {
    snapshot.rows.retain(|(key, _)| key.owner.is_by_owner());
    snapshot
}

fn table(rows: usize) -> GrowthTable {
    let mut table = GrowthTable::new(TableLimits {
        rows,
        connection_rows: rows,
        exited: 2,
        groups: 2,
    });
    table.observe(ONE, info(100, "one"));
    table
}

fn row(snapshot: &Snapshot, owner: OwnerKey) -> Option<Row> {
    let mut rows = snapshot.rows.iter();
    rows.find(|(key, _)| key.owner == owner)
        .map(|(_, row)| *row)
}

#[test]
fn one_stack_with_different_chances_is_one_row() {
    let mut table = table(10);
    apply(&mut table, ONE, certain(7), 3, 0);
    apply(&mut table, ONE, sampled(7, 1 << 31), 4, 0);
    apply(&mut table, ONE, sampled(7, 1 << 31), 0, 1);
    apply(
        &mut table,
        ONE,
        Owner::Unsampled {
            behalf: Behalf::NOBODY,
        },
        10,
        0,
    );
    let snapshot = by_owner(table.snapshot(BootTime(5), |_| None));
    let row = row(&snapshot, stack(7)).expect("the stack's row");
    assert_eq!((row.allocated, row.freed), (11 * PAGE, 2 * PAGE));
    assert_eq!((row.live(), row.events), (9 * PAGE, 2));
    let totals = snapshot.processes[0].totals;
    assert_eq!((totals.allocated, totals.freed), (17 * PAGE, PAGE));
    assert_eq!(snapshot.rows.len(), 1, "what was not captured has no row");
}

#[test]
fn a_full_table_folds_and_frees_from_the_fold() {
    let mut table = table(1);
    for (number, pages) in [(1, 2), (2, 3), (3, 5)] {
        apply(&mut table, ONE, certain(number), pages, 0);
    }
    apply(&mut table, ONE, certain(3), 0, 4);
    let snapshot = table.snapshot(BootTime(5), |_| None);
    let folded = row(&snapshot, OwnerKey::Folded).expect("the fold");
    assert_eq!((folded.allocated, folded.freed), (8 * PAGE, 4 * PAGE));
    assert_eq!(row(&snapshot, stack(1)).expect("kept").live(), 2 * PAGE);
    assert_eq!(row(&snapshot, stack(2)), None);
    assert_eq!(table.status().folded_changes, 2);
    assert_eq!(table.status().unmatched_freed_bytes, 0);
}

#[test]
fn ages_come_from_the_ledger() {
    let mut table = table(1);
    apply(&mut table, ONE, certain(1), 1, 0);
    apply(&mut table, ONE, certain(2), 1, 0);
    let part = |number, oldest, newest| OwnerFold {
        owner: stack(number),
        oldest: BootTime(oldest),
        newest: BootTime(newest),
    };
    let fold = ProcessFold {
        committed: 2 * PAGE,
        mappings: 2,
        owners: vec![part(1, 30, 40), part(1, 20, 25), part(2, 5, 6)],
        ..ProcessFold::default()
    };
    let entry = table.entry(ONE, Some(&fold)).expect("known");
    let snapshot = table.snapshot(BootTime(50), |_| Some(fold.clone()));
    assert_eq!(snapshot.processes, [entry]);
    assert_eq!(table.entry(ProcessHandle(9), None), None);
    let ages = |owner| row(&snapshot, owner).map(|row| (row.oldest.0, row.newest.0));
    assert_eq!(ages(stack(1)), Some((20, 40)));
    assert_eq!(ages(OwnerKey::Folded), Some((5, 6)));
    assert_eq!(snapshot.processes[0].totals.committed, 2 * PAGE);

    let later = table.snapshot(BootTime(60), |_| None);
    assert_eq!(row(&later, stack(1)).map(|row| row.oldest.0), Some(0));
}

#[test]
fn too_many_ended_processes_become_one() {
    let mut table = table(10);
    for number in 2..6 {
        let handle = ProcessHandle(number);
        table.observe(handle, info(100 + number, "short"));
        apply(&mut table, handle, certain(number % 2), 3, 0);
        apply(&mut table, handle, certain(number % 2), 0, 3);
        table.exited(handle, BootTime(u64::from(number) * 10));
    }
    assert_eq!(table.status().exited_grouped, 2);
    assert_eq!((table.status().processes, table.status().rows), (4, 4));
    table.group_exited_before(BootTime(50));
    assert_eq!((table.status().processes, table.status().rows), (3, 3));

    let snapshot = by_owner(table.snapshot(BootTime(60), |_| None).sorted());
    let group = snapshot.processes.last().expect("the group");
    assert!(group.info.is_group());
    let facts = (group.info.name.as_str(), group.info.exited);
    assert_eq!(facts, ("short", Some(BootTime(40))));
    assert_eq!(group.totals.allocated, 9 * PAGE);
    assert_eq!(group.totals.live(), 0);
    let rows = snapshot.rows.iter();
    let rows = rows.filter(|(key, _)| key.process == group.handle);
    let rows: Vec<_> = rows
        .map(|(key, row)| (key.owner, row.allocated / PAGE, row.live(), row.events))
        .collect();
    assert_eq!(rows, [(stack(0), 6, 0, 2), (stack(1), 3, 0, 1)]);

    apply(
        &mut table,
        ProcessHandle(2),
        Owner::Unsampled {
            behalf: Behalf::NOBODY,
        },
        1,
        0,
    );
    assert_eq!(table.status().unknown_process, 1);
}

#[test]
fn a_process_that_was_left_out_and_taken_in_again_is_not_grouped() {
    let mut table = table(10);
    apply(&mut table, ONE, certain(1), 1, 0);
    table.exited(ONE, BootTime(10));
    table.observe(ONE, info(100, "one"));
    table.group_exited_before(BootTime(11));
    apply(&mut table, ONE, certain(1), 2, 0);
    let status = table.status();
    assert_eq!((status.exited_grouped, status.unknown_process), (0, 0));
    let snapshot = table.snapshot(BootTime(20), |_| None);
    let live = row(&snapshot, stack(1)).map(|row| row.live());
    assert_eq!(live, Some(3 * PAGE));

    table.exited(ONE, BootTime(30));
    table.group_exited_before(BootTime(31));
    assert_eq!(table.status().exited_grouped, 1, "it has really ended now");
}

#[test]
fn groups_make_room_for_what_is_live() {
    let mut table = table(2);
    for number in 2..9 {
        let handle = ProcessHandle(number);
        table.observe(handle, info(100 + number, &format!("name{number}")));
        apply(&mut table, handle, certain(number), 1, 1);
        table.exited(handle, BootTime(10));
    }
    table.group_exited_before(BootTime(11));
    assert_eq!(table.status().exited_grouped, 7);
    apply(&mut table, ONE, certain(1), 1, 0);
    let snapshot = table.snapshot(BootTime(20), |_| None);
    let live = row(&snapshot, stack(1)).map(|row| row.live());
    assert_eq!(live, Some(PAGE), "it has a row of its own");
    assert!(table.status().groups_dropped > 0);
}

#[test]
fn quiet_rows_are_dropped_when_asked() {
    let mut table = table(4);
    apply(&mut table, ONE, certain(1), 1, 1);
    apply(&mut table, ONE, certain(2), 2, 1);
    table.snapshot(BootTime(10), |_| None);
    apply(&mut table, ONE, certain(3), 1, 1);
    assert!(table.is_nearly_full());
    assert_eq!(table.stacks().len(), 3);
    table.forget_quiet_since(BootTime(10));
    assert_eq!(
        table.status().quiet_dropped,
        0,
        "changed at that time or since"
    );
    table.forget_quiet_since(BootTime(11));
    let snapshot = by_owner(table.snapshot(BootTime(20), |_| None).sorted());
    let left: Vec<_> = snapshot.rows.iter().map(|(key, _)| key.owner).collect();
    assert_eq!(left, [stack(2), stack(3)]);
    assert_eq!(table.status().quiet_dropped, 1);
    assert_eq!(snapshot.processes[0].totals.allocated, 4 * PAGE);
}

proptest! {
    #[test]
    fn live_is_demanded_less_given_back(
        changes in prop::collection::vec((0..4_u32, 0..8_u32, 1..u32::MAX, 0..50_u64, 0..50_u64), 0..200),
        limit in 1..12_usize,
    ) {
        let mut table = GrowthTable::new(TableLimits { rows: limit, connection_rows: limit, exited: 4, groups: 4 });
        for number in 0..4 {
            table.observe(ProcessHandle(number), info(number, "p"));
        }
        let mut exact = [(0_u64, 0_u64); 4];
        for (process, owner, inclusion, committed, freed) in changes {
            let owner = match owner {
                0 => Owner::Unsampled { behalf: Behalf::NOBODY },
                1 => Owner::PreExisting,
                number => sampled(number, inclusion),
            };
            let totals = &mut exact[process as usize];
            totals.0 += committed * PAGE;
            totals.1 += (freed * PAGE).min(totals.0 - totals.1);
            apply(&mut table, ProcessHandle(process), owner, committed, freed);
        }
        let snapshot = table.snapshot(BootTime(1), |_| None);
        for (_, row) in &snapshot.rows {
            prop_assert!(row.freed <= row.allocated);
            prop_assert_eq!(row.live(), row.allocated - row.freed);
        }
        let stacks = snapshot.rows.iter().filter(|(key, _)| key.owner.stack().is_some());
        prop_assert!(stacks.count() <= limit);
        for entry in &snapshot.processes {
            let totals = exact[entry.handle.0 as usize];
            prop_assert_eq!((entry.totals.allocated, entry.totals.freed), totals);
        }
    }
}

#[test]
fn a_ledger_played_through_and_a_fork_agree_with_the_table() {
    let mut table = table(10);
    let mut space = AddressSpace::new();
    let mut changes = Vec::new();
    let cause = |owner, time| Cause {
        thread: 1,
        owner,
        time: BootTime(time),
    };
    let map = |start, pages| Operation::Map {
        start,
        length: pages * PAGE,
        backing: Backing::Anonymous,
        writable: true,
    };
    let unmap = Operation::Unmap {
        start: 0x11_000,
        length: 2 * PAGE,
    };
    for (owner, time, operation) in [
        (sampled(1, 1 << 31), 10, map(0x10_000, 8)),
        (
            Owner::Unsampled {
                behalf: Behalf::NOBODY,
            },
            5,
            map(0x80_000, 4),
        ),
        (
            Owner::Unsampled {
                behalf: Behalf::NOBODY,
            },
            20,
            unmap,
        ),
    ] {
        assert!(
            !space
                .apply(&operation, cause(owner, time), &mut changes)
                .needs_reconcile()
        );
    }
    for change in &changes {
        table.apply(ONE, change);
    }
    let child = ProcessHandle(2);
    table.observe(child, info(101, "child"));
    table.inherit(child, &space);

    let snapshot = table.snapshot(BootTime(30), |_| Some(ProcessFold::new(&space, 3, 0)));
    let snapshot = by_owner(snapshot);
    for (process, allocated, inherited, events) in [(ONE, 16, 0, 1), (child, 0, 12, 0)] {
        let mut rows = snapshot
            .rows
            .iter()
            .filter(|(key, _)| key.process == process);
        let (key, row) = rows.next().expect("one row for the stack");
        assert_eq!((key.owner, row.allocated), (stack(1), allocated * PAGE));
        assert_eq!(row.inherited, inherited * PAGE);
        assert_eq!((row.live(), row.events), (12 * PAGE, events));
        assert_eq!((row.oldest, rows.next()), (BootTime(10), None));
    }
    for entry in &snapshot.processes {
        let totals = entry.totals;
        assert_eq!((totals.live(), totals.committed), (10 * PAGE, 10 * PAGE));
        assert_eq!((totals.oldest, totals.operations), (BootTime(5), 3));
    }

    // The child adds to what one stack has, ends, and leaves only what it did itself.
    apply(&mut table, child, certain(2), 1, 1);
    apply(&mut table, child, sampled(1, 1 << 31), 0, 6);
    apply(
        &mut table,
        child,
        Owner::Unsampled {
            behalf: Behalf::NOBODY,
        },
        0,
        4,
    );
    table.exited(child, BootTime(40));
    assert_eq!(
        (table.status().rows, table.status().unmatched_freed_bytes),
        (2, 0)
    );
    let after = by_owner(table.snapshot(BootTime(50), |_| None));
    let mut rows = after.rows.iter().filter(|(key, _)| key.process == child);
    let left = rows.next().map(|(key, row)| (key.owner, row.allocated));
    assert_eq!((left, rows.next()), (Some((stack(2), PAGE)), None));
    let mut entries = after.processes.iter();
    let totals = entries
        .find(|entry| entry.handle == child)
        .expect("the child")
        .totals;
    assert_eq!((totals.allocated, totals.inherited), (PAGE, 10 * PAGE));
    assert_eq!((totals.freed, totals.live()), (11 * PAGE, 0));

    let growth = crate::profile::Growth::between(&snapshot, &after, &HashMap::new());
    let mut rows = growth.rows.iter();
    let row = rows.find(|(key, _)| key.process == child && key.owner == stack(1));
    let figures = row.expect("it gave back what it had").1;
    assert_eq!((figures.allocated, figures.freed), (0, 12 * PAGE));
}

#[test]
fn a_full_table_puts_ended_processes_together_before_it_drops_any() {
    let mut table = GrowthTable::new(TableLimits {
        rows: 3,
        connection_rows: 3,
        exited: 10,
        groups: 10,
    });
    table.observe(ONE, info(100, "one"));
    for number in 2..5 {
        let handle = ProcessHandle(number);
        table.observe(handle, info(100 + number, "short"));
        apply(&mut table, handle, certain(9), 1, 1);
        table.exited(handle, BootTime(10));
    }
    apply(&mut table, ONE, certain(1), 1, 0);
    let status = table.status();
    assert_eq!((status.exited_grouped, status.groups_dropped), (2, 0));
    assert_eq!((status.rows, status.folded_changes), (3, 0));
}

fn on(cookie: u64) -> Behalf {
    let served = crate::event::Served {
        connection: Some(Cookie(cookie)),
        ..crate::event::Served::default()
    };
    Behalf::of(&served, || false)
}

fn served(stack: u32, cookie: u64) -> Owner {
    Owner::Stack {
        stack: StackId(stack),
        inclusion: 1 << 31,
        behalf: on(cookie),
    }
}

#[test]
fn growth_by_connection_is_exact_and_by_stack_of_one_an_estimate() {
    let mut table = table(10);
    apply(&mut table, ONE, served(1, 7), 3, 1);
    apply(&mut table, ONE, Owner::Unsampled { behalf: on(7) }, 4, 0);
    apply(
        &mut table,
        ONE,
        Owner::Unsampled {
            behalf: Behalf::HELPER,
        },
        2,
        0,
    );
    apply(&mut table, ONE, Owner::PreExisting, 9, 0);
    let snapshot = table.snapshot(BootTime(5), |_| None);
    let figures =
        |owner| row(&snapshot, owner).map(|row| (row.allocated / PAGE, row.live() / PAGE));
    let behalf = |key| figures(OwnerKey::Behalf(key));
    assert_eq!(behalf(BehalfKey::Connection(Cookie(7))), Some((7, 6)));
    assert_eq!(behalf(BehalfKey::Helper), Some((2, 2)));
    assert_eq!(behalf(BehalfKey::Nobody), None);
    let on_connection = OwnerKey::OnConnection(Cookie(7), StackId(1));
    assert_eq!(figures(on_connection), Some((6, 4)));
    assert_eq!(table.status().connection_rows, 3);
}

#[test]
fn a_folded_connection_leaves_its_figures_with_its_peer() {
    let mut table = table(10);
    for cookie in [7, 8] {
        apply(&mut table, ONE, served(1, cookie), 3, 3);
    }
    apply(&mut table, ONE, served(2, 8), 1, 0);
    let peer = BehalfKey::Peer(crate::connection::PeerId(1));
    table.fold_connection(ONE, Cookie(7), peer);
    table.fold_connection(ONE, Cookie(8), BehalfKey::Folded);
    let before_free = table.snapshot(BootTime(5), |_| None);
    let live = |snapshot: &Snapshot, key| {
        let row = row(snapshot, OwnerKey::Behalf(key)).expect("a row");
        (row.allocated / PAGE, row.live() / PAGE)
    };
    assert_eq!(live(&before_free, peer), (3, 0));
    assert_eq!(live(&before_free, BehalfKey::Folded), (4, 1));
    assert_eq!(
        table.status().connection_rows,
        2,
        "its stacks have no rows any more"
    );
    apply(&mut table, ONE, served(2, 8), 0, 1);
    let after = table.snapshot(BootTime(6), |_| None);
    assert_eq!(
        live(&after, BehalfKey::Folded),
        (4, 0),
        "freed from where it went"
    );
}

#[test]
fn connections_beyond_the_bound_share_a_row() {
    let mut table = table(2);
    for cookie in 1..=5 {
        apply(
            &mut table,
            ONE,
            Owner::Unsampled { behalf: on(cookie) },
            1,
            0,
        );
    }
    let snapshot = table.snapshot(BootTime(5), |_| None);
    let folded = row(&snapshot, OwnerKey::Behalf(BehalfKey::Folded)).expect("a row");
    assert_eq!(folded.allocated, 3 * PAGE);
    assert_eq!(table.status().folded_connection_changes, 3);
}
