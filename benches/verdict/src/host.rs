//! All series of a host in one engine, and what is said of each at the horizons.

use profiler_analysis::verdict::{Engine, EngineLimits, Forecast, Rules, State, Verdict};

use crate::{
    baseline::{History, Said},
    random::Random,
    series::{Event, START, Series},
    shapes::Kind,
};

/// Readings come as often as the agent's, in seconds.
pub(crate) const STEP: f64 = 10.0;
/// Series of a host.
pub(crate) const SERIES: usize = 50;
/// What is judged and when, in hours.
pub(crate) const HORIZONS: [u32; 2] = [6, 24];

/// What was so and what was said, of one series at one horizon.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) kind: Kind,
    pub(crate) hours: u32,
    /// None: its leak has not begun yet, so that it is neither.
    pub(crate) leaks: Option<bool>,
    pub(crate) verdict: Verdict,
    pub(crate) said: Said,
    /// Seconds to the limit, where it is going to be met in this life.
    pub(crate) truth: Option<f64>,
    pub(crate) limited: bool,
    pub(crate) lives: u32,
    /// It was called a leak before at some time.
    pub(crate) ever_called: bool,
}

impl Outcome {
    /// Whether the engine calls it a leak.
    pub(crate) fn called(&self) -> bool {
        is_leak(self.verdict.judgement.state)
    }

    pub(crate) fn forecast(&self) -> Option<Forecast> {
        self.verdict.judgement.forecast
    }
}

fn is_leak(state: State) -> bool {
    matches!(
        state,
        State::Leaking | State::SawtoothLeak | State::RestartMaskedLeak
    )
}

struct Member {
    series: Series,
    history: History,
    /// The last verdict of a life that is over, while there is no other.
    last: Verdict,
    ever_called: bool,
    down: bool,
}

/// Runs one host for as long as the longest horizon.
pub(crate) fn run(seed: u64, first: usize) -> Vec<Outcome> {
    Host::new(seed, first).run()
}

struct Host {
    engine: Engine<(usize, u32)>,
    members: Vec<Member>,
}

impl Host {
    /// The shapes take turns; `first` is the number of the host's first series among all.
    fn new(seed: u64, first: usize) -> Self {
        let mut random = Random::new(seed);
        let member = |index| Member {
            series: Series::new(
                Kind::ALL[(first + index) % Kind::ALL.len()],
                (random.unit() * 2_f64.powi(53)) as u64,
            ),
            history: History::default(),
            last: Verdict::default(),
            ever_called: false,
            down: false,
        };
        Self {
            members: (0..SERIES).map(member).collect(),
            engine: Engine::new(Rules::default(), EngineLimits::default()),
        }
    }

    fn run(mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut passed = 0.0;
        for hours in HORIZONS {
            while passed < f64::from(hours) * 3600.0 {
                passed += STEP;
                self.step(START + passed);
            }
            outcomes.extend(self.look(hours, START + passed));
        }
        outcomes
    }

    fn step(&mut self, clock: f64) {
        for (index, member) in self.members.iter_mut().enumerate() {
            let key = (index, member.series.life());
            let event = member.series.step(clock, STEP);
            match event {
                Event::Reading(sample) => {
                    let key = (index, member.series.life());
                    member.down = false;
                    self.engine
                        .observe(&key, &member.series.start(index as u64), sample);
                    member
                        .history
                        .push(clock, sample.bytes as f64, member.series.limit);
                }
                Event::Ended(end) => {
                    member.last = self.engine.verdict(&key).cloned().unwrap_or_default();
                    member.down = true;
                    member.history.restarted();
                    self.engine.ended(&key, (clock * 1e9) as u64, end);
                }
                Event::Down => {}
            }
        }
        for (index, _) in self.engine.judge((clock * 1e9) as u64) {
            let member = &mut self.members[index];
            let verdict = self.engine.verdict(&(index, member.series.life()));
            member.ever_called |= verdict.is_some_and(|v| is_leak(v.judgement.state));
        }
    }

    fn look(&self, hours: u32, clock: f64) -> Vec<Outcome> {
        let members = self.members.iter().enumerate();
        members
            .map(|(index, member)| {
                let series = &member.series;
                let now = self.engine.verdict(&(index, series.life()));
                let leaks = series.leaks_by(clock);
                Outcome {
                    kind: series.kind,
                    hours,
                    leaks: (leaks || !series.kind.leaks()).then_some(leaks),
                    verdict: now.unwrap_or(&member.last).clone(),
                    said: member.history.say(),
                    truth: (leaks && !member.down)
                        .then(|| series.time_to_limit(clock, STEP))
                        .flatten(),
                    limited: series.limit.is_some(),
                    lives: series.life() + 1,
                    ever_called: member.ever_called,
                }
            })
            .collect()
    }
}
