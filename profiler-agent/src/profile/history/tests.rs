use std::{collections::BTreeMap, fs, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    connection::Behalf,
    ids::StackId,
    ledger::{Change, Owner},
    profile::{GrowthTable, OwnerKey, ProcessEntry, Row, TableLimits, Totals, testing::info},
};

/// A history that keeps whole copies.
struct Naive {
    limits: HistoryLimits,
    kept: BTreeMap<BootTime, Snapshot>,
}

impl Naive {
    fn push(&mut self, snapshot: &Snapshot) {
        let now = snapshot.time.0;
        self.kept.insert(snapshot.time, snapshot.clone());
        let limits = self.limits;
        let times: Vec<u64> = self.kept.keys().map(|time| time.0).collect();
        for pair in times.windows(2) {
            let thinned = pair[1] < now.saturating_sub(limits.fine)
                && pair[0] / limits.coarse_step == pair[1] / limits.coarse_step;
            if thinned || pair[0] < now.saturating_sub(limits.coarse) {
                self.kept.remove(&BootTime(pair[0]));
            }
        }
    }
}

fn limits() -> HistoryLimits {
    HistoryLimits {
        fine: 50,
        coarse_step: 30,
        coarse: 300,
        ended_new: 2,
        budget: 1 << 20,
    }
}

/// One row and its process.
type Part = (u32, u32, [u64; 5]);

fn snapshot(time: u64, parts: &[Part]) -> Snapshot {
    let mut rows = BTreeMap::new();
    let mut processes = BTreeMap::new();
    for &(process, stack, [allocated, freed, events, oldest, newest]) in parts {
        let handle = ProcessHandle(process);
        let key = RowKey {
            process: handle,
            owner: OwnerKey::Stack(StackId(stack)),
        };
        let row = Row {
            allocated,
            inherited: newest / 2,
            freed,
            events: events % 9 + 1,
            resident: (events % 2 == 0).then_some(freed),
            oldest: BootTime(oldest),
            newest: BootTime(newest),
        };
        rows.insert(key, row);
        let entry = ProcessEntry {
            handle,
            info: Arc::new(info(process, "p")),
            totals: Totals {
                allocated,
                inherited: events,
                mappings: freed,
                ..Totals::default()
            },
        };
        processes.insert(handle, entry);
    }
    Snapshot {
        time: BootTime(time),
        rows: rows.into_iter().collect(),
        processes: processes.into_values().collect(),
    }
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let value = prop_oneof![Just(0), 0..9_u64, any::<u64>()];
    let row = [(); 5].map(|()| value.clone());
    prop::collection::vec((0..4_u32, 0..4_u32, row), 0..8)
}

proptest! {
    #[test]
    fn gives_back_what_a_history_of_copies_would(
        pushed in prop::collection::vec((1..40_u64, parts()), 1..60),
    ) {
        let mut history = History::new(limits());
        let mut naive = Naive { limits: limits(), kept: BTreeMap::new() };
        let mut time = 0;
        for (step, parts) in pushed {
            time += step;
            let snapshot = snapshot(time, &parts);
            history.push(&snapshot);
            naive.push(&snapshot);
            let status = history.status();
            prop_assert_eq!(status.snapshots, naive.kept.len());
            prop_assert_eq!(status.oldest.as_ref(), naive.kept.keys().next());
        }
        for (time, want) in &naive.kept {
            let got = history.at(*time).expect("kept").snapshot();
            prop_assert_eq!(got.sorted(), want.clone().sorted());
        }
        let walk = history.walk(BootTime(0), BootTime(time), u32::MAX);
        let walked: Vec<_> = walk.snapshots().collect();
        prop_assert_eq!(walked.len(), naive.kept.len());
        for (got, want) in walked.into_iter().zip(naive.kept.values()) {
            let want = Snapshot { rows: Vec::new(), ..want.clone() };
            prop_assert_eq!(got.sorted(), want.sorted());
        }
        prop_assert_eq!(history.step_bytes, history.steps.iter().map(Step::bytes).sum::<usize>());
        let infos: usize = history.infos.values().map(|info| info.bytes()).sum();
        prop_assert_eq!(history.info_bytes, infos);
    }

    #[test]
    fn stays_within_its_budget(
        pushed in prop::collection::vec(parts(), 1..80),
        budget in 8_000..20_000_usize,
    ) {
        let limits = HistoryLimits { budget, coarse: 1 << 40, coarse_step: 1, ..limits() };
        let mut history = History::new(limits);
        let count = pushed.len();
        for (time, parts) in (1..).zip(pushed) {
            let newest = snapshot(time, &parts);
            history.push(&newest);
            prop_assert!(history.bytes() <= budget || history.steps.is_empty());
            let back = history.at(newest.time).expect("the newest is kept").snapshot();
            prop_assert_eq!(back.sorted(), newest.sorted());
        }
        let status = history.status();
        prop_assert_eq!(status.snapshots as u64 + status.evicted_early, count as u64);
    }
}

#[test]
fn answers_with_the_nearest_snapshot_before_or_the_kept_range() {
    let mut history = History::new(limits());
    assert_eq!(history.at(BootTime(5)).unwrap_err().kept, None);
    for time in [100, 110, 120] {
        history.push(&snapshot(time, &[(1, time as u32, [time, 0, 0, 0, 0])]));
    }
    let at = |time| history.at(BootTime(time)).map(|recall| recall.time().0);
    assert_eq!((at(100), at(119), at(500)), (Ok(100), Ok(110), Ok(120)));
    let kept = Some((BootTime(100), BootTime(120)));
    assert_eq!(at(99), Err(OutOfRange { kept }));
    history.push(&snapshot(120, &[]));
    assert_eq!(history.status().refused, 1);
}

#[test]
fn a_walk_takes_the_last_snapshot_of_each_part() {
    let mut history = History::new(limits());
    for time in [10, 12, 19, 20, 31, 39, 45] {
        history.push(&snapshot(time, &[(1, 1, [time, 0, 0, 0, 0])]));
    }
    let times = |from, to, parts| {
        let walk = history.walk(BootTime(from), BootTime(to), parts);
        walk.snapshots().map(|one| one.time.0).collect::<Vec<_>>()
    };
    assert_eq!(times(10, 39, 3), [19, 20, 39]);
    assert_eq!(
        times(0, 39, 3),
        [19, 20, 39],
        "parts begin with what is kept"
    );
    assert_eq!(times(11, 44, 1), [39]);
    assert_eq!(times(21, 30, 4), [0_u64; 0]);
    assert_eq!(times(0, 9, 4), [0_u64; 0]);
    assert_eq!(times(0, 99, 0), [0_u64; 0]);
}

#[test]
fn a_process_that_ended_later_is_live_in_the_past() {
    let mut history = History::new(limits());
    let mut first = snapshot(100, &[(1, 1, [1, 0, 0, 0, 0])]);
    history.push(&first);
    first.time = BootTime(110);
    Arc::make_mut(&mut first.processes[0].info).exited = Some(BootTime(105));
    history.push(&first);
    let exited = |time| {
        history
            .at(BootTime(time))
            .expect("kept")
            .snapshot()
            .processes[0]
            .info
            .exited
    };
    assert_eq!((exited(100), exited(110)), (None, Some(BootTime(105))));
}

#[test]
fn short_lived_processes_come_in_as_a_group() {
    let mut history = History::new(limits());
    let part = |process: u32| (process, process, [u64::from(process), 0, 0, 0, 0]);
    let mut kept = snapshot(100, &[1, 2, 3, 4, 5].map(part));
    history.push(&kept);
    let later = snapshot(110, &[11, 12, 13, 14, 15].map(part));
    kept.time = later.time;
    kept.rows.extend(later.rows);
    kept.processes.extend(later.processes);
    for entry in &mut kept.processes {
        let info = Arc::make_mut(&mut entry.info);
        info.exited = Some(BootTime(109));
        if entry.handle == ProcessHandle(11) {
            info.pid = 0;
        }
    }
    history.push(&kept);
    let kept = history.at(BootTime(110)).expect("kept").snapshot().sorted();
    let handles: Vec<u32> = kept.processes.iter().map(|entry| entry.handle.0).collect();
    assert_eq!(
        handles,
        [1, 2, 3, 4, 5, 11, 14, 15],
        "the group and the largest two"
    );
    assert_eq!(kept.rows.len(), 8);
    assert_eq!(history.status().ended_left_out, 2);
}

#[test]
fn keys_that_come_and_go_leave_nothing_behind() {
    let mut history = History::new(limits());
    for time in 1..5000_u64 {
        let part = (time as u32, time as u32, [time, 0, 0, 0, 0]);
        history.push(&snapshot(time, &[part]));
    }
    assert!(history.rows.keys().len() < 350, "slots are used again");
    assert!(history.infos.len() < 350);
    assert!(history.bytes() < 400_000, "{}", history.bytes());
}

/// What this thread has run: other load on the machine is not to be measured.
fn cpu_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let nanoseconds = text.split(' ').next().expect("a field").parse();
    Duration::from_nanos(nanoseconds.expect("a number"))
}

/// 10,000 rows of 200 processes, 450 snapshots 10 s or a minute apart, one row in `changing` of
/// them changed each time.
fn fill(changing: u64) -> History {
    let mut history = History::new(HistoryLimits::default());
    let mut parts: Vec<Part> = (0..10_000)
        .map(|row| (row / 50, row, [u64::from(row) << 16, 0, 1, 1, SECOND]))
        .collect();
    let mut time = 1_000_000 * SECOND;
    for step in 0..2250 {
        time += 10 * SECOND;
        for (_, row, figures) in &mut parts {
            if u64::from(*row) % changing == step % changing {
                figures[0] += 131_072 + u64::from(*row % 13) * 4096;
                figures[1] += 65_536;
                figures[2] += 2;
                figures[4] = time - u64::from(*row) * 1_000_003;
            }
        }
        history.push(&snapshot(time, &parts));
    }
    history
}

#[test]
#[ignore = "a measurement; run it with --release --ignored --nocapture"]
fn cost_of_a_full_history() {
    for changing in [1, 10, 100] {
        let began = cpu_time();
        let history = fill(changing);
        let push = (cpu_time() - began) / 2250;
        let status = history.status();
        let (oldest, newest) = (status.oldest.unwrap().0, status.newest.unwrap().0);
        let mut slowest = Duration::ZERO;
        for part in 0..=20 {
            let time = BootTime(oldest + (newest - oldest) / 20 * part);
            let began = cpu_time();
            let rows = history.at(time).unwrap().snapshot().rows.len();
            slowest = slowest.max(cpu_time() - began);
            assert_eq!(rows, 10_000);
        }
        println!(
            "1 in {changing} rows changes: {} snapshots, {} KiB, evicted {}, push (with the \
             making of the snapshot) {push:?}, slowest recall {slowest:?}",
            status.snapshots,
            status.bytes >> 10,
            status.evicted_early,
        );
    }
}

#[test]
#[ignore = "a measurement; run it with --release --ignored --nocapture"]
fn a_host_that_forks_all_the_time_keeps_six_hours() {
    let mut table = GrowthTable::new(TableLimits::default());
    let mut history = History::new(HistoryLimits::default());
    let mut next = 0_u32;
    for step in 0..2200_u64 {
        let time = BootTime(step * 10 * SECOND + SECOND);
        for _ in 0..1000 {
            next += 1;
            let handle = ProcessHandle(next);
            table.observe(
                handle,
                info(next, ["sh", "cc1", "ld", "make"][next as usize % 4]),
            );
            for row in 0..5 {
                let owner = Owner::Stack {
                    stack: StackId(next % 40 * 5 + row),
                    inclusion: u32::MAX,
                    behalf: Behalf::NOBODY,
                };
                for (committed, freed) in [(1 << 16, 0), (0, 1 << 16)] {
                    let change = Change {
                        owner,
                        committed,
                        freed,
                    };
                    table.apply(handle, &change);
                }
            }
            table.exited(handle, time);
        }
        let snapshot = table.snapshot(time, |_| None);
        history.push(&snapshot);
        table.group_exited_before(history.status().oldest.unwrap());
    }
    println!("{:?} {:?}", history.status(), table.status());
    assert_eq!(history.status().evicted_early, 0);
}
