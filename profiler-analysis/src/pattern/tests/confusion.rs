//! Servers whose evidence suffices: the right pattern in 19 of 20 runs, and no wrong one.

use super::heap::Memory;
use super::random::Random;
use super::server::{Bound, Opening, Run, Sizes, Truth, serve};
use crate::pattern::{Pattern, judge};

pub(super) const TRUTHS: [Truth; 4] = [
    Truth {
        rising: true,
        released: true,
    },
    Truth {
        rising: false,
        released: true,
    },
    Truth {
        rising: false,
        released: false,
    },
    Truth {
        rising: true,
        released: false,
    },
];

pub(super) const SHORT: (u64, u64) = (5, 40);
pub(super) const LONG: (u64, u64) = (100, 3000);

pub(super) const RUN: Run = Run {
    memory: Memory::Mapped,
    opening: Opening::Together,
    connections: 20,
    spacing: 1.0,
    calls: SHORT,
    sizes: Sizes::Fixed,
    bound: Bound::Any(5),
    scratch: 0,
    frees_first: false,
    closes: true,
    warm: 0,
    waited: 60,
};

/// What was said of runs of one truth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) right: u64,
    pub(super) undetermined: u64,
    pub(super) wrong: u64,
}

pub(super) fn tally(run: Run, truth: Truth, seeds: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..seeds {
        let truths = vec![truth; run.connections];
        let said = judge(&serve(run, &truths, &mut Random::new(seed)));
        match said.pattern {
            pattern if pattern == truth.pattern() => tally.right += 1,
            Pattern::Undetermined => tally.undetermined += 1,
            _ => tally.wrong += 1,
        }
        assert!(!said.reason.is_empty());
    }
    tally
}

/// Long lives are slow to simulate.
fn seeds(run: Run) -> u64 {
    if run.calls == LONG { 4 } else { 40 }
}

fn expect(run: Run, truths: impl IntoIterator<Item = Truth>) {
    for truth in truths {
        let said = tally(run, truth, seeds(run));
        assert_eq!(said.wrong, 0, "{run:?} {truth:?}: {said:?}");
        let enough = 19 * seeds(run) <= 20 * said.right;
        assert!(enough, "{run:?} {truth:?}: {said:?}");
    }
}

fn with_sizes(run: Run) -> [Run; 2] {
    [Sizes::Fixed, Sizes::Uniform].map(|sizes| Run { sizes, ..run })
}

fn of(released: bool) -> impl Iterator<Item = Truth> {
    TRUTHS
        .into_iter()
        .filter(move |truth| truth.released == released)
}

#[test]
fn memory_that_close_unmaps() {
    for calls in [SHORT, LONG] {
        for opening in [
            Opening::Together,
            Opening::Groups(10),
            Opening::Staggered(5),
        ] {
            for run in with_sizes(Run {
                calls,
                opening,
                ..RUN
            }) {
                expect(run, of(true));
                expect(
                    Run {
                        scratch: 400_000,
                        ..run
                    },
                    of(true).filter(|truth| truth.rising),
                );
            }
            expect(
                Run {
                    calls,
                    opening,
                    frees_first: true,
                    ..RUN
                },
                of(true),
            );
        }
    }
}

#[test]
fn memory_that_stays_while_others_come() {
    for memory in [Memory::Mapped, Memory::Allocator(4096)] {
        for calls in [SHORT, LONG] {
            for opening in [
                Opening::Groups(10),
                Opening::Groups(5),
                Opening::Staggered(5),
            ] {
                expect(
                    Run {
                        memory,
                        calls,
                        opening,
                        ..RUN
                    },
                    of(false),
                );
            }
        }
    }
}

#[test]
fn memory_that_close_frees_inside_the_allocator() {
    for calls in [SHORT, LONG] {
        let opening = Opening::Groups(10);
        let memory = Memory::Allocator(4096);
        expect(
            Run {
                memory,
                calls,
                opening,
                ..RUN
            },
            of(true),
        );
    }
}

#[test]
fn requests_of_random_sizes_through_an_allocator() {
    for memory in [Memory::Mapped, Memory::Allocator(4096)] {
        let opening = Opening::Groups(10);
        let run = Run {
            memory,
            opening,
            sizes: Sizes::Uniform,
            ..RUN
        };
        let rising = |truth: &Truth| truth.rising;
        expect(run, of(false).filter(rising));
        expect(
            Run { calls: LONG, ..run },
            of(true).chain(of(false)).filter(rising),
        );
    }
}

#[test]
fn connections_of_few_calls_are_compared() {
    for opening in [Opening::Together, Opening::Staggered(5)] {
        let run = Run {
            calls: (1, 7),
            opening,
            connections: 40,
            bound: Bound::Any(2),
            ..RUN
        };
        expect(run, of(true).filter(|truth| !truth.rising));
        let rising = tally(run, TRUTHS[0], 40);
        assert_eq!((rising.undetermined, rising.wrong), (40, 0), "{rising:?}");
    }
}

/// Few connections, uneven requests, growth in large steps: often too little to tell, never enough
/// to err.
#[test]
fn evidence_that_may_not_suffice_misleads_nobody() {
    let memories = [
        Memory::Mapped,
        Memory::Allocator(135_168),
        Memory::Allocator(262_144),
    ];
    for memory in memories {
        for opening in [Opening::Groups(7), Opening::Staggered(1), Opening::Ramp] {
            for scratch in [0, 400_000] {
                let sizes = Sizes::Exponential;
                let run = Run {
                    memory,
                    opening,
                    sizes,
                    scratch,
                    ..RUN
                };
                for truth in TRUTHS {
                    let said = tally(run, truth, 10);
                    assert_eq!(said.wrong, 0, "{run:?} {truth:?}: {said:?}");
                }
            }
        }
    }
}
