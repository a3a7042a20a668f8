//! What a soak says of restarts, kills and of what it did not see.

use std::time::Duration;

use pbjson_types::Timestamp;
use profiler_proto::v1::{
    ListOomKillsResponse, ListResidentResponse, OomKill, Resident, ResidentSeries, Target,
};

use super::{Outcome, Plan, Soak, test::Finding};
use crate::args::Rate;

const MIB: u64 = 1 << 20;
/// Seconds of the node's clock when a soak begins.
const BEGIN: i64 = 1_000_000;

fn plan() -> Plan {
    Plan {
        duration: Duration::from_secs(3_600),
        warmup: Duration::from_secs(360),
        interval: Duration::from_secs(10),
        window: Duration::from_secs(20),
        max_growth: None,
    }
}

fn time(second: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: BEGIN + second,
        nanos: 0,
    })
}

fn unit(name: &str) -> Target {
    Target {
        unit: name.into(),
        cgroup: format!("/system.slice/{name}"),
        started: time(-100),
        ..Target::default()
    }
}

fn process(name: &str, pid: u32) -> Target {
    Target {
        pid,
        process_name: name.into(),
        started: time(-100),
        ..Target::default()
    }
}

fn series(target: &Target, second: i64, kills: u64) -> ResidentSeries {
    ResidentSeries {
        target: Some(target.clone()),
        now: Some(Resident {
            time: time(second),
            anon_bytes: 64 * MIB,
            events_oom_kill: Some(kills),
            ..Resident::default()
        }),
        points: Vec::new(),
    }
}

fn answer(series: Vec<ResidentSeries>) -> ListResidentResponse {
    ListResidentResponse {
        total: series.len() as u32,
        series,
    }
}

fn at(second: i64) -> Duration {
    Duration::from_secs(second as u64)
}

fn read(soak: &mut Soak, second: i64, targets: &[&Target]) {
    let all = targets.iter().map(|target| series(target, second, 3));
    soak.answer(&answer(all.collect()), at(second));
}

fn begun(targets: &[&Target], plan: Plan) -> Soak {
    let all = targets.iter().map(|target| series(target, 0, 3)).collect();
    Soak::begin(plan, &answer(all)).unwrap()
}

fn said(soak: &Soak, second: i64) -> Finding {
    soak.finding(&soak.targets[0], at(second))
}

#[test]
fn a_restart_in_place_fails() {
    let cart = unit("cart.service");
    let mut younger = begun(&[&cart], plan());
    let again = Target {
        started: time(5),
        ..cart.clone()
    };
    read(&mut younger, 10, &[&again]);
    let finding = said(&younger, 10);
    assert_eq!(finding.outcome, Outcome::Fail);
    assert!(finding.reason.contains("restarted in place"), "{finding:?}");
    assert!(younger.misses(), "a kill may explain it");

    let mut counters = begun(&[&cart], plan());
    counters.answer(&answer(vec![series(&cart, 10, 0)]), at(10));
    assert!(said(&counters, 10).reason.contains("restarted in place"));
    // The new cgroup counts from nothing, not from the old one's kills.
    counters.answer(&answer(vec![series(&cart, 20, 1)]), at(20));
    assert!(said(&counters, 20).reason.contains("for want of memory"));
}

#[test]
fn a_process_is_the_same_though_its_start_is_told_a_moment_later() {
    let cart = process("cart", 7);
    let mut soak = begun(&[&cart], plan());
    let jittered = Target {
        started: Some(Timestamp {
            seconds: BEGIN - 100,
            nanos: 417,
        }),
        ..cart.clone()
    };
    read(&mut soak, 10, &[&jittered]);
    assert_eq!(soak.targets[0].readings, 2);
    assert_eq!(said(&soak, 10).outcome, Outcome::Undecided);
    let another = Target {
        started: time(15),
        ..cart
    };
    read(&mut soak, 20, &[&another]);
    assert!(said(&soak, 20).reason.contains("restarted in place"));
}

#[test]
fn the_oldest_process_of_a_container_may_end() {
    let cart = unit("cart.service");
    let mut soak = begun(&[&cart], plan());
    read(&mut soak, 10, &[&cart]);
    let other = Target {
        started: time(5),
        ..cart
    };
    read(&mut soak, 20, &[&other]);
    assert_eq!(said(&soak, 20).outcome, Outcome::Undecided);
}

#[test]
fn absence_is_a_matter_of_time() {
    let cart = unit("cart.service");
    let plan = Plan {
        interval: Duration::from_secs(1),
        ..plan()
    };
    let mut soak = begun(&[&cart], plan);
    for second in 1..=60 {
        read(&mut soak, second, &[]);
        assert!(!said(&soak, second).certain, "after {second} s");
    }
    read(&mut soak, 61, &[]);
    let finding = said(&soak, 61);
    assert!(finding.certain && finding.outcome == Outcome::Undecided);
    assert!(finding.reason.contains("no longer there"), "{finding:?}");
}

#[test]
fn only_the_same_after_it_takes_a_place() {
    let (one, two) = (process("worker", 1), process("worker", 2));
    // It came before the other one ended.
    let mut soak = begun(&[&one], plan());
    read(&mut soak, 10, &[&one, &two]);
    read(&mut soak, 20, &[&two]);
    assert_eq!(said(&soak, 20).outcome, Outcome::Undecided);
    // Something else.
    let mut soak = begun(&[&one], plan());
    read(&mut soak, 10, &[&process("shell", 3)]);
    assert_eq!(said(&soak, 10).outcome, Outcome::Undecided);
    // Its successor.
    let mut soak = begun(&[&one], plan());
    read(&mut soak, 10, &[&two]);
    assert_eq!(said(&soak, 10).outcome, Outcome::Fail);
}

#[test]
fn what_an_answer_has_no_room_for_is_not_gone() {
    let (one, two) = (process("worker", 1), process("worker", 2));
    let mut soak = begun(&[&one], plan());
    for second in 1..100 {
        let answer = ListResidentResponse {
            series: vec![series(&two, second, 3)],
            total: 65,
        };
        soak.answer(&answer, at(second));
    }
    let finding = said(&soak, 100);
    assert!(!finding.certain && finding.outcome == Outcome::Undecided);
}

#[test]
fn kills_are_of_the_same_cgroup_and_of_this_soak() {
    let plain = |cgroup: &str| Target {
        cgroup: cgroup.into(),
        ..Target::default()
    };
    for (victim, second, killed) in [
        (plain("/batch"), 5, true),
        (plain("/batch/7"), 5, true),
        (plain("/batches"), 5, false),
        (process("cron", 9), 5, false),
        (plain("/batch"), -5, false),
    ] {
        let mut soak = begun(&[&plain("/batch")], plan());
        assert_eq!(soak.first_reading(), time(0).unwrap());
        soak.kills(&ListOomKillsResponse {
            kills: vec![OomKill {
                time: time(second),
                target: Some(victim.clone()),
                pid: 9,
                ..OomKill::default()
            }],
            ..ListOomKillsResponse::default()
        });
        assert_eq!(soak.targets[0].killed, killed, "{victim:?} at {second}");
    }
}

/// Flat, with a reading every `cadence` seconds.
fn flat(cadence: i64, until: i64, plan: Plan) -> Soak {
    let cart = unit("cart.service");
    let mut soak = begun(&[&cart], plan);
    for second in (1..=until / cadence).map(|turn| turn * cadence) {
        read(&mut soak, second, &[&cart]);
    }
    soak
}

#[test]
fn a_pass_needs_the_end_to_be_seen() {
    let allowed = Plan {
        max_growth: Some(Rate::Bytes((5 * MIB) as f64)),
        ..plan()
    };
    let mut seen = flat(10, 3_600, allowed);
    seen.close(at(3_600));
    assert_eq!(said(&seen, 3_600).outcome, Outcome::Pass);
    let mut away = flat(10, 3_590, allowed);
    away.no_answer(&crate::failure::Failure::new("gone"), at(3_600));
    away.close(at(3_600));
    assert_eq!(said(&away, 3_600).outcome, Outcome::Undecided);
    let mut silent = flat(10, 3_400, allowed);
    silent.close(at(3_600));
    assert!(
        said(&silent, 3_600)
            .reason
            .contains("no reading at the end")
    );
    let mut missing = flat(10, 3_590, allowed);
    read(&mut missing, 3_600, &[]);
    missing.close(at(3_600));
    assert!(said(&missing, 3_600).reason.contains("no longer there"));
}

#[test]
fn without_floors_nothing_is_allowed() {
    let mut plan = plan();
    plan.max_growth = Some(Rate::Bytes((5 * MIB) as f64));
    let cart = unit("cart.service");
    let mut soak = begun(&[&cart], plan);
    // A floor is the least of a tooth, and there are four of them.
    for second in (1..=360).map(|turn| turn * 10) {
        let mut one = series(&cart, second, 3);
        let tooth = (second % 840) as u64;
        one.now.as_mut().unwrap().anon_bytes = 64 * MIB + tooth * 64 * 1024;
        soak.answer(&answer(vec![one]), at(second));
    }
    soak.close(at(3_600));
    assert!(soak.targets[0].is_judged() && !soak.targets[0].has_trend());
    let finding = said(&soak, 3_600);
    assert_eq!(finding.outcome, Outcome::Undecided);
    assert!(finding.reason.contains("too few floors"), "{finding:?}");
}
