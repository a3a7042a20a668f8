//! A series that is alive: what it is on its own, and what is said of it when its lineage, the other
//! series and its last passes are taken in.

use serde::{Deserialize, Serialize};

use super::lineage::{LifeStart, Lineages};
use super::{Gate, GateOutcome, Judgement, Rules, Sample, Series, State, forecast};

/// Passes, one after the other, that a leak takes; and as many that fail until it is none.
const PASSES: u8 = 2;

/// By how much longer than at the first pass it must have been observed at the last, as a factor and
/// in shortest windows: passes that follow each other at once rest on the same windows, and much that
/// fills in its first hours has filled an hour later.
const LATER: f64 = 1.15;
const LATER_WINDOWS: f64 = 60.0;

/// What is said of a series now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// With the state after lineage, other series and consecutive passes.
    pub judgement: Judgement,
    /// When it came to this state.
    pub since: u64,
    /// The state before.
    pub before: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Alive {
    pub(super) start: LifeStart,
    pub(super) series: Series,
    pub(super) verdict: Verdict,
    /// The series' mark when it was judged last.
    judged: Option<u64>,
    /// How often in a row it was a leak, or was none.
    passes: u8,
    fails: u8,
    /// How long it had been observed at the first of the passes, in shortest windows.
    found: f64,
}

impl Alive {
    pub(super) fn new(start: LifeStart, sample: Sample, rules: &Rules) -> Self {
        let mut series = Series::new(start.began, rules);
        series.push(sample);
        Self {
            start,
            series,
            verdict: Verdict {
                since: sample.time,
                ..Verdict::default()
            },
            judged: None,
            passes: 0,
            fails: 0,
            found: 0.0,
        }
    }

    /// Whether there is a new window since it was judged last.
    pub(super) fn is_due(&self) -> bool {
        self.judged != Some(self.series.mark())
    }

    /// A forecast is of the moment in which it was made, which is not known any more.
    pub(super) fn judge_again(&mut self) {
        self.judged = None;
    }

    /// Judges it on its own. Gives what it was said to be before.
    pub(super) fn look(&mut self, lineages: &Lineages, rules: &Rules) -> State {
        let before = self.verdict.judgement.state;
        self.judged = Some(self.series.mark());
        self.verdict.judgement = self
            .series
            .judge_after(lineages.warm_up(&self.start.lineage), rules);
        before
    }

    /// Says what it is, all taken in. `chance` is the largest that counts as a discovery. Whether the
    /// state is another than `before`.
    pub(super) fn settle(
        &mut self,
        before: State,
        lineages: &Lineages,
        chance: f64,
        now: u64,
    ) -> bool {
        let own = self.verdict.judgement.state;
        let discovery = discovered(&self.verdict.judgement, chance);
        let usual = lineages.usual(&self.start.lineage, &self.series);
        let found = own.is_leak()
            && [&discovery, &usual]
                .iter()
                .all(|gate| gate.outcome != GateOutcome::Failed);
        self.count(found);
        let lineage = lineages.masked(&self.start.lineage, &self.series, &self.verdict.judgement);
        let confirmed = self.is_confirmed();
        let consecutive = self.consecutive();
        let told = before.is_leak() && before != State::RestartMaskedLeak;
        let judgement = &mut self.verdict.judgement;
        let masked = lineage
            .as_ref()
            .is_some_and(|gate| gate.outcome == GateOutcome::Passed);
        judgement.state = match own {
            _ if masked => State::RestartMaskedLeak,
            own if found && (confirmed || told) => own,
            _ if told && self.fails < PASSES => before,
            own if own.is_leak() => State::Growing,
            own => own,
        };
        let window = self.series.pyramid().length(0) as f64 / 1e9;
        if let Some(forecast) = &mut judgement.forecast {
            *forecast = forecast::banded(*forecast, judgement.state, window);
        }
        judgement.gates.extend([discovery, usual, consecutive]);
        judgement.gates.extend(lineage);
        if judgement.state == before {
            return false;
        }
        self.verdict.before = before;
        self.verdict.since = now;
        true
    }

    /// Takes in whether it was found to leak: a look that does not find it begins the passes anew.
    fn count(&mut self, found: bool) {
        if found {
            if self.passes == 0 {
                self.found = self.series.observed();
            }
            self.passes = self.passes.saturating_add(1);
            self.fails = 0;
        } else {
            self.passes = 0;
            self.fails = self.fails.saturating_add(1);
        }
    }

    /// Whether it passed again after a time that is long by itself and beside that of the first pass.
    fn is_confirmed(&self) -> bool {
        self.passes >= PASSES && self.found_for() >= self.needed()
    }

    /// From the first of the passes to now, and how long that has to be, in shortest windows.
    fn found_for(&self) -> f64 {
        match self.passes {
            0 => 0.0,
            _ => self.series.observed() - self.found,
        }
    }

    fn needed(&self) -> f64 {
        (self.found * (LATER - 1.0)).max(LATER_WINDOWS)
    }

    fn consecutive(&self) -> Gate {
        let (outcome, meaning) = match self.is_confirmed() {
            true => (
                GateOutcome::Passed,
                "it was found again and again, look after look",
            ),
            false => (
                GateOutcome::Failed,
                "it has to be found for longer, at every look",
            ),
        };
        Gate {
            name: "consecutive".to_owned(),
            outcome,
            figure: self.found_for(),
            threshold: self.needed(),
            unit: "windows".to_owned(),
            meaning: meaning.to_owned(),
        }
    }

    /// Whether readings can have made it, in windows of this length.
    pub(super) fn is_sound(&self, length: u64) -> bool {
        self.series.is_sound()
            && self.series.pyramid().length(0) == length
            && self.verdict.judgement.is_sound()
            && self.found.is_finite()
    }
}

fn discovered(judgement: &Judgement, chance: f64) -> Gate {
    let passed = judgement.p_value <= chance;
    let meaning = if passed {
        "among all series watched here, few that rise like this do so by chance"
    } else {
        "among so many series watched here, some rise like this by chance"
    };
    Gate {
        name: "false_discovery".to_owned(),
        outcome: if passed {
            GateOutcome::Passed
        } else {
            GateOutcome::Failed
        },
        figure: judgement.p_value,
        threshold: chance,
        unit: "probability".to_owned(),
        meaning: meaning.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive() -> Alive {
        let start = LifeStart {
            lineage: String::new(),
            began: 0,
            label: String::new(),
        };
        Alive::new(start, Sample::default(), &Rules::default())
    }

    fn observed(alive: &mut Alive, windows: u64) {
        let time = windows * alive.series.pyramid().length(0);
        alive.series.push(Sample {
            time,
            ..Sample::default()
        });
    }

    #[test]
    fn passes_with_a_look_between_them_that_finds_nothing_are_not_consecutive() {
        let mut alive = alive();
        for (windows, found) in [(100, true), (200, false), (300, true)] {
            observed(&mut alive, windows);
            alive.count(found);
        }
        assert_eq!(alive.passes, 1);
        assert!(!alive.is_confirmed());
        observed(&mut alive, 400);
        alive.count(true);
        assert!(alive.is_confirmed());
    }

    #[test]
    fn passes_that_follow_each_other_at_once_confirm_nothing() {
        let mut alive = alive();
        for windows in [100, 120, 159] {
            observed(&mut alive, windows);
            alive.count(true);
        }
        assert!(!alive.is_confirmed());
        observed(&mut alive, 160);
        alive.count(true);
        assert!(alive.is_confirmed());
    }
}
