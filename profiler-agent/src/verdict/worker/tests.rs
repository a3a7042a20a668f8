use std::{collections::BTreeMap, sync::Mutex};

use profiler_analysis::verdict::Rules;
use profiler_proto::v1;
use profiler_query::answer::{Clocks, NameStacks, NamedStack};

use super::*;
use crate::{
    export::{Clock, Sources, node_facts},
    health::{HealthRules, Lookup, Verdicts as _},
    ids::StackId,
    profile::{History, HistoryLimits, ProcessEntry},
    resident::{Limit, Source},
    verdict::{lives::tests::Shown, origin::Procfs, words},
};

const SECOND: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;

struct NoNames;

impl NameStacks for NoNames {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        vec![None; stacks.len()]
    }
}

/// Windows of a second; above a tenth of its limit what grows is unhealthy.
fn worker() -> Worker {
    let clock = Clock::Fixed {
        now: BootTime(SECOND),
        offset: 0,
    };
    let window = Duration::from_secs(1);
    let rules = Rules { window };
    let health = HealthRules {
        share: 0.1,
        lead: Duration::ZERO,
        interval: Duration::from_secs(1),
    };
    let shared = Arc::new(Shared::new(clock, rules, health));
    let (asks, _) = tokio::sync::mpsc::channel(1);
    let sources = Sources {
        asks,
        history: Arc::new(Mutex::new(History::new(HistoryLimits::default()))),
        names: Arc::new(NoNames),
        clock: Clock::System,
        node: Arc::new(node_facts(None, &BTreeMap::new())),
        verdicts: Arc::clone(&shared),
    };
    let explain = Explain::new(&sources, window);
    Worker::new(shared, Box::new(Procfs::new()), explain, None)
}

fn key() -> Key {
    Key::Group("/unit".to_owned())
}

/// A round in which the unit was read.
fn read_at(worker: &Worker, second: u64, bytes: u64) -> Vec<v1::VerdictChange> {
    let mut shown = Shown::new(&[1], 7, 0);
    shown.figures.anon = bytes;
    shown.figures.limit = Some(Limit {
        bytes: 4096 * MIB,
        alone: 4096 * MIB,
        cgroup: String::new(),
    });
    let look = shown.at(second);
    let mut book = write(&worker.shared.book);
    let before = book.lives.remove(&key());
    let life = before.unwrap_or_else(|| Life::begin(&look, Identity::default()));
    let sample = Sample {
        time: look.time,
        bytes,
        limit: Some(4096 * MIB),
        ..Sample::default()
    };
    book.engine.observe(&key(), &life.start, sample);
    worker.enter(&mut book, &key(), &look, &shown.figures);
    book.lives.insert(key(), life);
    drop(book);
    judged_at(worker, second)
}

fn judged_at(worker: &Worker, second: u64) -> Vec<v1::VerdictChange> {
    let clocks = Clocks {
        now: BootTime(second * SECOND),
        offset: 0,
    };
    let mut book = write(&worker.shared.book);
    worker.judge(&mut book, second * SECOND, clocks)
}

fn is_of_health(change: &v1::VerdictChange) -> bool {
    let verdict = change.verdict.as_ref().expect("a verdict");
    change.from == verdict.state
}

/// It grows by 8 MiB a second up to this one.
fn grown(worker: &Worker, to: u64) -> Vec<v1::VerdictChange> {
    let rounds = (1..=to).flat_map(|second| read_at(worker, second, second * 8 * MIB));
    rounds.collect()
}

#[test]
fn changes_of_health_are_told_where_the_state_stays() {
    let worker = worker();
    let changes = grown(&worker, 120);
    let ill: Vec<_> = changes
        .iter()
        .map(|change| change.verdict.as_ref().expect("a verdict"))
        .filter(|verdict| !verdict.healthy)
        .collect();
    let first = ill.first().expect("it is past a tenth of its limit");
    assert!(
        first.health_reason.contains("of its limit"),
        "{}",
        first.health_reason
    );
    // Nothing is read any more: its health is not known then, and what is not known is healthy.
    let later = judged_at(&worker, 130);
    let [change] = later.as_slice() else {
        panic!("{later:?}");
    };
    assert!(is_of_health(change));
    assert!(change.verdict.as_ref().expect("a verdict").healthy);
    assert!(judged_at(&worker, 131).is_empty(), "it is told once");
}

#[test]
fn another_life_is_not_ill_for_the_one_before() {
    let worker = worker();
    grown(&worker, 120);
    let lookup = || lock(&worker.shared.probes).health(&key(), BootTime(121 * SECOND));
    assert!(!lookup().healthy);
    let mut book = write(&worker.shared.book);
    let life = book.lives.remove(&key()).expect("a life");
    worker.end(&mut book, &key(), &life, 121 * SECOND, Some(LifeEnd::Ended));
    drop(book);
    assert!(lookup().healthy);
    // As high as before, and nothing shows that it grows.
    let changes = read_at(&worker, 122, 960 * MIB);
    let mut told = changes.iter().filter_map(|change| change.verdict.as_ref());
    assert!(told.next_back().is_some_and(|verdict| verdict.healthy));
    let book = read(&worker.shared.book);
    let verdict = book.engine.verdict(&key()).expect("a verdict");
    assert!(!words::grows(verdict.judgement.state));
}

/// With this process alone, or with none.
fn moment(second: u64, pids: &[u32]) -> Moment {
    let entry = |&pid: &u32| ProcessEntry {
        handle: ProcessHandle(pid),
        info: Arc::new(TargetInfo {
            pid,
            name: "test".to_owned(),
            started: crate::process::started(&crate::process::ProcFs::new(), pid).expect("a start"),
            ..TargetInfo::nothing_on(Arc::default())
        }),
        totals: crate::profile::Totals::default(),
    };
    Moment {
        snapshot: Arc::new(Snapshot {
            time: BootTime(second * SECOND),
            processes: pids.iter().map(entry).collect(),
            ..Snapshot::default()
        }),
        ..Moment::default()
    }
}

/// This process under another name, at a millisecond.
fn called(millisecond: u64, name: &str) -> Moment {
    let mut moment = moment(0, &[std::process::id()]);
    let snapshot = Arc::make_mut(&mut moment.snapshot);
    snapshot.time = BootTime(millisecond * SECOND / 1000);
    let info = Arc::make_mut(&mut snapshot.processes[0].info);
    name.clone_into(&mut info.name);
    moment
}

fn lineage(worker: &Worker) -> v1::Lineage {
    let verdicts = worker.shared.verdicts();
    verdicts[0].lineage.clone().expect("a lineage")
}

#[test]
fn a_life_belongs_to_what_it_becomes_within_its_first_window() {
    let mut worker = worker();
    worker.moment(&called(1_000, "runtime"));
    let early = lineage(&worker);
    worker.moment(&called(1_500, "service"));
    let service = lineage(&worker);
    assert_ne!(early.id, service.id);
    assert_eq!(service.name, "service");
    worker.moment(&called(2_500, "renamed"));
    assert_eq!(lineage(&worker).id, service.id);
}

/// The kernel killed the process of that moment.
fn kill_of(moment: Moment) -> Kill {
    let victim = &moment.snapshot.processes[0];
    Kill {
        time: BootTime(victim.info.started.0 + SECOND),
        pid: victim.info.pid,
        process: Some(victim.handle),
        constraint: None,
        name: String::new(),
        anon_bytes: None,
        moment,
    }
}

#[test]
fn kills_of_one_thing_do_not_take_the_time_of_others() {
    let mut worker = worker();
    worker.moment(&called(1_000, "service"));
    (0..20).for_each(|_| worker.killed(&kill_of(called(1_300, "service"))));
    assert_eq!(worker.lookups.len(), LOOKUPS_OF_ONE);
    assert_eq!(worker.shared.kills().0.len(), 20);
    worker.killed(&kill_of(called(61_300, "service")));
    assert_eq!(worker.lookups.len(), 1, "the minute is over");
}

#[test]
fn a_kill_soon_after_the_start_counts_where_the_life_belongs() {
    let mut worker = worker();
    worker.moment(&called(1_000, "runtime"));
    worker.moment(&called(1_200, "service"));
    worker.killed(&kill_of(called(1_300, "service")));
    // It is still there, so that it is taken for what was started after it.
    worker.moment(&called(1_400, "service"));
    let after = lineage(&worker);
    assert_eq!((after.restarts, after.oom_kills), (1, 1));
}

#[test]
fn a_reading_is_of_when_it_was_made_not_of_the_moment_that_waited() {
    let mut worker = worker();
    worker.moment(&called(500, "test"));
    let verdict = worker.shared.verdicts().remove(0);
    // The clock of the test.
    assert_eq!(verdict.time.map(|time| time.seconds), Some(1));
}

#[test]
fn a_sum_over_processes_does_not_exclude_what_they_share() {
    let worker = worker();
    let told = |processes: u32, source: Source| {
        read_at(&worker, u64::from(processes), 8 * MIB);
        let mut book = write(&worker.shared.book);
        let figures = &mut book.entries.get_mut(&key()).expect("an entry").figures;
        (figures.processes, figures.source) = (processes, source);
        drop(book);
        let verdict = worker.shared.verdicts().remove(0);
        let all = verdict.not_excluded.iter();
        all.filter(|one| one.contains("sum over")).count()
    };
    assert_eq!(told(1, Source::Processes), 0);
    assert_eq!(told(2, Source::Processes), 1);
    assert_eq!(told(3, Source::Cgroup2), 0);
}

#[test]
fn what_is_made_for_the_chosen_alone_is_made_of_what_is_still_there() {
    let mut worker = worker();
    for second in 1..5 {
        worker.moment(&moment(second, &[std::process::id()]));
    }
    let board = &worker.shared;
    let mut verdicts = board.verdicts();
    assert!(verdicts[0].points.is_empty() && verdicts[0].reconciliation.is_none());
    let mut gone = verdicts[0].clone();
    gone.target.as_mut().expect("a target").pid = 4_000_000;
    verdicts.insert(0, gone);
    board.reconcile(&mut verdicts);
    let made = verdicts.iter().map(|one| one.reconciliation.is_some());
    assert_eq!(made.collect::<Vec<_>>(), [false, true]);
    let targets = verdicts.iter().map(|one| one.target.as_ref());
    let points = board.points(&targets.collect::<Vec<_>>());
    assert_eq!(points.len(), 2);
    assert!(points[0].is_empty() && !points[1].is_empty());
}

#[test]
fn a_process_has_a_series_until_it_is_gone() {
    let mut worker = worker();
    assert!(!worker.shared.ready());
    worker.moment(&moment(1, &[std::process::id()]));
    assert!(worker.shared.ready());
    let verdicts = worker.shared.verdicts();
    let [verdict] = verdicts.as_slice() else {
        panic!("{verdicts:?}");
    };
    assert!(verdict.anon_bytes > 0 && verdict.healthy);
    worker.moment(&moment(2, &[]));
    assert!(worker.shared.verdicts().is_empty());
    assert_eq!(worker.shared.container("x"), Lookup::Unknown);
    assert_eq!(read(&worker.shared.book).engine.keys().count(), 0);
}

#[test]
fn a_kill_of_a_process_that_nothing_is_known_of_is_told() {
    let mut worker = worker();
    worker.killed(&Kill {
        time: BootTime(SECOND),
        pid: 4_000_000,
        process: None,
        constraint: None,
        name: "gone".to_owned(),
        anon_bytes: Some(5),
        moment: moment(1, &[]),
    });
    let (kills, _) = worker.shared.kills();
    assert_eq!(kills.len(), 1);
    assert_eq!(kills[0].process_name, "gone");
    assert_eq!(kills[0].target, None);
    assert_eq!(worker.shared.events_after(0).len(), 1);
}

#[test]
fn the_thread_ends_when_nobody_can_give_it_a_moment_any_more() {
    let worker = worker();
    let shared = Arc::clone(&worker.shared);
    let (exporter, inputs) = super::super::exporter::channel(Arc::clone(&shared));
    drop(exporter);
    super::super::run(worker, inputs);
    assert!(shared.watch().is_none());
}
