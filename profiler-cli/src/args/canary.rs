//! `canary`: two versions side by side.

use std::time::Duration;

use clap::Args;
use profiler_analysis::compare::{Ages, Question};
use profiler_proto::v1::{ListResidentRequest, Selector, SeriesBy};

use super::{
    Format, Rate,
    rate::parse_rate,
    select::{Condition, chosen_by, condition},
};
use crate::time::parse_span;

/// Most windows of a series that one answer carries.
const POINTS: u32 = 2_000;
/// Lives of one side.
const LIVES: u32 = 64;

/// `canary`
#[derive(Args, Debug)]
pub struct CanaryArgs {
    /// The old version, in the words of the selection flags: pod=shop/cart-1, or several that narrow
    /// each other, image=*/cart:1.9,node=n1 (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = condition,
          required = true)]
    pub baseline: Vec<Condition>,
    /// The new version, likewise
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = condition,
          required = true)]
    pub canary: Vec<Condition>,
    /// Leave out younger ages: processes warm up
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = parse_span)]
    pub min_age: Duration,
    /// Leave out older ages (default: the age of the younger one)
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub at_age: Option<Duration>,
    /// How much faster the canary may grow; a share is of the baseline's floor
    #[arg(long, value_name = "RATE", default_value = "1%/h", value_parser = parse_rate)]
    pub margin: Rate,
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl CanaryArgs {
    /// As it is compared.
    pub fn question(&self) -> Question {
        Question {
            ages: Ages {
                from: self.min_age.as_secs_f64(),
                to: self.at_age.map_or(f64::INFINITY, |age| age.as_secs_f64()),
            },
            margin: self.margin.into(),
            ..Question::default()
        }
    }

    /// The old version's readings, and the new one's.
    pub fn to_wire(&self) -> [ListResidentRequest; 2] {
        [&self.baseline, &self.canary].map(|chosen| ListResidentRequest {
            selector: Some(chosen_by(chosen, Selector::default())),
            by: SeriesBy::Container.into(),
            points: POINTS,
            limit: LIVES,
            ..ListResidentRequest::default()
        })
    }
}
