//! Coroot's memory leak inspection, from its documentation and source of August 2026.

use std::collections::VecDeque;

use super::line::Line;
use crate::traffic::HOUR;

pub(crate) const ABOUT: &str = "Coroot's inspection (August 2026): a line through the last hour's longest run without a drop by half; \
     growth above 10% and above 5% of the limit (50 MB without one) an hour, and its last quarter still rises";

const MIB: f64 = 1024.0 * 1024.0;

/// Whether growth in an hour is above its default threshold.
pub(super) fn fires(hour: &VecDeque<(f64, f64)>, limit: Option<f64>) -> bool {
    growth_percent(hour, limit).is_some_and(|percent| percent > 10.0)
}

fn growth_percent(hour: &VecDeque<(f64, f64)>, limit: Option<f64>) -> Option<f64> {
    let run = longest_run(hour);
    if run.len() < 10 || run.len() < hour.len() / 3 {
        return None;
    }
    let line = Line::fit(&run)?;
    let now = run.last()?.0;
    let tail = Line::fit(&run[tail_start(&run)..])?;
    if line.slope <= 0.0 || tail.slope < line.slope * 0.3 {
        return None;
    }
    let (before, after) = (line.at(now - HOUR), line.at(now));
    let least = limit.map_or(50.0 * MIB, |limit| limit * 0.05);
    if after - before < least {
        return None;
    }
    let of = if before > 0.0 { before } else { after };
    Some((after - before) / of * 100.0)
}

/// Between two drops to less than half.
fn longest_run(hour: &VecDeque<(f64, f64)>) -> Vec<(f64, f64)> {
    let (mut longest, mut run) = (Vec::new(), Vec::<(f64, f64)>::new());
    for point in hour {
        if run.last().is_some_and(|(_, before)| point.1 < before * 0.5) {
            if run.len() > longest.len() {
                longest = run;
            }
            run = Vec::new();
        }
        run.push(*point);
    }
    if run.len() > longest.len() {
        run
    } else {
        longest
    }
}

/// A quarter of the points, or a quarter of an hour where that is more.
fn tail_start(run: &[(f64, f64)]) -> usize {
    let mut start = run.len() - run.len() / 4;
    let end = run[run.len() - 1].0;
    while start > 0 && (start == run.len() || end - run[start].0 < HOUR / 4.0) {
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(value: impl Fn(f64) -> f64) -> VecDeque<(f64, f64)> {
        let point = |index: i32| {
            (
                f64::from(index) * 30.0,
                value(f64::from(index) / 120.0) * MIB,
            )
        };
        (0..=120).map(point).collect()
    }

    #[test]
    fn fast_growth_fires() {
        assert!(fires(&hour(|x| 1000.0 + 150.0 * x), Some(2000.0 * MIB)));
        assert!(fires(&hour(|x| 400.0 + 60.0 * x), None));
    }

    #[test]
    fn growth_of_less_than_a_tenth_or_of_a_small_share_of_the_limit_does_not() {
        assert!(!fires(&hour(|x| 1000.0 + 90.0 * x), Some(1500.0 * MIB)));
        assert!(!fires(&hour(|x| 100.0 + 30.0 * x), Some(1000.0 * MIB)));
        assert!(!fires(&hour(|x| 100.0 + 30.0 * x), None));
    }

    #[test]
    fn what_has_levelled_off_does_not() {
        assert!(!fires(
            &hour(|x| 1000.0 + 400.0 * x.min(0.5)),
            Some(2000.0 * MIB)
        ));
    }

    #[test]
    fn a_restart_does_not_hide_growth() {
        let restarted = hour(|x| if x < 0.4 { 1900.0 } else { 100.0 + 800.0 * x });
        assert!(fires(&restarted, Some(2000.0 * MIB)));
    }
}
