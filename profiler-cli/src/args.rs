//! The command line: what can be asked, with the help that teaches it.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, Subcommand, value_parser};
use clap_complete::Shell;

use crate::{
    client::{Endpoint, Place},
    time::{Moment, parse_moment, parse_span},
};

mod access;
mod canary;
mod connections;
mod fleet;
mod help;
mod rate;
mod select;
mod shape;
mod soak;
mod values;
mod verdict;

pub use access::AccessArgs;
pub use canary::CanaryArgs;
pub use connections::{ConnectionsArgs, Fold, Kind, Protocol, Role, Sort, State};
pub use fleet::{NodesArgs, SeriesArgs, SeriesBy};
pub use rate::Rate;
pub use select::{AgainstArgs, BehalfArgs, SelectArgs};
pub use shape::{MOST_ROWS, PageArgs, ShapeArgs, StacksArgs, WhenArgs};
pub(crate) use soak::MOST_TARGETS;
pub use soak::{SoakArgs, Whole};
pub use values::{By, ExportFormat, FlameBy, Format, Order, TopFormat, Value};
pub use verdict::{Judged, VerdictArgs};

/// Host memory profiler: who demanded memory, by call stack, on a live host.
#[derive(Debug, Parser)]
#[command(name = "profiler", version, after_long_help = help::MAIN)]
pub struct Cli {
    /// Agent or collector: https://HOST:PORT, http://HOST:PORT, HOST:PORT or unix:/PATH
    ///
    /// Default: unix:/run/profiler/agent.sock if it can be used, else http://127.0.0.1:7741.
    #[arg(
        long,
        global = true,
        env = "PROFILER_ENDPOINT",
        value_name = "ADDRESS",
        default_value = "",
        hide_default_value = true
    )]
    pub endpoint: Place,

    /// How to be let in.
    #[command(flatten)]
    pub access: AccessArgs,

    /// What to ask.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Where to ask, and how to be let in there.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            place: self.endpoint.clone(),
            access: self.access.clone(),
        }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// How the agent or collector is: what it sees, what it costs, what it lost
    #[command(after_long_help = help::STATUS)]
    Status(StatusArgs),
    /// Nodes, and how far each has been heard of
    #[command(after_long_help = help::NODES)]
    Nodes(NodesArgs),
    /// Processes under observation, largest committed memory first
    #[command(after_long_help = help::TARGETS)]
    Targets(TargetsArgs),
    /// Memory over time, life by life: a container's restarts are rows of their own
    #[command(after_long_help = help::SERIES)]
    Series(SeriesArgs),
    /// Who demanded memory: growth by stack, process, container, function, connection or node
    #[command(after_long_help = help::TOP)]
    Top(TopArgs),
    /// Growth between two moments, or what one target has more than another
    #[command(after_long_help = help::DIFF)]
    Diff(DiffArgs),
    /// Flame graph (SVG) of the demand, or of its change between two moments or targets
    #[command(after_long_help = help::FLAME)]
    Flame(FlameArgs),
    /// Connections, the memory demanded for them, and what becomes of it
    #[command(after_long_help = help::CONNECTIONS)]
    Connections(ConnectionsArgs),
    /// Is it leaking: a verdict for each container, the worst first, with the time to its limit
    #[command(after_long_help = help::VERDICT)]
    Verdict(VerdictArgs),
    /// Gate: watch one target through a load test, and pass or fail it
    #[command(after_long_help = help::SOAK)]
    Soak(SoakArgs),
    /// Gate: does a new version hold on to more memory than the old one
    #[command(after_long_help = help::CANARY)]
    Canary(CanaryArgs),
    /// Live view
    #[command(after_long_help = help::WATCH)]
    Watch(WatchArgs),
    /// Growth as pprof, folded stacks or JSON, for other tools
    #[command(after_long_help = help::EXPORT)]
    Export(ExportArgs),
    /// The ledger of one process, range by range (for debugging)
    #[command(after_long_help = help::RANGES)]
    Ranges(RangesArgs),
    /// Completions for a shell, to be sourced by it
    #[command(after_long_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
}

/// `status`
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `targets`
#[derive(Args, Debug)]
pub struct TargetsArgs {
    /// Add processes that have ended and are still in the history
    #[arg(long)]
    pub exited: bool,
    /// As it was then, instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          help_heading = "Time")]
    pub at: Option<Moment>,
    /// Most rows to show; 0 for all
    #[arg(long, value_name = "ROWS", default_value_t = 50)]
    pub limit: u32,
    /// Which page.
    #[command(flatten)]
    pub page: PageArgs,
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Don't cut long lines to the width of the terminal
    #[arg(long)]
    pub no_truncate: bool,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
}

/// `top`
#[derive(Args, Debug)]
pub struct TopArgs {
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: TopFormat,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
    /// On whose behalf.
    #[command(flatten)]
    pub behalf: BehalfArgs,
    /// Grouping and order.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Which page.
    #[command(flatten)]
    pub page: PageArgs,
    /// Moments.
    #[command(flatten)]
    pub when: WhenArgs,
    /// Layout of stacks.
    #[command(flatten)]
    pub stacks: StacksArgs,
}

/// `diff`
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// First moment: 10m, 14:05, RFC 3339, seconds since 1970; with --against that of the other
    /// target (default: that of the first)
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          required_unless_present = "against", help_heading = "Time")]
    pub from: Option<Moment>,
    /// Second moment (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          help_heading = "Time")]
    pub to: Option<Moment>,
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Compared with which.
    #[command(flatten)]
    pub against: AgainstArgs,
    /// On whose behalf.
    #[command(flatten)]
    pub behalf: BehalfArgs,
    /// Grouping and order.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Which page.
    #[command(flatten)]
    pub page: PageArgs,
    /// Layout of stacks.
    #[command(flatten)]
    pub stacks: StacksArgs,
}

/// `flame`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("compared").args(["from", "against"]).multiple(true))]
pub struct FlameArgs {
    /// Differential: colour by the change since this moment; with --against the moment of the other
    /// target
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          conflicts_with_all = ["since", "at"], help_heading = "Time")]
    pub from: Option<Moment>,
    /// Differential: up to this moment (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          requires = "compared", help_heading = "Time")]
    pub to: Option<Moment>,
    /// What stands at the root: the process, or the connection
    #[arg(long, value_enum, default_value_t)]
    pub by: FlameBy,
    /// Which bytes
    #[arg(long, value_enum, default_value_t)]
    pub value: Value,
    /// Add memory that no stack owns: pre-existing, exec image, unattributed
    #[arg(long)]
    pub unattributed: bool,
    /// Print folded stacks instead of drawing (with --from or --against: both figures)
    #[arg(long)]
    pub folded: bool,
    /// File to write (default: standard output, if that is no terminal)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Compared with which.
    #[command(flatten)]
    pub against: AgainstArgs,
    /// On whose behalf.
    #[command(flatten)]
    pub behalf: BehalfArgs,
    /// Moments.
    #[command(flatten)]
    pub when: WhenArgs,
}

/// `watch`
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// What a row stands for at first
    #[arg(long, value_enum, default_value_t = By::Process)]
    pub by: By,
    /// What comes first at first
    #[arg(long, value_enum, default_value_t)]
    pub order: Order,
    /// Time between two refreshes
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = parse_span)]
    pub interval: Duration,
    /// End after this many refreshes
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after this time
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub duration: Option<Duration>,
    /// Rows of a block when the output is no terminal
    #[arg(long, value_name = "ROWS", default_value_t = 10,
          value_parser = value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Print plain lines even on a terminal
    #[arg(long)]
    pub plain: bool,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
    /// On whose behalf.
    #[command(flatten)]
    pub behalf: BehalfArgs,
}

/// `export`
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// Which bytes folded stacks carry
    #[arg(long, value_enum, default_value_t)]
    pub value: Value,
    /// Add memory that no stack owns: pre-existing, exec image, unattributed
    #[arg(long)]
    pub unattributed: bool,
    /// Label samples with the connection that they were demanded for (pprof only)
    #[arg(long, conflicts_with = "connection")]
    pub connection_labels: bool,
    /// File to write (default: standard output; pprof only if that is no terminal)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
    /// On whose behalf.
    #[command(flatten)]
    pub behalf: BehalfArgs,
    /// Moments.
    #[command(flatten)]
    pub when: WhenArgs,
}

/// `ranges`
#[derive(Args, Debug)]
pub struct RangesArgs {
    /// Process id
    #[arg(long, value_name = "PID", value_parser = value_parser!(u32).range(1..))]
    pub pid: u32,
    /// Name the stacks that own the ranges
    #[arg(long)]
    pub with_frames: bool,
    /// Most frames of a stack to show
    #[arg(long, value_name = "FRAMES", default_value_t = 6,
          value_parser = value_parser!(u32).range(1..))]
    pub frames: u32,
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Don't cut long lines to the width of the terminal
    #[arg(long)]
    pub no_truncate: bool,
}

/// `completions`
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[cfg(test)]
mod tests;
