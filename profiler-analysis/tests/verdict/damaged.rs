//! Engines that were written down and came back otherwise.

use std::sync::LazyLock;

use profiler_analysis::verdict::{Engine, EngineLimits, LifeEnd, Rules, Sample};
use proptest::prelude::*;

use crate::run::{MIB, Run, STEP};

/// Of an engine with a life that is over and one that grows in teeth.
static WRITTEN: LazyLock<String> = LazyLock::new(|| {
    let mut run = Run::new();
    let teeth = |hour: f64| 200.0 + 30.0 * hour + 60.0 * (hour * 5.0).fract();
    run.hours(2.0, teeth).end(LifeEnd::Ended).hours(3.0, teeth);
    serde_json::to_string(&run.engine).expect("it is plain data")
});

/// Reads it, and uses what is left for an hour.
fn used(text: &str) {
    let Ok(read) = serde_json::from_str::<Engine<u32>>(text) else {
        return;
    };
    let Some(mut engine) = read.resumed(&Rules::default(), EngineLimits::default()) else {
        return;
    };
    let mut run = Run::new();
    for step in 0..360 {
        run.now += STEP;
        let bytes = (300.0 + f64::from(step)) * MIB;
        let sample = Sample {
            time: run.now,
            bytes: bytes as u64,
            limit: run.limit,
            ..Sample::default()
        };
        engine.observe(&1, &run.start, sample);
        engine.judge(run.now);
    }
    engine.ended(&1, run.now, LifeEnd::OomKilled);
    serde_json::to_string(&engine).expect("its numbers are numbers");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_engine_is_refused_or_can_be_used(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0..10_u8), 1..40),
    ) {
        let mut text = WRITTEN.clone().into_bytes();
        let digits: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_digit()).collect();
        for (at, digit) in damage {
            text[digits[at.index(digits.len())]] = b'0' + digit;
        }
        used(&String::from_utf8(text).expect("digits are text"));
    }

    #[test]
    fn an_engine_with_numbers_that_cannot_be_is_refused_or_can_be_used(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just("0"), Just("18446744073709551615"), Just("1e300"), Just("-1"), Just("65535")]), 1..12),
    ) {
        let mut parts: Vec<String> = WRITTEN.split_inclusive([':', ',', '[']).map(str::to_owned).collect();
        let numbers: Vec<usize> = (0..parts.len()).filter(|at| parts[*at].starts_with(|first: char| first.is_ascii_digit())).collect();
        for (at, number) in damage {
            let part = &mut parts[numbers[at.index(numbers.len())]];
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.e".contains(c)).to_owned();
            *part = format!("{number}{rest}");
        }
        used(&parts.concat());
    }
}

#[test]
fn an_engine_that_is_cut_off_is_refused() {
    used(&WRITTEN[..WRITTEN.len() / 2]);
    assert!(serde_json::from_str::<Engine<u32>>(&WRITTEN[..WRITTEN.len() / 2]).is_err());
}
