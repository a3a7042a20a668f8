//! Servers that the evidence cannot tell apart: the answer says so.

use super::confusion::{RUN, TRUTHS};
use super::heap::Memory;
use super::random::Random;
use super::server::{Opening, Run, Truth, serve};
use crate::pattern::{Judgement, Pattern, judge};

const MEMORIES: [Memory; 3] = [
    Memory::Mapped,
    Memory::Allocator(4096),
    Memory::Allocator(262_144),
];
const OPENINGS: [Opening; 4] = [
    Opening::Together,
    Opening::Groups(10),
    Opening::Groups(5),
    Opening::Staggered(5),
];

fn undetermined(run: Run, truths: &[Truth], seeds: u64) {
    for seed in 0..seeds {
        let said = judge_mixed(run, truths, seed);
        assert_eq!(
            said.pattern,
            Pattern::Undetermined,
            "seed {seed} {run:?}: {said:?}"
        );
        assert!(!said.reason.is_empty());
    }
}

#[test]
fn all_connections_are_open() {
    for memory in MEMORIES {
        for truth in TRUTHS {
            let run = Run {
                memory,
                closes: false,
                ..RUN
            };
            undetermined(run, &[truth; 20], 10);
        }
    }
}

#[test]
fn every_connection_makes_one_call() {
    for memory in MEMORIES {
        for opening in OPENINGS {
            for truth in TRUTHS {
                let run = Run {
                    memory,
                    opening,
                    calls: (1, 1),
                    ..RUN
                };
                undetermined(run, &[truth; 20], 10);
            }
        }
    }
}

#[test]
fn memory_stays_and_no_connection_came_later() {
    for memory in MEMORIES {
        for truth in TRUTHS {
            if memory == Memory::Mapped && truth.released {
                continue;
            }
            undetermined(Run { memory, ..RUN }, &[truth; 20], 10);
        }
    }
}

/// Each truth by itself would be named. In an allocator, what was free is known as a sum only, and
/// of ten connections chance makes eight or more of one kind in one run of 80: there this asks for
/// one error in 50 at most.
#[test]
fn half_the_connections_behave_otherwise() {
    let pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
    let half = |one, other| [[TRUTHS[one]; 10], [TRUTHS[other]; 10]].concat();
    for opening in OPENINGS {
        for (one, other) in pairs {
            undetermined(Run { opening, ..RUN }, &half(one, other), 20);
            let run = Run {
                opening,
                memory: Memory::Allocator(4096),
                ..RUN
            };
            let named = (0..50)
                .filter(|seed| names(run, &half(one, other), *seed))
                .count();
            assert!(named <= 1, "{run:?} {one} {other}: {named}");
        }
    }
}

fn names(run: Run, truths: &[Truth], seed: u64) -> bool {
    judge_mixed(run, truths, seed).pattern != Pattern::Undetermined
}

fn judge_mixed(run: Run, truths: &[Truth], seed: u64) -> Judgement {
    let mut random = Random::new(seed);
    let mut truths = truths.to_vec();
    random.shuffle(&mut truths);
    judge(&serve(run, &truths, &mut random))
}

#[test]
fn reasons_say_what_is_missing() {
    let reason = |run, truth| judge_mixed(run, &[truth; 20], 1).reason;
    let open = Run {
        closes: false,
        ..RUN
    };
    assert!(reason(open, TRUTHS[0]).starts_with("no connection of this class has closed yet"));
    assert!(reason(RUN, TRUTHS[3]).ends_with("no connection has opened since that would tell"));
    let early = Run { waited: 5, ..RUN };
    assert!(reason(early, TRUTHS[3]).contains("30 s ago"));
}
