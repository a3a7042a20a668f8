//! `verdict`: what can be asked about leaks and kills.

use clap::{Args, ValueEnum, value_parser};
use profiler_proto::v1::{
    ListOomKillsRequest, ListVerdictsRequest, VerdictState, WatchVerdictsRequest,
};

use super::{Format, SelectArgs};
use crate::time::{Moment, parse_moment};

/// Verdicts of one answer.
const MOST_VERDICTS: u32 = 1_000;

/// `verdict`
#[derive(Args, Debug)]
pub struct VerdictArgs {
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Don't cut long lines to the width of the terminal
    #[arg(long)]
    pub no_truncate: bool,
    /// Add processes that are in no container or unit (they are there when something is selected)
    #[arg(long)]
    pub all: bool,
    /// Each verdict in full, with all that it rests on (default when one alone is selected)
    #[arg(long)]
    pub full: bool,
    /// Exit with 1 if any of them leaks, with 2 if not all are known to be steady, silent nodes included
    #[arg(long)]
    pub check: bool,
    /// Go on: a line for each now, and one whenever a state or its health changes
    #[arg(long, conflicts_with_all = ["check", "full", "oom", "at", "limit"])]
    pub watch: bool,
    /// Processes that the kernel killed for want of memory, with the growth before
    #[arg(long, conflicts_with_all = ["check", "full", "all", "state", "at"])]
    pub oom: bool,
    /// Only these states
    #[arg(
        id = "state",
        long = "state",
        value_enum,
        value_name = "STATE",
        value_delimiter = ','
    )]
    pub states: Vec<Judged>,
    /// Most rows to show
    #[arg(long, value_name = "ROWS", default_value_t = 20,
          value_parser = value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    /// As it was then, instead of now: on a collector
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          help_heading = "Time")]
    pub at: Option<Moment>,
    /// With --oom: kills since then
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          requires = "oom", help_heading = "Time")]
    pub from: Option<Moment>,
    /// With --oom: kills up to then
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          requires = "oom", help_heading = "Time")]
    pub to: Option<Moment>,
    /// Which of them.
    #[command(flatten)]
    pub select: SelectArgs,
}

impl VerdictArgs {
    /// As the wire carries it.
    pub fn to_wire(&self) -> ListVerdictsRequest {
        // A check is of all that were chosen, whatever is shown of them.
        let limit = match self.check {
            true => MOST_VERDICTS,
            false => self.limit,
        };
        ListVerdictsRequest {
            selector: self.select.to_wire(),
            states: self.states(),
            limit,
            with_points: true,
            containers_only: self.containers_only(),
            at: self.at.map(Moment::to_wire),
        }
    }

    /// With `--watch`.
    pub fn to_watch(&self) -> WatchVerdictsRequest {
        WatchVerdictsRequest {
            selector: self.select.to_wire(),
            states: self.states(),
            containers_only: self.containers_only(),
        }
    }

    /// With `--oom`.
    pub fn to_kills(&self) -> ListOomKillsRequest {
        ListOomKillsRequest {
            selector: self.select.to_wire(),
            from: self.from.map(Moment::to_wire),
            to: self.to.map(Moment::to_wire),
            limit: self.limit,
        }
    }

    /// A host has hundreds of processes that nobody asked about.
    fn containers_only(&self) -> bool {
        !self.all && self.select.to_wire().is_none()
    }

    fn states(&self) -> Vec<i32> {
        self.states.iter().map(|state| state.to_wire()).collect()
    }
}

/// A state of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Judged {
    /// Each of its lives grows until it is ended
    RestartMaskedLeak,
    /// It falls again and again, but less far each time
    SawtoothLeak,
    /// It grows without an end in sight, and nothing that is known explains it
    Leaking,
    /// It grows; whether that ends is not known yet
    Growing,
    /// Neither growth nor its absence was shown
    Undetermined,
    /// Too young to be judged
    WarmingUp,
    /// Shown not to grow by more than a small share of its limit a day
    Steady,
}

impl Judged {
    fn to_wire(self) -> i32 {
        let state = match self {
            Self::RestartMaskedLeak => VerdictState::RestartMaskedLeak,
            Self::SawtoothLeak => VerdictState::SawtoothLeak,
            Self::Leaking => VerdictState::Leaking,
            Self::Growing => VerdictState::Growing,
            Self::Undetermined => VerdictState::Undetermined,
            Self::WarmingUp => VerdictState::WarmingUp,
            Self::Steady => VerdictState::Steady,
        };
        state.into()
    }
}
