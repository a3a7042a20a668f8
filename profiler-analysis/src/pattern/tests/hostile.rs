//! Evidence that makes no sense: an answer all the same, in finite numbers.

use super::random::Random;
use crate::pattern::{Evidence, Interval, Judgement, Pattern, Point, judge};

fn number(random: &mut Random) -> u64 {
    match random.between(0, 5) {
        0 => 0,
        1 => u64::MAX,
        2 => random.between(0, 10),
        3 => random.between(0, 1 << 20),
        4 => 1 << random.between(0, 63),
        _ => random.next(),
    }
}

fn maybe(random: &mut Random) -> Option<u64> {
    (random.unit() < 0.7).then(|| number(random))
}

fn evidence(random: &mut Random) -> Evidence {
    let points = random.between(0, 12);
    let point = |random: &mut Random| Point {
        calls: number(random),
        allocated: number(random),
        live: number(random),
    };
    Evidence {
        opened: number(random),
        found: random.unit() < 0.2,
        closed: maybe(random),
        calls: number(random),
        allocated: number(random),
        live: number(random),
        peak: number(random),
        live_at_close: number(random),
        live_after_close: maybe(random),
        curve: (0..points).map(|_| point(random)).collect(),
        pool: if random.unit() < 0.5 {
            0
        } else {
            number(random)
        },
    }
}

fn assert_finite(said: &Judgement) {
    let interval = |it: Interval| [it.value, it.low, it.high];
    let figures = said.late_growth.into_iter().flat_map(interval);
    let figures = figures.chain(said.released_share).chain(said.refill_ratio);
    for figure in figures.chain([said.bytes_per_connection, said.bytes_per_call]) {
        assert!(figure.is_finite(), "{said:?}");
    }
    assert!(
        said.released_share
            .is_none_or(|share| (0.0..=1.0).contains(&share))
    );
    assert!(!said.reason.is_empty());
}

#[test]
fn absurd_evidence_gives_finite_figures() {
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let count = random.between(0, 30);
        let evidence: Vec<_> = (0..count).map(|_| evidence(&mut random)).collect();
        assert_finite(&judge(&evidence));
    }
}

#[test]
fn extremes_give_finite_figures() {
    let all = |number: u64| Evidence {
        opened: number,
        closed: Some(number),
        calls: number,
        allocated: number,
        live: number,
        peak: number,
        live_at_close: number,
        live_after_close: Some(number),
        curve: vec![
            Point {
                calls: number,
                allocated: number,
                live: number
            };
            3
        ],
        ..Evidence::default()
    };
    for count in [0, 1, 2, 5, 20] {
        for number in [0, 1, 8, u64::MAX] {
            assert_finite(&judge(&vec![all(number); count]));
        }
    }
}

#[test]
fn nothing_is_said_of_nothing() {
    let said = judge(&[]);
    assert_eq!(said.pattern, Pattern::Undetermined);
    assert_eq!((said.connections, said.closed, said.judged), (0, 0, 0));
}
