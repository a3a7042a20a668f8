//! Readings as they should not be.

use profiler_analysis::verdict::{
    Engine, EngineLimits, LifeEnd, LifeStart, Load, Rules, Sample, Series,
};
use proptest::prelude::*;

const WINDOW: u64 = 60_000_000_000;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(1),
        any::<u64>(),
        0..10_000_000_000_000_u64
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    let load = (number(), number(), number());
    (number(), number(), proptest::option::of(number()), load).prop_map(
        |(time, bytes, limit, load)| Sample {
            time,
            bytes,
            limit,
            load: Load {
                received_bytes: load.0,
                received_calls: load.1,
                open_connections: load.2,
            },
        },
    )
}

proptest! {
    #[test]
    fn no_reading_breaks_the_engine_and_its_numbers_are_numbers(
        samples in proptest::collection::vec((sample(), 0..3_u8, 0..9_u8), 1..200),
        steps in proptest::collection::vec((1..200_000_000_000_u64, number()), 0..400),
    ) {
        let mut engine = Engine::new(Rules::default(), EngineLimits::default());
        let mut time = 0_u64;
        let steady = steps.iter().map(|(step, bytes)| {
            time += step;
            (Sample { time, bytes: *bytes, limit: Some(*bytes), load: Load::default() }, 3, 8)
        });
        for (sample, key, what) in steady.chain(samples) {
            let start = LifeStart { lineage: "x".into(), began: sample.time & 1, label: String::new() };
            engine.observe(&key, &start, sample);
            if what == 0 {
                engine.ended(&key, sample.time, LifeEnd::OomKilled);
            }
            engine.judge(sample.time);
        }
        let text = serde_json::to_string(&engine).expect("it is plain data");
        prop_assert!(!text.contains("null,\"value\""));
        let read: Engine<u8> = serde_json::from_str(&text).expect("numbers are numbers");
        let mut read = read.resumed(&Rules::default(), EngineLimits::default()).expect("the same window");
        prop_assert_eq!(read.status().series, engine.status().series);
        read.judge(u64::MAX);
    }

    #[test]
    fn minima_and_maxima_of_windows_are_those_of_all_readings_in_them(
        steps in proptest::collection::vec((1..90_000_000_000_u64, any::<u64>()), 1..1500),
        gap in 0..100_u64,
    ) {
        let mut series = Series::new(0, &Rules::default());
        let mut time = gap * WINDOW;
        let mut readings = Vec::new();
        for (number, (step, bytes)) in steps.iter().enumerate() {
            time += step + if number % 400 == 399 { gap * WINDOW } else { 0 };
            readings.push((time, *bytes));
            series.push(Sample { time, bytes: *bytes, ..Sample::default() });
        }
        let points = series.points();
        prop_assert!(!points.is_empty());
        let mut until = 0;
        for point in &points {
            let start = point.time - point.length;
            prop_assert!(start >= until, "windows overlap");
            until = point.time;
            let inside = || readings.iter().filter(|(at, _)| start <= *at && *at < point.time).map(|(_, bytes)| *bytes);
            prop_assert_eq!(inside().min(), Some(point.min));
            prop_assert_eq!(inside().max(), Some(point.max));
        }
        let covered = |at: u64| points.iter().any(|point| point.time - point.length <= at && at < point.time);
        let oldest = points[0].time - points[0].length;
        prop_assert!(readings.iter().filter(|(at, _)| *at >= oldest).all(|(at, _)| covered(*at)), "a reading is in no window");
    }
}

#[test]
fn an_engine_of_other_windows_is_not_resumed() {
    let engine: Engine<u8> = Engine::new(Rules::default(), EngineLimits::default());
    let other = Rules {
        window: std::time::Duration::from_secs(1),
    };
    assert!(engine.resumed(&other, EngineLimits::default()).is_none());
}

#[test]
fn series_and_lineages_are_bounded_and_what_finds_no_room_is_counted() {
    let limits = EngineLimits {
        series: 3,
        lineages: 2,
        lives: 2,
    };
    let mut engine = Engine::new(Rules::default(), limits);
    for key in 0..5_u32 {
        let start = LifeStart {
            lineage: key.to_string(),
            began: 0,
            label: String::new(),
        };
        for time in [1, 2 * WINDOW] {
            let sample = Sample {
                time,
                ..Sample::default()
            };
            engine.observe(&key, &start, sample);
        }
    }
    assert_eq!(
        (engine.status().series, engine.status().series_refused),
        (3, 2)
    );
    for key in 0..3 {
        engine.ended(&key, 3 * WINDOW, LifeEnd::Ended);
    }
    let status = engine.status();
    assert_eq!(
        (status.series, status.lineages, status.lineages_dropped),
        (0, 2, 1)
    );
}

#[test]
fn a_life_is_remembered_by_its_last_lineage_and_what_is_to_be_forgotten_is() {
    let mut engine = Engine::new(Rules::default(), EngineLimits::default());
    let mut observe = |key: u8, lineage: &str, time| {
        let start = LifeStart {
            lineage: lineage.to_owned(),
            began: 1,
            label: String::new(),
        };
        let sample = Sample {
            time,
            ..Sample::default()
        };
        engine.observe(&key, &start, sample);
        engine.clone()
    };
    observe(1, "shell", 2);
    observe(1, "service", 3);
    let mut engine = observe(2, "job", 4);
    engine.ended(&1, 5, LifeEnd::OomKilled);
    engine.forget(&2);
    assert_eq!((engine.status().series, engine.status().lineages), (0, 1));
    let again = LifeStart {
        lineage: "service".to_owned(),
        began: 6,
        label: String::new(),
    };
    engine.observe(&1, &again, Sample::default());
    assert_eq!(engine.lineage(&1).map(|lineage| lineage.ended), Some(1));
    assert!(engine.has_lineage("service") && !engine.has_lineage("shell"));
    engine.forget_lineage("service");
    engine.forget_lineage("shell");
    assert!(!engine.has_lineage("service"));
    assert_eq!(engine.status().lineages_dropped, 1);
}
