//! What is said of clear cases, and of odd ones.

use std::slice::from_ref;

use super::truth::{MIB, Truth};
use crate::compare::{
    Ages, Comparison, Life, Margin, Outcome, Question, Window, compare, random::Random,
};

fn asked(old: Truth, new: Truth) -> Comparison {
    let mut random = Random::new(3);
    let (old, new) = (old.life(&mut random), new.life(&mut random));
    compare(&[old], &[new], &Question::default())
}

#[test]
fn lives_are_cut_to_the_ages_that_both_have() {
    let long = Truth {
        minutes: 600,
        ..Truth::default()
    };
    let figures = asked(long, Truth::default()).figures.unwrap();
    assert_eq!(
        figures.ages,
        Ages {
            from: 600.0,
            to: 10_800.0
        }
    );
    assert_eq!((figures.bins, figures.bin_seconds as u32), (170, 60));
    assert_eq!(figures.slope_difference_at_equal_load, None);
    // One percent of the baseline's floor.
    assert!((2.0..2.3).contains(&(figures.margin_bytes_per_hour / MIB)));
}

#[test]
fn without_an_age_in_common_nothing_is_said() {
    let mut random = Random::new(1);
    let whole = Truth::default().life(&mut random);
    let old: Life = whole[120..].to_vec();
    let new: Life = whole[..60].to_vec();
    let said = compare(&[old], &[new], &Question::default());
    assert_eq!(said.outcome, Outcome::Inconclusive);
    assert!(
        said.reason.contains("baseline are of ages 2.0 h to 3.0 h")
            && said.reason.contains("canary 0 s to 60 min"),
        "{}",
        said.reason
    );
    let short: Life = whole[..20].to_vec();
    let said = compare(from_ref(&whole), &[short], &Question::default());
    assert!(
        said.reason
            .contains("10 stretches of 60 s, and 12 are needed"),
        "{}",
        said.reason
    );
    let said = compare(&[], &[whole], &Question::default());
    assert_eq!(said.reason, "the baseline has no readings");
}

#[test]
fn windows_of_different_length_are_put_side_by_side() {
    let mut random = Random::new(5);
    let fine = Truth::default().life(&mut random);
    let coarse: Life = fine
        .chunks(4)
        .map(|four| Window {
            seconds: 240.0,
            floor: four.iter().map(|one| one.floor).fold(f64::MAX, f64::min),
            ..four[3]
        })
        .collect();
    let said = compare(&[fine], &[coarse], &Question::default());
    let figures = said.figures.unwrap();
    assert_eq!(figures.bin_seconds as u32, 240);
    assert!(
        figures.slope_difference.value.abs() < 0.3 * MIB,
        "{figures:?}"
    );
}

#[test]
fn bytes_per_request_are_those_that_were_put_in() {
    let old = Truth {
        calls: 10.0,
        per_hour: 36_000.0 * 400.0,
        noise: 0.1 * MIB,
        ..Truth::default()
    };
    let new = Truth {
        per_hour: 2.0 * old.per_hour,
        ..old
    };
    let question = Question {
        ages: Ages {
            from: 7_200.0,
            to: f64::INFINITY,
        },
        ..Question::default()
    };
    let mut random = Random::new(3);
    let said = compare(
        &[old.life(&mut random)],
        &[new.life(&mut random)],
        &question,
    );
    assert_eq!(said.outcome, Outcome::Fail);
    let figures = said.figures.unwrap();
    let by_request = figures.baseline.bytes_per_request.unwrap();
    assert!((by_request.value - 400.0).abs() < 20.0, "{by_request:?}");
    let ratio = figures.bytes_per_request_ratio.unwrap();
    assert!(
        ratio.lower < 2.0 && 2.0 < ratio.upper && ratio.upper < 2.3,
        "{ratio:?}"
    );
}

#[test]
fn a_canary_that_is_called_less_is_not_let_through_for_it() {
    let old = Truth {
        calls: 100.0,
        ..Truth::default()
    };
    let new = Truth {
        calls: 5.0,
        per_hour: MIB,
        noise: 0.05 * MIB,
        ..old
    };
    let said = asked(old, new);
    assert_eq!(said.outcome, Outcome::Inconclusive);
    assert!(
        said.reason.contains("5.00 calls/s against 100.00") && said.reason.contains("same load"),
        "{}",
        said.reason
    );
}

#[test]
fn a_side_that_is_never_called_is_not_compared() {
    let called = Truth {
        calls: 100.0,
        ..Truth::default()
    };
    for (old, new, idle) in [
        (called, Truth::default(), "the canary was not called"),
        (Truth::default(), called, "the baseline was not called"),
    ] {
        let said = asked(old, new);
        assert_eq!(said.outcome, Outcome::Inconclusive, "{}", said.reason);
        assert!(said.reason.contains(idle), "{}", said.reason);
    }
}

#[test]
fn gaps_and_standstill_are_survived() {
    let mut random = Random::new(1);
    let flat = Truth {
        noise: 0.0,
        floor: 0.0,
        ..Truth::default()
    };
    let question = Question {
        margin: Margin::Bytes(1.0),
        ..Question::default()
    };
    let life = flat.life(&mut random);
    let said = compare(from_ref(&life), from_ref(&life), &question);
    let difference = said.figures.unwrap().slope_difference;
    assert!(difference.value.abs() < 1e-3);
    let holed: Life = life
        .iter()
        .copied()
        .filter(|one| (one.age as u32 / 60).is_multiple_of(3))
        .collect();
    let said = compare(&[life], &[holed], &question);
    assert!(
        said.reason.contains("gaps in the readings"),
        "{}",
        said.reason
    );
    let nonsense = vec![
        Window {
            age: f64::NAN,
            seconds: f64::INFINITY,
            floor: f64::NAN,
            calls: -1.0,
        };
        40
    ];
    let said = compare(from_ref(&nonsense), from_ref(&nonsense), &question);
    assert_eq!(said.outcome, Outcome::Inconclusive);
}

#[test]
fn the_same_lives_give_the_same_answer() {
    assert_eq!(
        asked(Truth::default(), Truth::default()),
        asked(Truth::default(), Truth::default())
    );
}
