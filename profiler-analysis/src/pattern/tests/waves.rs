//! Clients that start one after the other, go one after the other, and come again when the last
//! has gone: nearly every connection sees others close.

use super::confusion::{RUN, TRUTHS, tally};
use super::heap::Memory;
use super::random::Random;
use super::server::{Bound, Opening, Run, Sizes, serve};
use crate::pattern::{Evidence, Pattern, Point, judge};

/// Connections open 50 ms apart and make a request every 50 ms.
const WAVES: Run = Run {
    opening: Opening::Waves(10),
    calls: (8, 40),
    bound: Bound::First(4),
    ..RUN
};
/// A request every 20 ms.
const LONG: Run = Run {
    calls: (200, 400),
    spacing: 2.5,
    ..WAVES
};
const SIZES: [Sizes; 2] = [Sizes::Fixed, Sizes::Blocks];

fn expect(run: Run, seeds: u64) {
    for truth in TRUTHS {
        let said = tally(run, truth, seeds);
        assert_eq!(said.wrong, 0, "{run:?} {truth:?}: {said:?}");
        let enough = 19 * seeds <= 20 * said.right;
        assert!(enough, "{run:?} {truth:?}: {said:?}");
    }
}

#[test]
fn each_truth_is_named_after_short_lives() {
    for sizes in SIZES {
        for spacing in [0.6, 1.0] {
            expect(
                Run {
                    sizes,
                    spacing,
                    ..WAVES
                },
                200,
            );
        }
    }
}

#[test]
fn each_truth_is_named_after_long_lives() {
    for sizes in SIZES {
        expect(Run { sizes, ..LONG }, 40);
    }
}

#[test]
fn what_is_freed_inside_an_allocator_is_never_said_to_stay() {
    let memories = [
        Memory::Allocator(4096),
        Memory::Allocator(135_168),
        Memory::Allocator(262_144),
        Memory::Classes,
    ];
    for memory in memories {
        for sizes in [Sizes::Fixed, Sizes::Blocks, Sizes::Uniform] {
            for truth in TRUTHS.into_iter().filter(|truth| truth.released) {
                let run = Run {
                    memory,
                    sizes,
                    ..WAVES
                };
                let said = tally(run, truth, 40);
                assert_eq!(said.wrong, 0, "{run:?} {truth:?}: {said:?}");
            }
        }
    }
}

/// What an allocator had free before anything was seen makes the early ones demand less.
#[test]
fn an_allocator_that_had_memory_before_is_not_said_to_keep() {
    for warm in [1_000_000, 5_000_000, 15_000_000] {
        for truth in TRUTHS.into_iter().filter(|truth| truth.released) {
            let run = Run {
                memory: Memory::Allocator(4096),
                sizes: Sizes::Blocks,
                warm,
                ..WAVES
            };
            for seed in 0..40 {
                let truths = vec![truth; run.connections];
                let said = judge(&serve(run, &truths, &mut Random::new(seed))).pattern;
                let keeps = [Pattern::PerRequest, Pattern::RetainedAfterClose];
                assert!(!keeps.contains(&said), "{warm} {truth:?}: {said:?}");
            }
        }
    }
}

#[test]
fn half_that_is_freed_inside_an_allocator_stays_undetermined() {
    for memory in [Memory::Allocator(4096), Memory::Classes] {
        for (one, other) in [(0, 3), (1, 2)] {
            for seed in 0..50 {
                let mut random = Random::new(seed);
                let mut truths = [[TRUTHS[one]; 10], [TRUTHS[other]; 10]].concat();
                random.shuffle(&mut truths);
                let run = Run { memory, ..WAVES };
                let said = judge(&serve(run, &truths, &mut random));
                assert_eq!(said.pattern, Pattern::Undetermined, "{seed} {said:?}");
            }
        }
    }
}

/// Of wave 0 or 1; demands as much in every call after `quiet` ones, 2 MB in all.
fn rising(wave: u64, quiet: u64) -> Evidence {
    let calls = 20;
    let size = 2_000_000 / (calls - quiet);
    let point = |call| Point {
        calls: call,
        allocated: (call - quiet) * size,
        live: (call - quiet) * size,
    };
    let curve: Vec<Point> = (quiet + 1..=calls).map(point).collect();
    let live = curve.last().map_or(0, |last| last.live);
    Evidence {
        opened: 1000 * wave + 1,
        closed: Some(1000 * wave + 500),
        calls,
        allocated: live,
        live,
        peak: live,
        live_at_close: live,
        live_after_close: Some(live),
        curve,
        pool: 20_000_000 * wave,
        ..Evidence::default()
    }
}

/// Later connections may need more than early ones. They then take first what was free.
#[test]
fn demand_that_begins_when_what_was_free_is_used_up_does_not_show_that_memory_stays() {
    let waves = |quiet| [vec![rising(0, 0); 10], vec![rising(1, quiet); 10]].concat();
    assert_eq!(judge(&waves(0)).pattern, Pattern::PerRequest);
    assert_eq!(judge(&waves(10)).pattern, Pattern::Undetermined);
}

/// Those that demand nothing of their own had something free.
#[test]
fn half_of_the_later_ones_with_twice_the_demand_do_not_speak_for_the_rest() {
    let double = |mut one: Evidence| {
        for bytes in [
            &mut one.allocated,
            &mut one.live,
            &mut one.peak,
            &mut one.live_at_close,
        ] {
            *bytes *= 2;
        }
        one.live_after_close = Some(one.live);
        for point in &mut one.curve {
            (point.allocated, point.live) = (2 * point.allocated, 2 * point.live);
        }
        one
    };
    let nothing = Evidence {
        allocated: 0,
        live: 0,
        peak: 0,
        live_at_close: 0,
        live_after_close: Some(0),
        curve: Vec::new(),
        ..rising(1, 0)
    };
    let early = vec![rising(0, 0); 60];
    let later = [vec![double(rising(1, 0)); 60], vec![nothing; 60]].concat();
    let said = judge(&[early, later].concat());
    assert_eq!(said.pattern, Pattern::Undetermined, "{said:?}");
}
