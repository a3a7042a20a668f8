//! Two versions side by side.

use profiler_analysis::compare::{Band, Comparison, Figures, Outcome, Side};

use super::verdict::words::signed;
use crate::{
    screen::Look,
    table::{Align, Table},
    text::plural,
    units::{mean_bytes, seconds},
};

/// The answer with its figures.
pub fn comparison(comparison: &Comparison, look: Look) -> String {
    let said = match comparison.outcome {
        Outcome::Pass => look.good("pass"),
        Outcome::Fail => look.warn("fail"),
        Outcome::Inconclusive => look.bold("inconclusive"),
    };
    let mut text = format!("{said}: {}\n", comparison.reason);
    let Some(figures) = &comparison.figures else {
        return text;
    };
    let facts = format!(
        "at ages from {} to {}, {} of {} each; bands of 95%, for the variation within these lives",
        seconds(figures.ages.from),
        seconds(figures.ages.to),
        plural(figures.bins as u64, "floor", "floors"),
        seconds(figures.bin_seconds),
    );
    text.push_str(&format!(
        "{}\n\n{}\n",
        look.dim(&facts),
        sides(figures).render(look)
    ));
    text.push_str(&differences(figures));
    text
}

fn sides(figures: &Figures) -> Table {
    let mut table = Table::new([
        ("VERSION", Align::Left),
        ("LIVES", Align::Right),
        ("FLOOR", Align::Right),
        ("PER HOUR", Align::Right),
        ("CALLS/S", Align::Right),
        ("PER REQUEST", Align::Right),
    ]);
    for (name, side) in [("baseline", &figures.baseline), ("canary", &figures.canary)] {
        table.push(row(name, side));
    }
    table
}

fn row(name: &str, side: &Side) -> Vec<String> {
    vec![
        name.into(),
        side.lives.to_string(),
        mean_bytes(side.floor_bytes),
        told(side.slope_bytes_per_hour),
        format!("{:.2}", side.calls_per_second),
        side.bytes_per_request.map_or_else(|| "-".into(), told),
    ]
}

fn differences(figures: &Figures) -> String {
    let mut text = format!(
        "difference per hour    {}, allowed {}\n",
        told(figures.slope_difference),
        signed(figures.margin_bytes_per_hour)
    );
    if let Some(equal) = figures.slope_difference_at_equal_load {
        text.push_str(&format!("  at equal load        {}\n", told(equal)));
    }
    if let Some(ratio) = figures.bytes_per_request_ratio {
        text.push_str(&format!(
            "bytes per request      {:.2} times the baseline's ({:.2} to {:.2})\n",
            ratio.value, ratio.lower, ratio.upper
        ));
    }
    text
}

fn told(band: Band) -> String {
    format!(
        "{} ({} to {})",
        signed(band.value),
        signed(band.lower),
        signed(band.upper)
    )
}
