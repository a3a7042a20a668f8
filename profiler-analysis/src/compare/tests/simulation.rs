//! How often the bands hold the truth, and how often an answer is wrong.

use super::truth::{MIB, Truth};
use crate::compare::{Comparison, Margin, Outcome, Question, compare, random::Random};

const RUNS: u64 = 200;

fn runs(old: Truth, new: Truth) -> Vec<Comparison> {
    let question = Question {
        margin: Margin::Bytes(MIB),
        draws: 300,
        ..Question::default()
    };
    (0..RUNS)
        .map(|run| {
            let mut random = Random::new(run);
            let (old, new) = (old.life(&mut random), new.life(&mut random));
            compare(&[old], &[new], &question)
        })
        .collect()
}

fn share(all: &[Comparison], fits: impl Fn(&Comparison) -> bool) -> f64 {
    all.iter().filter(|one| fits(one)).count() as f64 / all.len() as f64
}

#[test]
fn the_band_of_95_percent_holds_the_truth_that_often() {
    for (memory, minutes) in [(0.0, 60), (0.5, 60), (0.5, 180), (0.8, 360)] {
        let old = Truth {
            memory,
            minutes,
            ..Truth::default()
        };
        let new = Truth {
            per_hour: 3.0 * MIB,
            ..old
        };
        let held = share(&runs(old, new), |one| {
            let band = one.figures.as_ref().unwrap().slope_difference;
            band.lower <= 3.0 * MIB && 3.0 * MIB <= band.upper
        });
        assert!((0.88..=0.99).contains(&held), "{memory} {minutes}: {held}");
    }
}

#[test]
fn a_canary_at_the_margin_passes_or_fails_rarely() {
    let old = Truth::default();
    let new = Truth {
        per_hour: MIB,
        ..old
    };
    let all = runs(old, new);
    let (failed, passed) = (
        share(&all, |one| one.outcome == Outcome::Fail),
        share(&all, |one| one.outcome == Outcome::Pass),
    );
    assert!(failed <= 0.06 && passed <= 0.06, "{failed} {passed}");
}

#[test]
fn equal_versions_pass_and_a_leak_is_found() {
    let old = Truth::default();
    let leak = Truth {
        per_hour: 5.0 * MIB,
        ..old
    };
    let equal = runs(old, old);
    assert!(share(&equal, |one| one.outcome == Outcome::Fail) <= 0.01);
    assert!(share(&equal, |one| one.outcome == Outcome::Pass) >= 0.9);
    assert!(share(&runs(old, leak), |one| one.outcome == Outcome::Fail) >= 0.95);
    // Both leak alike: the new version is no worse.
    assert!(share(&runs(leak, leak), |one| one.outcome == Outcome::Fail) <= 0.01);
}
