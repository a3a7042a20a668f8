//! Evidence that looks like an answer and is none.

use super::confusion::{RUN, TRUTHS};
use super::heap::Memory;
use super::random::Random;
use super::server::{Opening, Run, serve};
use crate::pattern::{Evidence, Pattern, Point, judge};

const MEGABYTE: u64 = 1 << 20;
const REFILLED: Run = Run {
    memory: Memory::Allocator(4096),
    opening: Opening::Groups(10),
    ..RUN
};

/// A connection of 40 calls that demanded once, and gave it back at close.
fn once(call: u64, bytes: u64) -> Evidence {
    Evidence {
        closed: Some(1),
        calls: 40,
        allocated: bytes,
        peak: bytes,
        live_at_close: bytes,
        live_after_close: Some(0),
        curve: vec![Point {
            calls: call,
            allocated: bytes,
            live: bytes,
        }],
        ..Evidence::default()
    }
}

fn pattern(evidence: &[Evidence]) -> Pattern {
    judge(evidence).pattern
}

#[test]
fn one_demand_by_connection_is_no_rise_whenever_it_comes() {
    let spread: Vec<_> = (1..=40).map(|call| once(call, MEGABYTE)).collect();
    assert_eq!(pattern(&spread), Pattern::Undetermined);
    let late = vec![once(39, MEGABYTE); 20];
    assert_eq!(pattern(&late), Pattern::Undetermined);
    let first = vec![once(1, MEGABYTE); 20];
    assert_eq!(pattern(&first), Pattern::BoundedPerConnection);
}

#[test]
fn no_late_growth_by_chance_is_no_plateau() {
    let calls = [4, 12, 20, 24, 28];
    let few: Vec<_> = calls.map(|call| once(call, MEGABYTE)).into();
    assert_eq!(pattern(&few), Pattern::Undetermined);
}

#[test]
fn large_connections_do_not_speak_for_the_number_of_small_ones() {
    let kept = Evidence {
        live: MEGABYTE,
        live_after_close: Some(MEGABYTE),
        ..once(1, MEGABYTE)
    };
    let mixed = [vec![once(1, 20 * MEGABYTE); 10], vec![kept; 6]].concat();
    let said = judge(&mixed);
    assert_eq!(said.pattern, Pattern::Undetermined);
    assert!(said.reason.starts_with("mixed"), "{said:?}");
    assert!(said.released_share.is_some_and(|share| share > 0.9));
}

#[test]
fn memory_that_another_class_left_shows_no_release() {
    let mut evidence = serve(REFILLED, &[TRUTHS[0]; 20], &mut Random::new(1));
    assert_eq!(pattern(&evidence), Pattern::RetainedWhileOpen);
    evidence.iter_mut().for_each(|one| one.pool *= 10);
    assert_eq!(pattern(&evidence), Pattern::Undetermined);
}

#[test]
fn a_few_later_connections_do_not_show_that_all_was_free() {
    let evidence = serve(REFILLED, &[TRUTHS[0]; 14], &mut Random::new(1));
    assert_eq!(pattern(&evidence), Pattern::Undetermined);
}

#[test]
fn a_few_early_connections_do_not_show_how_all_rise() {
    let opening = Opening::Groups(7);
    let calls = (20, 40);
    let run = Run {
        opening,
        calls,
        ..REFILLED
    };
    let said = judge(&serve(run, &[TRUTHS[0]; 14], &mut Random::new(1)));
    assert_eq!(said.pattern, Pattern::Undetermined);
    assert!(said.reason.contains("too few connections came"), "{said:?}");
}

#[test]
fn many_connections_of_which_half_were_freed_stay_undetermined() {
    for (one, other) in [(0, 3), (1, 2)] {
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let mut truths = [[TRUTHS[one]; 40], [TRUTHS[other]; 40]].concat();
            random.shuffle(&mut truths);
            let opening = Opening::Groups(40);
            let evidence = serve(
                Run {
                    opening,
                    ..REFILLED
                },
                &truths,
                &mut random,
            );
            assert_eq!(pattern(&evidence), Pattern::Undetermined);
        }
    }
}
