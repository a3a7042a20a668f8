//! One life.

use profiler_analysis::verdict::{Judgement, Load, Rules, Sample, State};

use crate::run::{HOUR, MIB, Run, STEP};

fn tooth(hours: f64, period: f64, height: f64) -> f64 {
    (hours / period).fract() * height
}

#[test]
fn linear_growth_is_a_leak_and_its_time_to_the_limit_is_told() {
    let mut run = Run::new();
    run.hours(6.0, |hour| 200.0 + 20.0 * hour);
    assert_eq!(run.state(), State::Leaking, "{:#?}", run.verdict());
    let judgement = &run.verdict().judgement;
    let forecast = judgement.forecast.expect("there is a limit");
    let truth = (1024.0 - 320.0) / 20.0 * 3600.0;
    assert!((forecast.seconds / truth - 1.0).abs() < 0.1, "{forecast:?}");
    assert!(forecast.lower < truth && truth < forecast.upper.expect("it is sure to grow"));
    assert!((judgement.slope.value / (20.0 * MIB) - 1.0).abs() < 0.1);
}

#[test]
fn level_readings_are_steady() {
    let mut run = Run::new();
    run.hours(24.0, |_| 200.0);
    assert_eq!(run.state(), State::Steady, "{:#?}", run.verdict());
}

#[test]
fn a_cache_that_has_filled_is_no_leak() {
    let mut run = Run::new();
    run.hours(24.0, |hour| 100.0 + 400.0 * (1.0 - (-hour / 3.0).exp()));
    assert!(!run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn one_step_is_no_leak() {
    let mut run = Run::new();
    run.hours(12.0, |hour| if hour < 6.0 { 100.0 } else { 250.0 });
    assert!(!run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn a_collectors_sawtooth_is_steady_though_each_tooth_rises() {
    let mut run = Run::new();
    run.hours(24.0, |hour| 200.0 + tooth(hour, 0.4, 150.0));
    assert_eq!(run.state(), State::Steady, "{:#?}", run.verdict());
}

#[test]
fn a_sawtooth_with_rising_floors_is_a_sawtooth_leak() {
    let mut run = Run::new();
    run.hours(24.0, |hour| 200.0 + 15.0 * hour + tooth(hour, 0.4, 150.0));
    assert_eq!(run.state(), State::SawtoothLeak, "{:#?}", run.verdict());
}

#[test]
fn a_leak_that_begins_late_is_found() {
    let mut run = Run::new();
    run.hours(24.0, |hour| 200.0 + 25.0 * (hour - 14.0).max(0.0));
    assert_eq!(run.state(), State::Leaking, "{:#?}", run.verdict());
}

#[test]
fn growth_that_follows_open_connections_is_growth_and_no_leak() {
    let mut run = Run::new();
    let connections = |hour: f64| 50.0 * hour;
    let load = |hour: f64| Load {
        received_calls: (hour * 3600.0 * 10.0) as u64,
        open_connections: connections(hour) as u64,
        ..Load::default()
    };
    run.loaded(12.0, |hour| 100.0 + 0.5 * connections(hour), load);
    assert_eq!(run.state(), State::Growing, "{:#?}", run.verdict());
    let judgement = &run.verdict().judgement;
    let load = judgement.gates.iter().find(|gate| gate.name == "load");
    assert!(load.is_some_and(|gate| gate.meaning == "growth follows open connections"));
    let slope = 25.0 * MIB;
    assert!((judgement.slope.value / slope - 1.0).abs() < 0.1);
    let each = judgement.bytes_per_call.expect("there are calls");
    assert!((each / (slope / 36_000.0) - 1.0).abs() < 0.1, "{each}");
    let truth = (1024.0 - 400.0) / 25.0 * 3600.0;
    let forecast = judgement.forecast.expect("there is a limit");
    assert!((forecast.seconds / truth - 1.0).abs() < 0.1, "{forecast:?}");
}

#[test]
fn what_may_grow_is_not_steady_because_its_last_reading_is_a_spike() {
    let mut run = Run::new();
    run.limit = None;
    run.hours(3.0, |hour| 200.0 + 0.5 * hour);
    assert_eq!(run.state(), State::Undetermined, "{:#?}", run.verdict());
    let mut series = run.engine.series(&1).expect("it has readings").clone();
    series.push(Sample {
        time: run.now,
        bytes: 2_000 << 20,
        ..Sample::default()
    });
    let judgement = series.judge(&Rules::default());
    assert_eq!(judgement.state, State::Undetermined, "{judgement:#?}");
}

#[test]
fn a_band_that_too_few_floors_bound_is_open_and_its_ends_are_numbers() {
    let mut run = Run::new();
    run.hours(0.1, |hour| 200.0 + 900.0 * hour);
    let judgement = run.engine.series(&1).map(|it| it.judge(&Rules::default()));
    let judgement = judgement.expect("it has readings");
    assert_eq!(
        (judgement.slope.lower, judgement.slope.upper),
        (f64::MIN, f64::MAX)
    );
    let text = serde_json::to_string(&judgement).expect("it is plain data");
    let read: Judgement = serde_json::from_str(&text).expect("its numbers are numbers");
    assert_eq!((read.slope.lower, read.slope.upper), (f64::MIN, f64::MAX));
}

#[test]
fn growth_while_connections_come_and_go_is_a_leak() {
    let mut run = Run::new();
    let connections = |hour: f64| 100.0 + 50.0 * (hour * 20.0).sin();
    let load = |hour: f64| Load {
        open_connections: connections(hour) as u64,
        ..Load::default()
    };
    run.loaded(
        12.0,
        |hour| 100.0 + 0.5 * connections(hour) + 20.0 * hour,
        load,
    );
    assert!(run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn fast_growth_is_told_before_it_can_be_called_a_leak() {
    let mut run = Run::new();
    run.hours(0.2, |hour| 200.0 + 900.0 * hour);
    assert_eq!(run.state(), State::Growing, "{:#?}", run.verdict());
    assert!(run.verdict().judgement.forecast.is_some());
}

#[test]
fn a_young_series_is_warming_up() {
    let mut run = Run::new();
    run.hours(0.5, |_| 200.0);
    assert_eq!(run.state(), State::WarmingUp);
}

#[test]
fn an_hour_without_readings_is_no_evidence() {
    let mut run = Run::new();
    run.hours(2.0, |_| 200.0);
    run.now += 2 * HOUR;
    run.hours(2.0, |_| 400.0);
    assert!(!run.state().is_leak(), "{:#?}", run.verdict());
    let points = run.engine.series(&1).expect("it is alive").points();
    let gap = points
        .windows(2)
        .map(|two| two[1].time - two[1].length - two[0].time)
        .max();
    assert!(gap.is_some_and(|gap| gap + 10 * STEP >= 2 * HOUR - HOUR / 4));
}

#[test]
fn spikes_that_are_gone_in_minutes_hide_no_leak() {
    let mut run = Run::new();
    let spike = |hour: f64| if hour % 1.7 < 0.04 { 40.0 } else { 0.0 };
    run.hours(8.0, |hour| 200.0 + 20.0 * hour + spike(hour));
    assert!(run.state().is_leak(), "{:#?}", run.verdict());
}

#[test]
fn floors_that_rise_by_more_than_a_long_cycle_lifts_them_are_a_leak() {
    let mut run = Run::new();
    let cycle = |hour: f64| 20.0 * (hour * std::f64::consts::TAU / 3.0).sin();
    run.hours(16.0, |hour| 200.0 + 25.0 * hour + cycle(hour));
    assert!(run.state().is_leak(), "{:#?}", run.verdict());
}
