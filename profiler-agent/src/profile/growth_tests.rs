use std::collections::HashMap;

use profiler_analysis::Figures;

use crate::{
    connection::Behalf,
    ids::{BootTime, ProcessHandle, StackId},
    ledger::{Change, Owner},
    profile::{Growth, GrowthTable, Snapshot, TableLimits, testing::info},
};

const PAGE: u64 = 4096;

fn apply(table: &mut GrowthTable, process: u32, committed: u64, freed: u64) {
    let owner = Owner::Stack {
        stack: StackId(1),
        inclusion: u32::MAX,
        behalf: Behalf::NOBODY,
    };
    let change = Change {
        owner,
        committed: committed * PAGE,
        freed: freed * PAGE,
    };
    table.apply(ProcessHandle(process), &change);
}

#[test]
fn putting_ended_processes_together_is_no_demand() {
    let limits = TableLimits {
        exited: 0,
        ..TableLimits::default()
    };
    let mut table = GrowthTable::new(limits);
    for (process, name) in [(1, "sh"), (2, "sh"), (3, "other")] {
        table.observe(ProcessHandle(process), info(process, name));
        apply(&mut table, process, 10, 0);
    }
    apply(&mut table, 1, 0, 10);
    table.exited(ProcessHandle(1), BootTime(5));
    let before = table.snapshot(BootTime(10), |_| None);
    apply(&mut table, 2, 2, 0);
    apply(&mut table, 2, 0, 12);
    table.exited(ProcessHandle(2), BootTime(15));
    let after = table.snapshot(BootTime(20), |_| None);

    let growth = Growth::between(&before, &after, &HashMap::new());
    let numbers = |figures: &Figures| {
        let pages = (
            figures.allocated / PAGE,
            figures.freed / PAGE,
            figures.live / PAGE,
        );
        (pages, figures.live_delta / PAGE as i64)
    };
    let rows = growth
        .rows
        .iter()
        .filter(|(key, _)| key.owner.is_by_owner());
    let rows: Vec<_> = rows.map(|(_, row)| numbers(row)).collect();
    assert_eq!(rows, [((2, 12, 0), -10)]);
    let mut processes: Vec<_> = growth
        .processes
        .iter()
        .map(|process| (process.info.pid, numbers(&process.figures)))
        .collect();
    processes.sort_unstable();
    assert_eq!(processes, [(0, ((2, 12, 0), -10)), (3, ((0, 0, 10), 0))]);
}

#[test]
fn what_is_not_known_any_more_counts_as_given_back() {
    let mut table = GrowthTable::new(TableLimits::default());
    table.observe(ProcessHandle(1), info(1, "sh"));
    apply(&mut table, 1, 10, 4);
    let before = table.snapshot(BootTime(10), |_| None);
    let after = Snapshot {
        time: BootTime(20),
        ..Snapshot::default()
    };
    let growth = Growth::between(&before, &after, &HashMap::new());
    let figures = growth.rows[0].1;
    assert_eq!(
        (figures.freed, figures.live_delta),
        (6 * PAGE, -6 * PAGE as i64)
    );
    assert_eq!(growth.processes[0].figures, figures);
}
