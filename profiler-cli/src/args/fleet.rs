//! `nodes` and `series`: a fleet, and memory over time.

use clap::{Args, ValueEnum, value_parser};
use profiler_proto::v1::{self, ListSeriesRequest};

use super::{Format, SelectArgs};
use crate::time::{Moment, parse_moment};

/// `nodes`
#[derive(Args, Debug)]
pub struct NodesArgs {
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Don't cut long lines to the width of the terminal
    #[arg(long)]
    pub no_truncate: bool,
    /// Which of them: nodes that a process of these is on.
    #[command(flatten)]
    pub select: SelectArgs,
}

/// `series`
#[derive(Args, Debug)]
pub struct SeriesArgs {
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Don't cut long lines to the width of the terminal
    #[arg(long)]
    pub no_truncate: bool,
    /// What has a series
    #[arg(long, value_enum, default_value_t, help_heading = "Shape")]
    pub by: SeriesBy,
    /// Most points of a series
    #[arg(long, value_name = "POINTS", default_value_t = 120, help_heading = "Shape",
          value_parser = value_parser!(u32).range(1..=2_000))]
    pub points: u32,
    /// Most series to show, those that grew fastest first
    #[arg(long, value_name = "ROWS", default_value_t = 20, help_heading = "Shape",
          value_parser = value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    /// Beginning: 6h, 14:05, RFC 3339, seconds since 1970 (default: as far back as anything is kept)
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          help_heading = "Time")]
    pub from: Option<Moment>,
    /// End (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true,
          help_heading = "Time")]
    pub to: Option<Moment>,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
}

impl SeriesArgs {
    /// As the wire carries it.
    pub fn to_wire(&self) -> ListSeriesRequest {
        ListSeriesRequest {
            selector: self.select.to_wire(),
            by: self.by.to_wire(),
            from: self.from.map(Moment::to_wire),
            to: self.to.map(Moment::to_wire),
            points: self.points,
            limit: self.limit,
        }
    }
}

/// What has a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SeriesBy {
    /// Each life of a container: when it is restarted another one begins
    #[default]
    Container,
    /// Each process
    Process,
    /// Each node
    Node,
}

impl SeriesBy {
    fn to_wire(self) -> i32 {
        let by = match self {
            Self::Container => v1::SeriesBy::Container,
            Self::Process => v1::SeriesBy::Process,
            Self::Node => v1::SeriesBy::Node,
        };
        by.into()
    }
}
