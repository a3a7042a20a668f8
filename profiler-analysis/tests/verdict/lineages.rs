//! Lives of the same thing, one after the other.

use profiler_analysis::verdict::{Engine, EngineLimits, LifeEnd, LifeStart, Rules, Sample, State};

use crate::run::{HOUR, MIB, Run, START, STEP};

#[test]
fn three_short_lives_that_were_killed_are_a_leak_that_restarts_mask() {
    let mut run = Run::new();
    for _ in 0..3 {
        run.hours(0.05, |hour| 100.0 + 18_000.0 * hour)
            .end(LifeEnd::OomKilled);
    }
    run.hours(0.01, |_| 100.0);
    assert_eq!(
        run.state(),
        State::RestartMaskedLeak,
        "{:#?}",
        run.verdict()
    );
    let lineage = run.engine.lineage(&1).expect("lives have ended");
    assert_eq!(
        (lineage.ended, lineage.oom_kills, lineage.lives.len()),
        (3, 3, 3)
    );
}

#[test]
fn two_kills_are_not_enough() {
    let mut run = Run::new();
    for _ in 0..2 {
        run.hours(0.05, |hour| 100.0 + 18_000.0 * hour)
            .end(LifeEnd::OomKilled);
    }
    run.hours(0.01, |_| 100.0);
    assert_eq!(run.state(), State::WarmingUp, "{:#?}", run.verdict());
}

#[test]
fn restarts_of_a_level_series_mask_nothing() {
    let mut run = Run::new();
    for _ in 0..5 {
        run.hours(3.0, |_| 300.0).end(LifeEnd::Ended);
    }
    run.hours(3.0, |_| 300.0);
    assert!(!run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn lives_that_grow_until_a_nightly_restart_are_a_leak_that_restarts_mask() {
    let mut run = Run::new();
    for _ in 0..3 {
        run.hours(4.0, |hour| 200.0 + 40.0 * hour)
            .end(LifeEnd::Ended);
    }
    run.hours(2.0, |hour| 200.0 + 40.0 * hour);
    assert_eq!(
        run.state(),
        State::RestartMaskedLeak,
        "{:#?}",
        run.verdict()
    );
}

#[test]
fn a_life_that_outlives_the_leaky_ones_is_judged_by_itself() {
    let mut run = Run::new();
    for _ in 0..3 {
        run.hours(2.0, |hour| 200.0 + 400.0 * hour)
            .end(LifeEnd::OomKilled);
    }
    run.hours(8.0, |_| 250.0);
    assert_eq!(run.state(), State::Steady, "{:#?}", run.verdict());
}

#[test]
fn a_job_that_reads_in_as_much_as_jobs_before_it_is_no_leak() {
    let mut run = Run::new();
    let job = |hour: f64| 100.0 + 150.0 * hour.min(3.0);
    for _ in 0..3 {
        run.hours(4.5, job).end(LifeEnd::Ended);
    }
    run.hours(2.5, job);
    assert!(!run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn a_life_that_was_told_as_a_leak_and_killed_says_what_the_next_is() {
    let mut run = Run::new();
    run.hours(6.0, |hour| 200.0 + 100.0 * hour)
        .end(LifeEnd::OomKilled);
    run.hours(0.1, |hour| 200.0 + 100.0 * hour);
    assert_eq!(
        run.state(),
        State::RestartMaskedLeak,
        "{:#?}",
        run.verdict()
    );
}

#[test]
fn what_a_life_was_said_to_be_for_those_before_it_is_not_handed_on() {
    let mut run = Run::new();
    run.hours(6.0, |hour| 200.0 + 100.0 * hour)
        .end(LifeEnd::OomKilled);
    for _ in 0..2 {
        run.hours(5.0, |_| 250.0).end(LifeEnd::Ended);
    }
    run.hours(3.0, |_| 250.0);
    assert!(!run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn what_is_restarted_because_it_leaks_is_still_a_leak() {
    let mut run = Run::new();
    for _ in 0..2 {
        run.hours(8.0, |hour| 200.0 + 50.0 * hour)
            .end(LifeEnd::Ended);
    }
    run.hours(7.0, |hour| 200.0 + 50.0 * hour);
    assert!(run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn flat_lives_below_their_limit_that_were_killed_did_not_grow() {
    let mut run = Run::new();
    run.limit = Some(2 << 30);
    for _ in 0..3 {
        run.hours(0.05, |_| 100.0).end(LifeEnd::OomKilled);
    }
    run.hours(0.2, |hour| 200.0 + 4_000.0 * hour);
    assert_eq!(run.state(), State::Growing, "{:#?}", run.verdict());
}

#[test]
fn lives_side_by_side_are_no_restarts() {
    let mut fleet = Fleet::new();
    let grown = |hour: f64| 100.0 + 18_000.0 * hour;
    fleet.minutes(3, &[1, 2, 3], grown);
    for key in [1, 2, 3] {
        fleet.end(key, LifeEnd::OomKilled);
    }
    fleet.minutes(1, &[4], |_| 100.0);
    assert_eq!(fleet.state(4), State::WarmingUp);
}

#[test]
fn lives_that_end_beside_one_that_runs_say_nothing_of_it() {
    let mut fleet = Fleet::new();
    fleet.minutes(1, &[9], |_| 100.0);
    fleet.minutes(3, &[1, 2, 3], |hour| 100.0 + 18_000.0 * hour);
    for key in [1, 2, 3] {
        fleet.end(key, LifeEnd::OomKilled);
    }
    fleet.steps(1, &[9], |_| 100.0);
    assert_eq!(fleet.state(9), State::WarmingUp);
}

#[test]
fn restarts_of_replicas_are_still_restarts() {
    let mut fleet = Fleet::new();
    for round in 0..3 {
        let keys = [3 * round, 3 * round + 1, 3 * round + 2];
        fleet.minutes(3, &keys, |hour| 100.0 + 18_000.0 * hour);
        for key in keys {
            fleet.end(key, LifeEnd::OomKilled);
        }
    }
    fleet.minutes(1, &[9], |_| 100.0);
    assert_eq!(fleet.state(9), State::RestartMaskedLeak);
}

#[test]
fn a_flood_of_short_lives_takes_no_lineage_that_lasts() {
    let mut fleet = Fleet::of(EngineLimits {
        lineages: 8,
        ..EngineLimits::default()
    });
    for key in [1, 2] {
        fleet.minutes(3, &[key], |_| 100.0);
        fleet.end(key, LifeEnd::Ended);
    }
    for key in 10..60 {
        fleet.lineage = key.to_string();
        fleet.minutes(2, &[key], |_| 100.0);
        fleet.end(key, LifeEnd::Ended);
    }
    assert_eq!(fleet.engine.status().lineages, 8);
    fleet.lineage = "shop/server".to_owned();
    fleet.minutes(1, &[3], |_| 100.0);
    let lineage = fleet.engine.lineage(&3).expect("it is remembered");
    assert_eq!(lineage.ended, 2);
}

#[test]
fn a_life_shorter_than_a_window_is_not_remembered_but_counted() {
    let mut fleet = Fleet::new();
    fleet.steps(2, &[1], |_| 100.0);
    fleet.end(1, LifeEnd::Ended);
    assert_eq!(fleet.engine.status().lineages, 0);
    fleet.minutes(3, &[2], |_| 100.0);
    fleet.end(2, LifeEnd::Ended);
    fleet.steps(2, &[3], |_| 100.0);
    fleet.end(3, LifeEnd::Ended);
    fleet.steps(1, &[4], |_| 100.0);
    let lineage = fleet.engine.lineage(&4).expect("one life has lasted");
    assert_eq!((lineage.lives.len(), lineage.ended), (1, 2));
}

/// Several of the same thing, each under a key of its own.
struct Fleet {
    engine: Engine<u32>,
    lineage: String,
    now: u64,
    began: std::collections::BTreeMap<u32, u64>,
}

impl Fleet {
    fn new() -> Self {
        Self::of(EngineLimits::default())
    }

    fn of(limits: EngineLimits) -> Self {
        Self {
            engine: Engine::new(Rules::default(), limits),
            lineage: "shop/server".to_owned(),
            now: START,
            began: std::collections::BTreeMap::new(),
        }
    }

    fn minutes(&mut self, minutes: u64, keys: &[u32], mib: impl Fn(f64) -> f64) {
        self.steps(6 * minutes, keys, mib);
    }

    /// Readings of some keys, in MiB by hours of the life so far.
    fn steps(&mut self, steps: u64, keys: &[u32], mib: impl Fn(f64) -> f64) {
        for _ in 0..steps {
            for key in keys {
                let began = *self.began.entry(*key).or_insert(self.now);
                let age = (self.now - began) as f64 / HOUR as f64;
                let start = LifeStart {
                    lineage: self.lineage.clone(),
                    began,
                    label: String::new(),
                };
                let sample = Sample {
                    time: self.now,
                    bytes: (mib(age) * MIB) as u64,
                    limit: Some(1 << 30),
                    ..Sample::default()
                };
                self.engine.observe(key, &start, sample);
            }
            self.engine.judge(self.now);
            self.now += STEP;
        }
    }

    fn end(&mut self, key: u32, end: LifeEnd) {
        self.engine.ended(&key, self.now, end);
    }

    fn state(&self, key: u32) -> State {
        let verdict = self.engine.verdict(&key).expect("it has readings");
        verdict.judgement.state
    }
}
