//! The command line: what can be asked, with the help that teaches it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, value_parser};
use clap_complete::Shell;
use profiler_proto::v1::Selector;

use crate::{
    client::Endpoint,
    time::{Moment, parse_moment, parse_span},
};

mod connections;
mod help;
mod values;

pub use connections::{ConnectionsArgs, Fold, Kind, Protocol, Role, Sort, State};
pub use values::{By, ExportFormat, FlameBy, Format, Order, TopFormat, Value};

/// Host memory profiler: who demanded memory, by call stack, on a live host.
#[derive(Debug, Parser)]
#[command(name = "profiler", version, after_long_help = help::MAIN)]
pub struct Cli {
    /// Agent or collector: http://HOST:PORT, HOST:PORT or unix:/PATH
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
    pub endpoint: Endpoint,

    /// What to ask.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// How the agent is: what it sees, what it costs, what it lost
    #[command(after_long_help = help::STATUS)]
    Status(StatusArgs),
    /// Processes under observation, largest committed memory first
    #[command(after_long_help = help::TARGETS)]
    Targets(TargetsArgs),
    /// Who demanded memory: growth by stack, process, container, function or connection
    #[command(after_long_help = help::TOP)]
    Top(TopArgs),
    /// Growth between two moments
    #[command(after_long_help = help::DIFF)]
    Diff(DiffArgs),
    /// Flame graph (SVG) of the demand, or of its change between two moments
    #[command(after_long_help = help::FLAME)]
    Flame(FlameArgs),
    /// Connections, the memory demanded for them, and what becomes of it
    #[command(after_long_help = help::CONNECTIONS)]
    Connections(ConnectionsArgs),
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

/// Which processes are meant. Values of one flag are alternatives; flags narrow each other.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Selection")]
pub struct SelectArgs {
    /// Process id (repeatable)
    #[arg(long = "pid", value_name = "PID", value_parser = value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
    /// Container id or a prefix of at least 4 characters, a systemd unit, or "host" (repeatable)
    #[arg(long = "container", value_name = "ID")]
    pub containers: Vec<String>,
    /// Process name, or a glob with * and ? (repeatable)
    #[arg(long = "process", value_name = "NAME")]
    pub processes: Vec<String>,
    /// Cgroup path, or a glob (repeatable)
    #[arg(long = "cgroup", value_name = "PATH")]
    pub cgroups: Vec<String>,
    /// Pod uid, or namespace/name where that is known: an agent knows uids only (repeatable)
    #[arg(long = "pod", value_name = "POD")]
    pub pods: Vec<String>,
}

impl SelectArgs {
    /// As the wire carries it; nothing selected is everything.
    pub fn to_wire(&self) -> Option<Selector> {
        let selector = Selector {
            pids: self.pids.clone(),
            containers: self.containers.clone(),
            processes: self.processes.clone(),
            cgroups: self.cgroups.clone(),
            pods: self.pods.clone(),
        };
        (selector != Selector::default()).then_some(selector)
    }
}

/// On whose behalf growth was demanded, of what is selected.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Selection")]
pub struct BehalfArgs {
    /// Only growth on behalf of this connection; `profiler connections` lists cookies
    #[arg(long, value_name = "COOKIE", value_parser = value_parser!(u64).range(1..))]
    pub connection: Option<u64>,
}

impl BehalfArgs {
    /// As the wire carries it: 0 is all growth.
    pub fn to_wire(self) -> u64 {
        self.connection.unwrap_or(0)
    }
}

/// Most rows that one answer carries.
pub const MOST_ROWS: u32 = 10_000;

/// How growth is grouped, ordered and cut.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Shape")]
pub struct ShapeArgs {
    /// What a row stands for
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
    /// What comes first
    #[arg(long, value_enum, default_value_t)]
    pub order: Order,
    /// Most rows to show
    #[arg(long, value_name = "ROWS", default_value_t = 20,
          value_parser = value_parser!(u32).range(1..=i64::from(MOST_ROWS)))]
    pub limit: u32,
    /// Add rows for memory that no stack owns: pre-existing, exec image, unattributed
    #[arg(long)]
    pub unattributed: bool,
}

/// How answers are laid out.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub struct StacksArgs {
    /// Most frames of a stack to show
    #[arg(long, value_name = "FRAMES", default_value_t = 12,
          value_parser = value_parser!(u32).range(1..))]
    pub frames: u32,
    /// Don't cut long lines to the width of the terminal
    #[arg(long)]
    pub no_truncate: bool,
}

/// Moments at and since which growth is told.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Time")]
pub struct WhenArgs {
    /// Growth since then only: 10m, 14:05, RFC 3339, seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub since: Option<Moment>,
    /// As it was then, instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub at: Option<Moment>,
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
    /// Most rows to show; 0 for all
    #[arg(long, value_name = "ROWS", default_value_t = 50)]
    pub limit: u32,
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
    /// First moment: 10m, 14:05, RFC 3339, seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          help_heading = "Time")]
    pub from: Moment,
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
    /// On whose behalf.
    #[command(flatten)]
    pub behalf: BehalfArgs,
    /// Grouping and order.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Layout of stacks.
    #[command(flatten)]
    pub stacks: StacksArgs,
}

/// `flame`
#[derive(Args, Debug)]
pub struct FlameArgs {
    /// Differential: colour by the change since this moment
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          conflicts_with_all = ["since", "at"], help_heading = "Time")]
    pub from: Option<Moment>,
    /// Differential: up to this moment (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          requires = "from", help_heading = "Time")]
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
    /// Print folded stacks instead of drawing (with --from: before and after)
    #[arg(long)]
    pub folded: bool,
    /// File to write (default: standard output, if that is no terminal)
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
