//! The verdict on one series: gates over one or more levels of windows, and what they say together.

use super::gates::{self, finite};
use super::look::{Line, Look};
use super::{Band, Gate, GateOutcome, Judgement, Series, State, forecast, steady};

/// Windows of a run-up that is too fast to wait for: the fewest whose band has ends.
const FAST_WINDOWS: usize = 7;
/// A limit that is nearer than this many shortest windows is near before the age is reached.
const NEAR: f64 = 6.0 * 60.0;
/// Floors before what is recent that say how fast it grew then.
const EARLIER: usize = 3;
/// A rise of the floors by this many times the deepest cycle is more than a cycle.
const TALL: f64 = 2.0;
/// Drops from which on growth of the floors is called a sawtooth.
const TEETH: usize = 3;

/// What is known beside the readings. Lengths are shortest windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// Length of a shortest window, in seconds.
    pub(super) seconds: f64,
    /// How old the life must be.
    pub(super) warm_up: f64,
}

/// One look, and what the gates say of it.
struct Finding {
    look: Look,
    /// Through its floors as they are.
    line: Line,
    /// Chance that floors without a trend, load's part taken from them, would rise like this.
    chance: f64,
    gates: Vec<Gate>,
}

impl Finding {
    fn passed(&self, name: &str) -> bool {
        self.gates
            .iter()
            .any(|gate| gate.name == name && gate.outcome == GateOutcome::Passed)
    }

    fn leaks(&self) -> bool {
        self.gates.iter().all(|gate| {
            gate.outcome == GateOutcome::Passed
                || gate.name == "deadline" && gate.outcome == GateOutcome::NotJudged
        })
    }

    fn grows(&self) -> bool {
        self.passed("trend") && self.passed("size")
    }
}

/// Looks at all that is kept, then at what is recent.
pub(super) fn judge(series: &Series, context: Context) -> Judgement {
    let whole = of_all(series, context);
    let shorter = whole.look.level.saturating_sub(2).max(series.least_level())..whole.look.level;
    let recent = shorter.rev().filter(|_| !whole.leaks()).find_map(|level| {
        if !is_new_high(series, level) {
            return None;
        }
        let recent = find(series, level, context, gates::WINDOWS);
        let counts = recent.leaks() && goes_on(&recent, &whole);
        counts.then_some(recent)
    });
    let chosen = recent.unwrap_or(whole);
    if !chosen.passed("age") {
        return young(series, context);
    }
    let state = state(series, &chosen);
    conclude(series, &chosen, state, context)
}

/// At all that is kept: in windows that hold each cycle, or in shorter ones if floors rise by more
/// than a cycle can lift them.
fn of_all(series: &Series, context: Context) -> Finding {
    let whole = series.pyramid().whole();
    let least = series.least_level();
    let mut held = (whole..least)
        .rev()
        .map(|level| find(series, level, context, gates::WINDOWS));
    let tall = held.find(|finding| {
        let deepest = series.deepest_above(finding.look.level) as f64;
        finding.passed("trend") && finding.line.rise() >= deepest * TALL
    });
    tall.unwrap_or_else(|| find(series, whole.max(least), context, gates::WINDOWS))
}

/// Slope, size and time to the limit are those of the floors as they are, and so is the trend: what
/// grows with its load grows. Only whether that is a leak is asked of what load leaves.
fn find(series: &Series, level: usize, context: Context, needed: usize) -> Finding {
    let look = Look::at(series.pyramid(), level, series.began());
    let line = Line::through(&look.floors);
    let explained = gates::explain(&look, &line);
    let (rest, left) = match &explained {
        Some(explained) => (&explained.floors, &explained.line),
        None => (&look.floors, &line),
    };
    let limit = series.last().limit.unwrap_or(0) as f64;
    let gates = vec![
        gates::trend(&line, look.floors.len(), needed),
        gates::persistence(rest, left),
        gates::not_one_step(rest),
        gates::size(&line, floor(series, &look), limit),
        gates::deadline(&line, top(series, &look, &line), limit, context.seconds),
        gates::load(&line, explained.as_ref()),
        gates::age(series.age(), context.warm_up, context.seconds),
    ];
    let chance = left.kendall.p;
    Finding {
        look,
        line,
        chance,
        gates,
    }
}

/// The last floor; the last reading where there is none.
fn floor(series: &Series, look: &Look) -> f64 {
    let last = look.floors.last();
    last.map_or(series.last().bytes as f64, |floor| floor.1)
}

fn top(series: &Series, look: &Look, line: &Line) -> f64 {
    forecast::top(look, line, series.now(), series.last().bytes as f64)
}

/// Whether what a level still holds comes to heights that were not there before.
fn is_new_high(series: &Series, level: usize) -> bool {
    let mut windows = series.pyramid().windows(level);
    let (Some(first), Some(last)) = (windows.next(), windows.next_back()) else {
        return false;
    };
    let start = first.index << level;
    let before = series.pyramid().without_overlap();
    let before = before
        .iter()
        .filter(|(level, window)| window.index << level < start);
    before
        .map(|(_, window)| window.max)
        .max()
        .is_none_or(|most| last.min > most)
}

/// Whether recent growth is not slower than growth before it: the last part of a cache's curve is
/// straight too.
fn goes_on(recent: &Finding, whole: &Finding) -> bool {
    let start = recent.look.windows.first();
    let start = start.map_or(0, |window| window.index << recent.look.level);
    let earlier = whole.look.windows.iter().zip(&whole.look.floors);
    let earlier: Vec<_> = earlier
        .filter(|(window, _)| (window.index + 1) << whole.look.level <= start)
        .map(|(_, floor)| *floor)
        .collect();
    earlier.len() >= EARLIER && recent.line.slope >= Line::through(&earlier).slope
}

/// Before the age is reached only growth that is fast is told.
fn young(series: &Series, context: Context) -> Judgement {
    let finding = find(series, series.pyramid().whole(), context, FAST_WINDOWS);
    let limit = series.last().limit.unwrap_or(0) as f64;
    let top = top(series, &finding.look, &finding.line);
    let near = (limit - top) / finding.line.slope <= NEAR;
    let fast = finding.grows() && limit > 0.0 && near;
    let state = if fast {
        State::Growing
    } else {
        State::WarmingUp
    };
    conclude(series, &finding, state, context)
}

fn state(series: &Series, finding: &Finding) -> State {
    let limit = series.last().limit.unwrap_or(0) as f64;
    if finding.leaks() {
        let start = finding
            .look
            .windows
            .first()
            .map_or(0, |window| window.index);
        let start = start.saturating_mul(series.pyramid().length(finding.look.level));
        if series.drops().since(start) >= TEETH {
            State::SawtoothLeak
        } else {
            State::Leaking
        }
    } else if finding.grows() {
        State::Growing
    } else if finding.look.floors.len() >= gates::WINDOWS
        && steady::steady(&finding.line, floor(series, &finding.look), limit)
    {
        State::Steady
    } else {
        State::Undetermined
    }
}

fn conclude(series: &Series, finding: &Finding, state: State, context: Context) -> Judgement {
    let line = &finding.line;
    let limit = series.last().limit.unwrap_or(0) as f64;
    let top = top(series, &finding.look, line);
    let forecast = match state {
        State::WarmingUp | State::Steady | State::Undetermined => None,
        _ => forecast::forecast(line, top, limit, context.seconds)
            .map(|forecast| forecast::banded(forecast, state, context.seconds)),
    };
    let hourly = 3600.0 / context.seconds;
    Judgement {
        state,
        slope: Band {
            value: finite(line.slope * hourly),
            lower: finite(line.lower * hourly),
            upper: finite(line.upper * hourly),
        },
        floor: floor(series, &finding.look),
        forecast,
        bytes_per_call: bytes_per_call(finding, context.seconds),
        not_excluded: not_excluded(finding, state),
        p_value: finding.chance,
        gates: finding.gates.clone(),
    }
}

/// Growth over calls, both over the same windows.
fn bytes_per_call(finding: &Finding, seconds: f64) -> Option<f64> {
    let windows = &finding.look.windows;
    let calls = windows
        .iter()
        .map(|window| f64::from(window.calls))
        .sum::<f64>();
    let rate = calls / windows.len().max(1) as f64 * seconds;
    let each = finding.line.slope / rate;
    (rate > 0.0 && each.is_finite()).then_some(each)
}

/// What stands behind each gate that did not pass, and behind a leak.
fn not_excluded(finding: &Finding, state: State) -> Vec<String> {
    let of = |name: &str| match name {
        "persistence" => Some("a cache that is still filling"),
        "not_one_step" => Some("something that was loaded once"),
        "load" => Some("growth that follows load"),
        "age" => Some("a program that is still warming up"),
        _ => None,
    };
    match state {
        State::Growing | State::WarmingUp => {
            let open = finding
                .gates
                .iter()
                .filter(|gate| gate.outcome != GateOutcome::Passed);
            open.filter_map(|gate| of(&gate.name))
                .map(str::to_owned)
                .collect()
        }
        State::Leaking | State::SawtoothLeak => {
            vec!["a cache without a bound in sight: it grows as steadily as a leak".to_owned()]
        }
        State::Undetermined => vec!["slow growth below what the readings can show".to_owned()],
        State::Steady | State::RestartMaskedLeak => Vec::new(),
    }
}
