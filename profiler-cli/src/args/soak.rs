//! `soak`: a target through a load test.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use profiler_proto::v1::{self, ListResidentRequest, Selector};

use super::{
    Format, Rate, SelectArgs,
    rate::parse_rate,
    select::{Condition, chosen_by, condition},
};
use crate::{failure::Failure, time::parse_span};

/// Series of one soak.
pub(crate) const MOST_TARGETS: u32 = 64;

/// `soak`
#[derive(Args, Debug)]
pub struct SoakArgs {
    /// What is watched: pid:4711, container:3f2a91, pod:shop/cart-1, process:node, or any other
    /// selection flag's name with its value (repeatable; they narrow each other)
    #[arg(long = "target", value_name = "KEY:VALUE", value_delimiter = ',', value_parser = condition)]
    pub targets: Vec<Condition>,
    /// How long
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub duration: Duration,
    /// Time between two readings (default: half a window, at most 10s)
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub interval: Option<Duration>,
    /// Share of the duration that is not judged
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = parse_share)]
    pub warmup: f64,
    /// Allow growth up to this and fail growth above it, whatever else is found; a share is of the
    /// floor at the end of the warm-up
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub max_growth: Option<Rate>,
    /// What has a series (default: the process where --pid or --process chooses, else the container)
    #[arg(long, value_enum)]
    pub by: Option<Whole>,
    /// Write a page with the plot and all figures to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub report_json: Option<PathBuf>,
    /// What is printed at the end
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Which of them.
    #[command(flatten)]
    pub select: SelectArgs,
}

/// What has a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whole {
    /// A container or unit, by its own counters
    Container,
    /// A process
    Process,
}

impl SoakArgs {
    /// Who is watched.
    pub fn selector(&self) -> Result<Selector, Failure> {
        let flags = self.select.to_wire().unwrap_or_default();
        let selector = chosen_by(&self.targets, flags);
        if selector == Selector::default() {
            return Err(Failure::with_hint(
                "nothing is chosen to be watched",
                "name it: --target pid:4711, container:ID, pod:NAMESPACE/NAME or process:NAME",
            ));
        }
        Ok(selector)
    }

    /// One reading of each.
    pub fn to_wire(&self) -> Result<ListResidentRequest, Failure> {
        let selector = self.selector()?;
        let by_process = !selector.pids.is_empty() || !selector.processes.is_empty();
        let by = match (self.by, by_process) {
            (Some(Whole::Process), _) | (None, true) => v1::SeriesBy::Process,
            (Some(Whole::Container), _) | (None, false) => v1::SeriesBy::Container,
        };
        Ok(ListResidentRequest {
            selector: Some(selector),
            by: by.into(),
            limit: MOST_TARGETS,
            ..ListResidentRequest::default()
        })
    }
}

/// Parses `10%`.
fn parse_share(text: &str) -> Result<f64, String> {
    let number = text
        .strip_suffix('%')
        .and_then(|number| number.parse::<f64>().ok());
    let share = number.map(|number| number / 100.0);
    share
        .filter(|share| (0.0..=0.9).contains(share))
        .ok_or_else(|| "allowed: 0% to 90%".to_owned())
}
