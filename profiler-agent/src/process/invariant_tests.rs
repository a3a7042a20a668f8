//! Whatever the order of events: no space is used after it was dropped, none is left over, and
//! what the kernel was told agrees with the table.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::bench::{Bench, MS, SINCE, bench_with, spec};
use super::fake::Entry;
use super::table::policy_of;
use super::{Place, Policy, ProcFs, ProcessTable, Settings, SpaceId, State, Step};
use crate::filter::Filter;
use crate::ids::BootTime;

#[derive(Clone, Copy, Debug)]
enum Move {
    Fork {
        parent: u32,
        child: u32,
        shares: bool,
    },
    Exec {
        pid: u32,
        name: usize,
    },
    Exit {
        pid: u32,
    },
    Operation {
        pid: u32,
    },
    Appear {
        pid: u32,
        name: usize,
        narrow: bool,
        parent: u32,
    },
    Vanish {
        pid: u32,
    },
    Poll,
    Scan,
    Stale {
        pid: u32,
    },
    Count {
        pid: u32,
    },
    Calm {
        pid: u32,
    },
    Refilter {
        name: usize,
    },
}

const NAMES: [&str; 3] = ["a", "b", "child"];

fn moves() -> impl Strategy<Value = Move> {
    let pid = || 3_u32..10;
    let name = || 0..NAMES.len();
    prop_oneof![
        4 => (pid(), pid(), any::<bool>())
            .prop_map(|(parent, child, shares)| Move::Fork { parent, child, shares }),
        3 => (pid(), name()).prop_map(|(pid, name)| Move::Exec { pid, name }),
        2 => pid().prop_map(|pid| Move::Exit { pid }),
        3 => pid().prop_map(|pid| Move::Operation { pid }),
        3 => (pid(), name(), any::<bool>(), pid())
            .prop_map(|(pid, name, narrow, parent)| Move::Appear { pid, name, narrow, parent }),
        1 => pid().prop_map(|pid| Move::Vanish { pid }),
        3 => Just(Move::Poll),
        1 => Just(Move::Scan),
        1 => pid().prop_map(|pid| Move::Stale { pid }),
        1 => pid().prop_map(|pid| Move::Count { pid }),
        1 => pid().prop_map(|pid| Move::Calm { pid }),
        1 => name().prop_map(|name| Move::Refilter { name }),
    ]
}

fn play(bench: &mut Bench, action: Move, ms: u64) -> Vec<Step> {
    let now = BootTime(SINCE + ms * MS);
    let mut steps = Vec::new();
    match action {
        Move::Fork {
            parent,
            child,
            shares,
        } => return bench.fork(parent, child, ms, shares),
        Move::Exec { pid, name } => return bench.exec(pid, ms, NAMES[name]),
        Move::Exit { pid } => return bench.exit(pid, ms),
        Move::Operation { pid } => {
            let (place, steps) = bench.locate(pid, ms);
            if let Place::Space { space, .. } = place {
                assert_eq!(bench.space(pid), space);
            }
            return steps;
        }
        Move::Poll => return bench.poll(ms),
        Move::Scan => return bench.scan(ms),
        Move::Appear {
            pid,
            name,
            narrow,
            parent,
        } => {
            let started = now.0 / 10_000_000;
            let entry = Entry {
                narrow,
                parent,
                ..Entry::new(NAMES[name], started)
            };
            bench.source.put(pid, entry);
        }
        Move::Vanish { pid } => bench.source.remove(pid),
        Move::Stale { pid } => bench.table.mark_stale(pid, now),
        Move::Count { pid } => bench.table.start_counting(pid, &mut steps),
        Move::Calm { pid } => bench.table.stop_counting(pid, now, &mut steps),
        Move::Refilter { name } => {
            let filter = Filter::new(&spec(&[NAMES[name]])).unwrap();
            bench.table.set_filter(filter, &mut steps);
        }
    }
    steps
}

/// What the owner of the ledgers and the kernel know.
#[derive(Default)]
struct Mirror {
    spaces: HashSet<SpaceId>,
    policies: HashMap<u32, Policy>,
}

impl Mirror {
    fn follow(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::NewSpace { space, .. } => assert!(self.spaces.insert(*space)),
                Step::CloneSpace { from, to } => {
                    assert!(self.spaces.contains(from), "{step:?}");
                    assert!(self.spaces.insert(*to));
                }
                Step::Reconcile { space, .. } => assert!(self.spaces.contains(space)),
                Step::DropSpace { space } => assert!(self.spaces.remove(space), "{step:?}"),
                Step::SetPolicy { pid, policy } => {
                    assert_ne!(self.policies.insert(*pid, *policy), Some(*policy));
                }
                Step::Gone { pid } => {
                    self.policies.remove(pid);
                }
                Step::Ended(process) => assert_eq!(process.state, State::Exited),
                Step::Moved { .. } => {}
            }
        }
    }

    fn agrees(&self, bench: &Bench) {
        let used: HashSet<SpaceId> = bench.table.iter().filter_map(|p| p.space).collect();
        assert_eq!(used, self.spaces);
        for process in bench.table.iter() {
            assert_eq!(process.space.is_some(), process.state.is_followed());
            let told = self.policies.get(&process.pid).copied();
            assert_eq!(told.unwrap_or(Policy::Observe), policy_of(process.state));
        }
        assert!(bench.table.waiting() <= bench.table.iter().count());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn steps_and_table_agree(script in prop::collection::vec(moves(), 1..60)) {
        let mut bench = bench_with(|settings| settings.processes_max = 5, &["b"]);
        let mut mirror = Mirror::default();
        let mut ms = 0;
        for action in script {
            ms += 15;
            let steps = play(&mut bench, action, ms);
            mirror.follow(&steps);
            mirror.agrees(&bench);
        }
        for pid in 3..10 {
            let steps = bench.exit(pid, ms + 1);
            mirror.follow(&steps);
        }
        mirror.agrees(&bench);
        prop_assert!(mirror.spaces.is_empty());
        prop_assert_eq!(bench.table.waiting(), 0);
        prop_assert!(bench.table.by_handle.is_empty());
    }
}

#[test]
fn the_running_host_can_be_scanned() {
    let own = std::process::id();
    let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = BootTime(u64::try_from(uptime.tv_sec).unwrap() * 1_000_000_000 + 1_000_000_000);
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let mut table = ProcessTable::new(ProcFs::new(), Settings::new(own, now), Filter::default());
    let mut steps = Vec::new();
    let scanned = table.scan(now, &mut steps);
    child.kill().unwrap();
    child.wait().unwrap();
    scanned.unwrap();
    for pid in [own, child.id()] {
        assert_eq!(table.get(pid).unwrap().state, State::Ignored, "{pid}");
        assert!(table.get(pid).unwrap().container.is_some());
    }
    let reconciles = steps
        .iter()
        .filter(|step| matches!(step, Step::Reconcile { .. }))
        .count();
    assert_eq!(u32::try_from(reconciles).unwrap(), table.counts().observed);
    table.scan(now, &mut steps).unwrap();
    assert!(table.get(child.id()).is_none());
}
