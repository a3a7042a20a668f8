//! A table over a `/proc` made of values, and steps written short.

use super::fake::FakeProc;
use super::{Place, ProcessTable, Settings, SpaceId, State, Step};
use crate::event::{Event, Name, Origin};
use crate::filter::{Filter, FilterSpec, Rules};
use crate::ids::{BootTime, ProcessHandle};

pub(super) const OWN: u32 = 500;
/// When observation began: 100 s after boot.
pub(super) const SINCE: u64 = 100_000_000_000;
pub(super) const CGROUP: u64 = 77;
pub(super) const MS: u64 = 1_000_000;

pub(super) struct Bench {
    pub(super) source: FakeProc,
    pub(super) table: ProcessTable<FakeProc>,
}

pub(super) fn spec(exclude_names: &[&str]) -> FilterSpec {
    FilterSpec {
        include: Rules::default(),
        exclude: Rules {
            processes: exclude_names.iter().map(|&name| name.into()).collect(),
            ..Rules::default()
        },
    }
}

pub(super) fn bench_with(change: impl FnOnce(&mut Settings), exclude: &[&str]) -> Bench {
    let source = FakeProc::default();
    source
        .inodes
        .borrow_mut()
        .insert("/system.slice/test.service".to_owned(), CGROUP);
    let mut settings = Settings::new(OWN, BootTime(SINCE));
    change(&mut settings);
    let filter = Filter::new(&spec(exclude)).unwrap();
    let table = ProcessTable::new(source.clone(), settings, filter);
    Bench { source, table }
}

pub(super) fn bench() -> Bench {
    bench_with(|_| {}, &[])
}

pub(super) fn at(pid: u32, ms: u64) -> Origin {
    Origin {
        pid,
        tid: pid,
        time: BootTime(SINCE + ms * MS),
        cgroup: CGROUP,
    }
}

pub(super) fn name(text: &str) -> Name {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    Name(bytes)
}

/// Clock ticks of a time after the beginning.
pub(super) fn ticks(ms: u64) -> u64 {
    (SINCE + ms * MS) / 10_000_000
}

impl Bench {
    pub(super) fn fork(
        &mut self,
        parent: u32,
        child: u32,
        ms: u64,
        shares_memory: bool,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let event = Event::Fork {
            origin: at(parent, ms),
            child,
            shares_memory,
            name: name("child"),
        };
        self.table.apply(&event, &mut steps);
        steps
    }

    pub(super) fn exec(&mut self, pid: u32, ms: u64, program: &str) -> Vec<Step> {
        let mut steps = Vec::new();
        let event = Event::Exec {
            origin: at(pid, ms),
            name: name(program),
        };
        self.table.apply(&event, &mut steps);
        steps
    }

    pub(super) fn exit(&mut self, pid: u32, ms: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        let event = Event::Exit {
            origin: at(pid, ms),
        };
        self.table.apply(&event, &mut steps);
        steps
    }

    pub(super) fn scan(&mut self, ms: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        self.table
            .scan(BootTime(SINCE + ms * MS), &mut steps)
            .unwrap();
        steps
    }

    pub(super) fn poll(&mut self, ms: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        self.table.poll(BootTime(SINCE + ms * MS), 100, &mut steps);
        steps
    }

    pub(super) fn locate(&mut self, pid: u32, ms: u64) -> (Place, Vec<Step>) {
        let mut steps = Vec::new();
        let place = self.table.locate(&at(pid, ms), &mut steps);
        (place, steps)
    }

    pub(super) fn space(&self, pid: u32) -> SpaceId {
        self.table.get(pid).unwrap().space.unwrap()
    }

    pub(super) fn handle(&self, pid: u32) -> ProcessHandle {
        self.table.get(pid).unwrap().handle
    }

    pub(super) fn state(&self, pid: u32) -> State {
        self.table.get(pid).unwrap().state
    }
}

/// Steps without the values that most tests don't look at.
pub(super) fn shape(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .map(|step| match step {
            Step::NewSpace { space, .. } => format!("new {}", space.0),
            Step::CloneSpace { from, to } => format!("clone {} {}", from.0, to.0),
            Step::Reconcile {
                pid, space, why, ..
            } => format!("reconcile {pid} {} {why:?}", space.0),
            Step::DropSpace { space } => format!("drop {}", space.0),
            Step::SetPolicy { pid, policy } => format!("policy {pid} {policy:?}"),
            Step::Moved { .. } => "moved".to_owned(),
            Step::Ended(process) => format!("ended {} {}", process.pid, process.name),
            Step::Gone { pid } => format!("gone {pid}"),
        })
        .collect()
}
