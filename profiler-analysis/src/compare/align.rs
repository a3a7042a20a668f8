//! Floors of both sides over the same ages, in stretches of the same length.

use serde::Serialize;

use super::Life;

/// Fewer stretches have no band that is worth anything.
const FEWEST_BINS: usize = 12;
/// More only cost time.
const MOST_BINS: f64 = 400.0;
/// A stretch without a reading is a gap; more than a quarter of them is no series.
const FULL_ENOUGH: f64 = 0.75;

/// Ages of a process, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ages {
    /// From.
    pub from: f64,
    /// To.
    pub to: f64,
}

/// The lives of one side over the ages that are compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Floors {
    pub(super) lives: usize,
    /// The mean of their floors in each stretch, in bytes.
    pub(super) bytes: Vec<f64>,
    /// Mean of one life's.
    pub(super) calls_per_second: f64,
}

/// Both sides.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aligned {
    pub(super) ages: Ages,
    pub(super) bin_seconds: f64,
    /// Age in hours in the middle of each stretch that all lives have a reading of.
    pub(super) hours: Vec<f64>,
    pub(super) baseline: Floors,
    pub(super) canary: Floors,
}

/// Cuts all lives to the ages that each of them has, or says why there is nothing to compare.
pub(super) fn align(baseline: &[Life], canary: &[Life], wanted: Ages) -> Result<Aligned, String> {
    let old = common(baseline).ok_or("the baseline has no readings")?;
    let new = common(canary).ok_or("the canary has no readings")?;
    let ages = Ages {
        from: wanted.from.max(old.from).max(new.from),
        to: wanted.to.min(old.to).min(new.to),
    };
    let too_short = |what: &str| {
        let (old, new) = (told(old), told(new));
        format!("{what}: readings of the baseline are of ages {old}, those of the canary {new}")
    };
    let both = || baseline.iter().chain(canary);
    let inside = both().flatten().filter(|window| ages.has(window.age));
    let longest = inside.map(|window| window.seconds).fold(0.0, f64::max);
    let span = ages.to - ages.from;
    if !span.is_finite() || span <= 0.0 || longest <= 0.0 {
        return Err(too_short("there is no age that both have readings of"));
    }
    let bin_seconds = longest.max(span / MOST_BINS);
    let bins = (span / bin_seconds) as usize;
    if bins < FEWEST_BINS {
        let what = format!(
            "ages that both have readings of make {bins} stretches of {}, and {FEWEST_BINS} are needed",
            duration(bin_seconds)
        );
        return Err(too_short(&what));
    }
    let grid = Grid {
        ages,
        bins,
        bin_seconds,
    };
    let both: Vec<_> = both().map(|life| grid.bins_of(life)).collect();
    let kept: Vec<usize> = (0..bins)
        .filter(|bin| both.iter().all(|life| life.floors[*bin].is_some()))
        .collect();
    if (kept.len() as f64) < FULL_ENOUGH * bins as f64 {
        return Err("there are gaps in the readings over more than a quarter of the time".into());
    }
    let (old, new) = both.split_at(baseline.len());
    Ok(Aligned {
        ages,
        bin_seconds,
        hours: kept.iter().map(|bin| grid.hours(*bin)).collect(),
        baseline: mean(old, &kept),
        canary: mean(new, &kept),
    })
}

impl Ages {
    fn has(self, age: f64) -> bool {
        age > self.from && age <= self.to
    }
}

/// Ages that each of these lives has; none without lives, or where one has no readings.
fn common(lives: &[Life]) -> Option<Ages> {
    let ranges = lives.iter().map(|life| {
        let (first, last) = (life.first()?, life.last()?);
        Some((first.age - first.seconds, last.age))
    });
    let ranges: Vec<_> = ranges.collect::<Option<_>>()?;
    let from = ranges.iter().map(|(from, _)| *from).reduce(f64::max)?;
    let to = ranges.iter().map(|(_, to)| *to).reduce(f64::min)?;
    Some(Ages { from, to })
}

struct Grid {
    ages: Ages,
    bins: usize,
    bin_seconds: f64,
}

/// One life in stretches.
struct Binned {
    floors: Vec<Option<f64>>,
    calls_per_second: f64,
}

impl Grid {
    fn hours(&self, bin: usize) -> f64 {
        (self.ages.from + (bin as f64 + 0.5) * self.bin_seconds) / 3_600.0
    }

    fn bins_of(&self, life: &Life) -> Binned {
        let mut floors: Vec<Option<f64>> = vec![None; self.bins];
        let (mut calls, mut seconds) = (0.0, 0.0);
        for window in life.iter().filter(|window| self.ages.has(window.age)) {
            // A window belongs where its middle is.
            let middle = window.age - window.seconds / 2.0 - self.ages.from;
            let Some(bin) = floors.get_mut((middle.max(0.0) / self.bin_seconds) as usize) else {
                continue;
            };
            *bin = Some(bin.map_or(window.floor, |floor| floor.min(window.floor)));
            calls += window.calls * window.seconds;
            seconds += window.seconds;
        }
        Binned {
            floors,
            calls_per_second: if seconds > 0.0 { calls / seconds } else { 0.0 },
        }
    }
}

fn mean(lives: &[Binned], kept: &[usize]) -> Floors {
    let count = (lives.len() as f64).max(1.0);
    let floor = |bin: &usize| {
        lives
            .iter()
            .filter_map(|life| life.floors[*bin])
            .sum::<f64>()
            / count
    };
    Floors {
        lives: lives.len(),
        bytes: kept.iter().map(floor).collect(),
        calls_per_second: lives.iter().map(|life| life.calls_per_second).sum::<f64>() / count,
    }
}

fn told(ages: Ages) -> String {
    format!("{} to {}", duration(ages.from), duration(ages.to))
}

/// A span in words that need no table.
pub(super) fn duration(seconds: f64) -> String {
    match seconds.max(0.0) {
        short if short < 120.0 => format!("{short:.0} s"),
        some if some < 7_200.0 => format!("{:.0} min", some / 60.0),
        long => format!("{:.1} h", long / 3_600.0),
    }
}
