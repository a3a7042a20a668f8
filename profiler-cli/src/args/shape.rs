//! How rows are grouped, ordered, cut and laid out, and of which moments they are.

use clap::{Args, value_parser};

use super::{By, Order};
use crate::time::{Moment, parse_moment};

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

/// Which page of an answer.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Shape")]
pub struct PageArgs {
    /// The next page: the token that the page before ended with, with the same flags
    #[arg(
        id = "page",
        long = "page",
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true
    )]
    pub token: String,
}
